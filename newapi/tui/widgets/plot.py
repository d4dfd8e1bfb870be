"""Lines over time in braille, two by four dots a cell: made by a function of numbers, shown by a widget."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Literal, TypeAlias

from msgspec import Struct
from rich.text import Text
from textual.widget import Widget

from newapi.tui.widgets import tones, words
from newapi.tui.widgets.tones import SERIES, Line, Piece

Unit: TypeAlias = Literal["count", "/s", "ms", "$", "%", "tokens"]
"""What the numbers of a plot are; those of `%` are shares of 1, those of `$` US dollars."""

_WORDS: dict[Unit, Callable[[float], str]] = {
    "count": words.compact,
    "/s": words.compact,
    "ms": words.millis,
    "$": words.dollars,
    "%": words.percent,
    "tokens": words.compact,
}
_DOTS = ((0x01, 0x02, 0x04, 0x40), (0x08, 0x10, 0x20, 0x80))
"""The bit of each dot of a braille cell: left column and right column, from the top down."""
_MARKS = "*+ox#%"
"""What stands for each series where there is no braille."""
_STEPS = (1, 2, 2.5, 5, 10)
_TIMES = (1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 10_800, 21_600, 43_200, 86_400, 172_800)
_MIN_WIDTH, _MIN_HEIGHT = 12, 3
_SMALLEST = 1e-12
"""Ranges below this are none."""
_LARGEST = 1e300
"""Beyond this, sums of numbers are no numbers any more."""


class Series(Struct, frozen=True):
    """One line of a plot.

    Attributes:
        label: What it is, for the legend.
        values: From the oldest to now, evenly over the plot's span; None is a gap.
        fill: Whether the area under it is filled.
        tone: Its colour; "" is the next of the palette.
    """

    label: str
    values: Sequence[float | None]
    fill: bool = False
    tone: str = ""


def ticks(low: float, high: float, count: int) -> list[float]:
    """Return round numbers, evenly apart, that enclose `low` to `high`: at least two, at most `count` (2 or more)."""
    high = max(high, low)
    if high - low < _SMALLEST:
        high = low + max(abs(low), 1)
    rough = (high - low) / max(1, count - 1)
    size = 10.0 ** math.floor(math.log10(rough))
    for factor in (*(f * size for f in _STEPS), 20 * size, 50 * size):
        first = math.floor(low / factor + 1e-9)
        last = math.ceil(high / factor - 1e-9)
        if last - first < count:
            return [n * factor for n in range(first, max(last, first + 1) + 1)]
    return [low, high]


def plot(
    series: Sequence[Series],
    width: int,
    height: int,
    *,
    unit: Unit = "count",
    span: float = 0,
    title: str = "",
    ascii: bool = False,
) -> list[Line]:
    """Return a plot as `height` lines of exactly `width` cells.

    The first line has the title and, at the right, what each series is now; below are the area with its axis of round
    numbers at the left, and the axis of time. What does not fit is left out: the axes first.

    Args:
        series: What to draw; a later one lies above an earlier one.
        width: Cells.
        height: Lines.
        unit: What the numbers are.
        span: Seconds from the first value to the last; 0 draws no axis of time.
        title: What it shows; "" with no label on any series leaves the first line out.
        ascii: Draw with letters only.
    """
    if width < 1 or height < 1:
        return []
    drawn = [_clean(one, number) for number, one in enumerate(series)]
    top = [_head(drawn, width, unit, title, ascii=ascii)] if title or any(s.label for s in drawn) else []
    rows = height - len(top)
    if rows < _MIN_HEIGHT or width < _MIN_WIDTH:
        area = _area(drawn, width, max(0, rows), _range(drawn, 2), ascii=ascii)
        return [*top, *area][:height]
    timed = span > 0 and rows > _MIN_HEIGHT
    inner = rows - timed
    scale = _range(drawn, max(2, (inner + 1) // 2))
    labels = _labels(scale, inner, unit)
    left = max((len(text) for text in labels.values()), default=0)
    space = width - left - 1
    if space < 4:
        left, space, labels = -1, width, {}
    area = _area(drawn, space, inner, scale, ascii=ascii)
    lines = [_beside(labels.get(row, ""), left, cells, ascii=ascii) for row, cells in enumerate(area)]
    if timed:
        lines.append(_times(span, left + 1, space, ascii=ascii))
    return [*top, *lines]


def _clean(series: Series, number: int) -> Series:
    values = [None if v is None or not math.isfinite(v) else max(-_LARGEST, min(_LARGEST, v)) for v in series.values]
    return Series(series.label, values, series.fill, series.tone or SERIES[number % len(SERIES)])


def _range(series: Sequence[Series], count: int) -> list[float]:
    known = [v for one in series for v in one.values if v is not None]
    return ticks(min(0.0, *known) if known else 0.0, max(0.0, *known) if known else 1.0, count)


def _head(series: Sequence[Series], width: int, unit: Unit, title: str, *, ascii: bool) -> Line:
    legend: list[Piece] = []
    suffix = "/s" if unit == "/s" else ""
    for number, one in enumerate(series):
        now = next((v for v in reversed(one.values) if v is not None), None)
        said = words.NONE if now is None else _WORDS[unit](now) + suffix
        mark = _MARKS[number % len(_MARKS)] if ascii else "●"
        legend += [("  " if legend else "", ""), (mark, one.tone)]
        legend += [(f" {one.label}", "dim")] if one.label else []
        legend.append((f" {said}", "bold"))
    room = width - tones.width(legend)
    if room < min(8, len(title) + 1):
        return tones.fit(legend if not title else ((title, "title"), (" ", ""), *legend), width, ellipsis=_cut(ascii))
    return (*tones.fit(((title, "title"),), room, ellipsis=_cut(ascii)), *legend)


def _cut(ascii: bool) -> str:
    return "~" if ascii else "…"


def _labels(scale: Sequence[float], rows: int, unit: Unit) -> dict[int, str]:
    low, high = scale[0], scale[-1]
    found: dict[int, str] = {}
    for value in scale:
        row = round((rows - 1) * (1 - (value - low) / (high - low)))
        found.setdefault(row, "0" if abs(value) < (high - low) * 1e-9 else _WORDS[unit](value))
    return found


def _beside(label: str, left: int, cells: Line, *, ascii: bool) -> Line:
    if left < 0:
        return cells
    axis = ("+" if label else "|") if ascii else ("┤" if label else "│")
    return ((f"{label:>{left}}", "dim"), (axis, "dim"), *cells)


def _times(span: float, indent: int, width: int, *, ascii: bool) -> Line:
    """Return the axis of time: `now` at the right, and before it how long ago, as many as there is room for."""
    step = next((t for t in _TIMES if span / t <= max(1, width // 12)), _TIMES[-1])
    cells = [" "] * width
    free = width
    for text, at in [("now", 0.0), *((f"-{words.span(n * step)}", n * step) for n in range(1, int(span // step) + 1))]:
        middle = round((width - 1) * (1 - at / span))
        start = min(max(0, middle - len(text) // 2), width - len(text))
        if start < 0 or start + len(text) >= free + (free == width):
            continue
        cells[start : start + len(text)] = text
        free = start
    return ((" " * indent, ""), ("".join(cells), "dim"))


# -- the area ----------------------------------------------------------------------------------


class _Area:
    """Cells of dots. A line lies above what is filled, and above the lines before it where the cells are the same."""

    def __init__(self, width: int, height: int, *, ascii: bool) -> None:
        self.wide, self.high = (1, 1) if ascii else (2, 4)
        self.width, self.height, self.ascii = width, height, ascii
        self._drawn: dict[tuple[int, int], tuple[int, str]] = {}
        self._filled: dict[tuple[int, int], tuple[int, str]] = {}

    def dot(self, x: int, y: int, tone: str, mark: str) -> None:
        """Draw a dot of a line."""
        self._put(self._drawn, x, y, tone, mark)

    def fill(self, x: int, y: int, tone: str) -> None:
        """Draw a dot below one."""
        self._put(self._filled, x, y, tone, ":")

    def _put(self, cells: dict[tuple[int, int], tuple[int, str]], x: int, y: int, tone: str, mark: str) -> None:
        at = y // self.high, x // self.wide
        bits = cells.get(at, (0, ""))[0]
        cells[at] = (ord(mark) if self.ascii else bits | _DOTS[x % 2][y % 4], tone)

    def lines(self) -> list[Line]:
        return [_joined([self._cell((row, column)) for column in range(self.width)]) for row in range(self.height)]

    def _cell(self, at: tuple[int, int]) -> Piece:
        bits, tone = self._drawn.get(at, (0, ""))
        under, under_tone = self._filled.get(at, (0, ""))
        if self.ascii:
            return (chr(bits), tone) if bits else (chr(under), f"{under_tone} dim") if under else (" ", "")
        if bits and tone == under_tone:
            bits |= under
        if bits:
            return chr(0x2800 + bits), tone
        return (chr(0x2800 + under), f"{under_tone} dim") if under else (" ", "")


def _joined(pieces: Sequence[Piece]) -> Line:
    found: list[Piece] = []
    for text, tone in pieces:
        if found and found[-1][1] == tone:
            found[-1] = (found[-1][0] + text, tone)
        else:
            found.append((text, tone))
    return tuple(found)


def _area(series: Sequence[Series], width: int, height: int, scale: Sequence[float], *, ascii: bool) -> list[Line]:
    area = _Area(width, height, ascii=ascii)
    if not height:
        return []
    tall = height * area.high
    low, high = scale[0], scale[-1]
    floor = _row(max(low, 0.0), low, high, tall)
    for number, one in enumerate(series):
        mark = _MARKS[number % len(_MARKS)]
        before: int | None = None
        for x, value in enumerate(resample(one.values, width * area.wide)):
            if value is None:
                before = None
                continue
            y = _row(value, low, high, tall)
            start = y if before is None else before
            # A steep line has dots all the way: from beside the one before to its own.
            ends = (y, start + (1 if start < y else -1 if start > y else 0))
            for at in range(min(ends), max(ends) + 1):
                area.dot(x, at, one.tone, mark)
            if one.fill:
                for at in range(min(y, floor), max(y, floor) + 1):
                    area.fill(x, at, one.tone)
            before = y
    return area.lines()


def _row(value: float, low: float, high: float, tall: int) -> int:
    return min(tall - 1, max(0, round((tall - 1) * (1 - (value - low) / (high - low)))))


def resample(values: Sequence[float | None], count: int) -> list[float | None]:
    """Return `count` values that say what `values` say: means of several where there are more, lines where fewer."""
    have = len(values)
    if not have or count < 1:
        return [None] * max(0, count)
    if have == 1:
        return [values[0]] * count
    if have >= count:
        found: list[float | None] = []
        for n in range(count):
            known = [v for v in values[n * have // count : (n + 1) * have // count] if v is not None]
            found.append(sum(v / len(known) for v in known) if known else None)
        return found
    return [_between(values, n * (have - 1) / (count - 1)) for n in range(count)]


def _between(values: Sequence[float | None], at: float) -> float | None:
    left = min(int(at), len(values) - 1)
    before, share = values[left], at - left
    after = values[left + 1] if left + 1 < len(values) else before
    if before is None or after is None:
        return before if share < 0.5 else after
    return before * (1 - share) + after * share


class Plot(Widget):
    """A plot that is drawn when `show` gives it something else to show."""

    DEFAULT_CSS = """
    Plot { height: 1fr; width: 1fr; min-height: 3; }
    """

    def __init__(
        self,
        title: str = "",
        unit: Unit = "count",
        *,
        ascii: bool = False,
        name: str | None = None,
        id: str | None = None,
        classes: str | None = None,
    ) -> None:
        """Show nothing yet.

        Args:
            title: What it shows.
            unit: What the numbers are.
            ascii: Draw with letters only.
            name: Textual's.
            id: Textual's.
            classes: Textual's.
        """
        super().__init__(name=name, id=id, classes=classes)
        self._title, self._ascii = title, ascii
        self._unit: Unit = unit
        self._series: tuple[Series, ...] = ()
        self._span = 0.0

    def show(self, series: Sequence[Series], span: float = 0, *, title: str | None = None) -> None:
        """Draw these series, over `span` seconds. Nothing is drawn where nothing changed."""
        title = self._title if title is None else title
        if (tuple(series), span, title) != (self._series, self._span, self._title):
            self._series, self._span, self._title = tuple(series), span, title
            self.refresh()

    def render(self) -> Text:
        lines = plot(
            self._series,
            self.size.width,
            self.size.height,
            unit=self._unit,
            span=self._span,
            title=self._title,
            ascii=self._ascii,
        )
        return Text("\n").join(tones.text(self.app, line) for line in lines)
