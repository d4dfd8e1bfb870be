"""What a terminal shows, as an SVG that is small and the same at every call; and read back, as text and styles.

    svg = written(app.screen._compositor.render_strips())
    told(svg)           what stands there, row by row, and how it is drawn

Every row of the screen is a line of the file. Words are text of exactly their cells; dots, bars and the lines of boxes
are drawn, since the fonts of those who look have them in other sizes or not at all, and are text as their `aria-label`.
"""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from collections.abc import Iterator, Sequence
from functools import cache
from html import escape, unescape
from itertools import groupby

from msgspec import Struct
from rich.cells import cell_len
from rich.color import ColorType
from rich.style import Style
from textual.strip import Strip

_CELL, _LINE, _RISE, _EDGE = 12, 24, 18, 8
"""Width and height of a cell, where the line of its letters is, and the margin, in units of the picture."""
_DOTS = ((0, 0), (0, 1), (0, 2), (1, 0), (1, 1), (1, 2), (0, 3), (1, 3))
"""Column and row of each bit of a Braille sign."""
_FONT = "DejaVu Sans Mono,Menlo,Consolas,Liberation Mono,monospace"
_DRAWN_BY = {"bold": "b", "italic": "i", "underline": "u", "dim": "d"}
"""What a style says -> the class that draws it."""
_TERMINAL = {
    **dict(
        enumerate(
            "#3a404c #e8727b #8fc06f #dfb566 #5fa8ec #c47fdb #4fb8c4 #cfd4dc "
            "#7b8494 #ff8f97 #a9dc86 #f5cd7d #82c0ff #dd9bf0 #71d3de #ffffff".split()
        )
    ),
    "fg": "#d5d9e0",
    "bg": "#15181e",
}
"""The colours of the terminal that themes keep to which have none of their own: its sixteen, and its two."""
_COLOURS = {name if isinstance(name, str) else f"c{name}": colour for name, colour in _TERMINAL.items()}
_RULES = (
    "text{fill:currentColor}.b{font-weight:bold}.i{font-style:italic}.u{text-decoration:underline}"
    ".d{opacity:.6}.o,.l,.h{fill:none;stroke:currentColor;stroke-width:2}.h{stroke-width:4}"
    ".f,rect{fill:currentColor}.o{stroke-width:4;stroke-linecap:round;stroke-dasharray:0 6}"
)
_BLOCKS = {0x2580: (0, 0, 8, 4), 0x2590: (4, 0, 4, 8), 0x2594: (0, 0, 8, 1), 0x2595: (7, 0, 1, 8)}
_BLOCKS |= {0x2580 + n: (0, 8 - n, 8, n) for n in range(1, 9)} | {0x2588 + n: (0, 0, 8 - n, 8) for n in range(1, 8)}
"""Code of a sign that is a block -> its left, top, width and height in eighths of a cell."""
_ARMS = {"LEFT": "l", "RIGHT": "r", "UP": "u", "DOWN": "d", "HORIZONTAL": "lr", "VERTICAL": "ud"}


class _Cell(Struct, frozen=True):
    """A sign, "" for the second half of a wide one; its colours, `#rrggbb` or a name of `_COLOURS`; and its classes."""

    sign: str
    front: str
    back: str
    drawn: str

    @property
    def is_blank(self) -> bool:
        return self.sign == " " and "u" not in self.drawn.split()

    @property
    def kind(self) -> tuple[str, str, str]:
        """What cells have in common that are drawn together."""
        return self.front, self.drawn, _kind(self.sign)


def written(strips: Sequence[Strip]) -> str:
    """Return what these lines look like."""
    rows = [list(_cells(strip)) for strip in strips]
    front = _most(cell.front for row in rows for cell in row if not cell.is_blank)
    back = _most(cell.back for row in rows for cell in row)
    width, height = len(rows[0]) * _CELL + 2 * _EDGE, len(rows) * _LINE + 2 * _EDGE
    body = [_row(row, y * _LINE, front, back) for y, row in enumerate(rows)]
    used = {name for line in body for words in re.findall(r'class="([^"]+)"', line) for name in words.split()}
    own = "".join(f".{name}{{color:{colour}}}" for name, colour in _COLOURS.items() if name in used)
    return "\n".join(
        [
            f'<svg xmlns="http://www.w3.org/2000/svg" xml:space="preserve" viewBox="{-_EDGE} {-_EDGE} {width} {height}" '
            f'font-family="{_FONT}" font-size="20" color="{_COLOURS.get(front, front)}">',
            f"<style>{_RULES}{own}</style>",
            f'<rect x="{-_EDGE}" y="{-_EDGE}" width="{width}" height="{height}" rx="8" '
            f'color="{_COLOURS.get(back, back)}"/>',
            *body,
            "</svg>\n",
        ]
    )


def _cells(strip: Strip) -> Iterator[_Cell]:
    for text, style, _ in strip:
        front, back, drawn = _style(style or Style.null())
        for sign in text:
            yield _Cell(sign, front, back, drawn)
            yield from [_Cell("", front, back, drawn)] * (cell_len(sign) - 1)


@cache
def _style(style: Style) -> tuple[str, str, str]:
    def named(colour: object, otherwise: str) -> str:
        if colour is None or colour.is_default:  # type: ignore[attr-defined]
            return otherwise
        return colour.triplet.hex if colour.type is ColorType.TRUECOLOR else f"c{colour.number}"  # type: ignore[attr-defined]

    front, back = named(style.color, "fg"), named(style.bgcolor, "bg")
    if style.reverse:
        front, back = back, front
    return front, back, " ".join(letter for word, letter in _DRAWN_BY.items() if getattr(style, word))


def _most(found: Iterator[str]) -> str:
    counted = Counter(found)
    return min(counted, key=lambda one: (-counted[one], one), default="fg")


def _row(row: Sequence[_Cell], y: int, front: str, back: str) -> str:
    parts: list[str] = []
    x = 0
    for colour, cells in groupby(row, key=lambda cell: cell.back):
        width = len(list(cells)) * _CELL
        if colour != back:
            parts.append(f'<rect x="{x}" y="{y}" width="{width}" height="{_LINE}"{_coloured(colour)}/>')
        x += width
    for at, text, cell in _runs(row):
        colour = "" if cell.front == front else cell.front
        kind = _kind(text[0])
        if kind:
            # It begins where the text does, drawn or not: so it can be read where that is.
            path = f"M{at * _CELL} {y}" + "".join(_path(text, at * _CELL, y))
            parts.append(f'<path aria-label="{text}"{_coloured(colour, kind, cell.drawn)} d="{path}"/>')
        else:
            size = cell_len(text) * _CELL
            how = _coloured(colour, cell.drawn)
            parts.append(
                f'<text x="{at * _CELL}" y="{y + _RISE}" textLength="{size}"{how}>{escape(text, quote=False)}</text>'
            )
    return "".join(parts)


def _runs(row: Sequence[_Cell]) -> Iterator[tuple[int, str, _Cell]]:
    """Yield where a run of cells begins that are drawn alike, its text, and the first of them.

    Blanks are like what is around them: a run goes on over a few, and has none at its ends.
    """
    x = 0
    while x < len(row):
        if row[x].is_blank or not row[x].sign:
            x += 1
            continue
        end = last = x
        while end < len(row) and end - last < _APART and (row[end].is_blank or row[end].kind == row[x].kind):
            last = end if not row[end].is_blank else last
            end += 1
        yield x, "".join(cell.sign for cell in row[x : last + 1]), row[x]
        x = last + 1


_APART = 6
"""So many blanks end a run."""


def _coloured(colour: str, *classes: str) -> str:
    named = colour and not colour.startswith("#")
    words = " ".join(word for word in (*classes, colour if named else "") if word)
    said = f' class="{words}"' if words else ""
    return said if named or not colour else f'{said} color="{colour}"'


# -- signs that are drawn ------------------------------------------------------------------------


@cache
def _kind(sign: str) -> str:
    """Return the class that draws a sign: dots, filled blocks, light or heavy lines; "" for what is text."""
    code = ord(sign) if len(sign) == 1 else 0
    if 0x2800 < code <= 0x28FF:
        return "o"
    if code in _BLOCKS:
        return "f"
    if _arms(sign):
        return "h" if "HEAVY" in unicodedata.name(sign) else "l"
    return ""


@cache
def _arms(sign: str) -> str:
    name = unicodedata.name(sign, "") if sign else ""
    if not name.startswith("BOX DRAWINGS ") or "DASH" in name or "DOUBLE" in name:
        return ""
    return "".join(arms for word, arms in _ARMS.items() if word in name.split())


def _path(text: str, left: int, top: int) -> Iterator[str]:
    if _kind(text[0]) == "o":
        yield from _dots(text, left, top)
        return
    for sign, same in groupby(enumerate(text), key=lambda cell: cell[1]):
        found = [n for n, _ in same]
        x, y, width = left + found[0] * _CELL, top, len(found) * _CELL
        if sign == " ":
            continue
        if ord(sign) in _BLOCKS:
            across, down, wide, high = _BLOCKS[ord(sign)]
            for at in [x] if wide == 8 else range(x, x + width, _CELL):
                size = width if wide == 8 else wide * _CELL // 8
                yield f"M{at + across * _CELL // 8} {y + 3 * down}h{size}v{3 * high}h{-size}z"
        elif _arms(sign) == "lr":
            yield f"M{x} {y + 12}h{width}"
        else:
            for at in range(x, x + width, _CELL):
                yield from _box(_arms(sign), at, y)


def _box(arms: str, x: int, y: int) -> Iterator[str]:
    ends = {"l": f"{x} {y + 12}", "r": f"{x + 12} {y + 12}", "u": f"{x + 6} {y}", "d": f"{x + 6} {y + 24}"}
    if len(arms) == 2 and arms not in ("lr", "ud"):  # a corner, round
        yield f"M{ends[arms[0]]}Q{x + 6} {y + 12} {ends[arms[1]]}"
        return
    for arm in arms:
        yield f"M{x + 6} {y + 12}L{ends[arm]}"


def _dots(text: str, left: int, top: int) -> Iterator[str]:
    """Yield the dots as rows of dots: the line that draws them is dotted as they are apart."""
    there = {
        (2 * n + across, down)
        for n, sign in enumerate(text)
        if sign != " "
        for bit, (across, down) in enumerate(_DOTS)
        if (ord(sign) - 0x2800) >> bit & 1
    }
    for down in range(4):
        columns = [x for x in range(2 * len(text)) if (x, down) in there]
        for _, same in groupby(enumerate(columns), key=lambda at: at[1] - at[0]):
            run = [x for _, x in same]
            yield f"M{left + 3 + 6 * run[0]} {top + 3 + 6 * down}h{6 * (len(run) - 1)}"


# -- reading -------------------------------------------------------------------------------------

_SHOWN = re.compile(
    r'<rect x="(?P<x>\d+)" y="(?P<y>\d+)" width="(?P<width>\d+)" height="\d+"(?P<behind>[^>]*)/>'
    r'|<text x="(?P<at>\d+)" y="(?P<base>\d+)" textLength="\d+"(?P<how>[^>]*)>(?P<text>[^<]*)</text>'
    r'|<path aria-label="(?P<signs>[^"]*)"(?P<drawn>[^>]*) d="M(?P<left>\d+) (?P<top>\d+)'
)


def told(svg: str) -> list[str]:
    """Return what a picture of this module shows: its rows as text, then how what stands in them is drawn."""
    _, _, *lines = svg.splitlines()
    rows: list[str] = []
    styles: list[str] = []
    for number, line in enumerate(lines[1:-1]):
        cells: dict[int, str] = {}
        said: list[str] = []
        for found in _SHOWN.finditer(line):
            if found["width"]:
                x, text, how = int(found["x"]) // _CELL, "", f"on {_how(found['behind'])}"
                end = x + int(found["width"]) // _CELL
            else:
                x = int(found["at"] or found["left"]) // _CELL
                text = unescape(found["text"] or found["signs"])
                how, end = _how(found["how"] or found["drawn"] or ""), x + cell_len(text)
            cells |= _placed(text, x)
            said += [f"{x}-{end - 1} {how}"] if how else []
        rows.append("".join(cells.get(x, " ") for x in range(max(cells, default=-1) + 1)))
        styles += [f"{number}: {'; '.join(said)}"] if said else []
    return [*rows, "─" * 20, *styles]


def _placed(text: str, x: int) -> dict[int, str]:
    found: dict[int, str] = {}
    for sign in text:
        found[x] = sign
        found |= {x + n: "" for n in range(1, cell_len(sign))}
        x += cell_len(sign)
    return found


def _how(attributes: str) -> str:
    return " ".join(word for value in re.findall(r'"([^"]*)"', attributes) for word in value.split())
