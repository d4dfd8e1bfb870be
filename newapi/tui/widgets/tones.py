"""Tones: what a piece of text means, and which colour the theme gives to that.

What is drawn is made of pieces, `("1.8 %", "bad")`; only here a tone becomes a colour. So the functions that make
pieces need no terminal, and every theme, the sixteen colours of the terminal itself among them, suits all of them.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TypeAlias

from rich.cells import cell_len, set_cell_size
from rich.style import Style
from rich.text import Text
from textual.app import App
from textual.color import Color, ColorParseError

Piece: TypeAlias = tuple[str, str]
"""Text and its tone; "" is plain."""
Line: TypeAlias = tuple[Piece, ...]

SERIES = ("s1", "s2", "s3", "s4", "s5", "s6")
"""Tones of the lines of a plot, in their order."""

_COLOURS: Mapping[str, str] = {
    "good": "text-success",
    "warn": "text-warning",
    "bad": "text-error",
    "accent": "text-primary",
    "s1": "text-primary",
    "s2": "text-success",
    "s3": "text-warning",
    "s4": "text-error",
    "s5": "text-secondary",
    "s6": "text-accent",
}
_PLAIN: Mapping[str, Style] = {
    "": Style.null(),
    "dim": Style(dim=True),
    "bold": Style(bold=True),
    "title": Style(bold=True),
    "underline": Style(underline=True),
}

_KNOWN: dict[tuple[str, str], Style] = {}
"""Theme and tone -> how it is shown."""


def style(app: App[object], tone: str) -> Style:
    """Return how the app's theme shows a tone.

    Args:
        app: Its theme counts.
        tone: One of this module's, `cursor`, `cursor-blurred`, `header`, `marked`; or several with spaces between.
    """
    found = _KNOWN.get((app.theme, tone))
    if found is None:
        variables = app.get_css_variables()  # takes milliseconds: it makes a palette of the theme
        if app.theme == "ansi-dark":
            # The blue of many terminals is too dark to be read on black.
            variables = {**variables, "text-primary": "ansi_bright_blue"}
        found = _KNOWN[app.theme, tone] = sum((_one(variables, name) for name in tone.split()), Style.null())
    return found


def _one(variables: Mapping[str, str], name: str) -> Style:
    if name in _PLAIN:
        return _PLAIN[name]
    if name in _COLOURS:
        return _colour(variables, _COLOURS[name])
    match name:
        case "cursor":
            return _colour(variables, "block-cursor-foreground", "block-cursor-background") + Style(bold=True)
        case "cursor-blurred":
            return Style(bold=True)
        case "header":
            return _colour(variables, "text-primary") + Style(bold=True)
        case "marked":
            return _colour(variables, "text-accent") + Style(bold=True)
        case _:
            raise LookupError(f"There is no tone {name!r}")


def _colour(variables: Mapping[str, str], front: str, back: str = "") -> Style:
    behind = _parsed(variables.get(back, "")) if back else None
    text = variables.get(front, "")
    colour = _parsed(text)
    if colour is None and behind is not None and text.startswith("auto"):
        colour = behind.get_contrast_text(1)
    return Style(
        color=colour.rich_color if colour else None,
        bgcolor=behind.rich_color if behind else None,
    )


def _parsed(text: str) -> Color | None:
    try:
        found = Color.parse(text)
    except ColorParseError:
        return None
    return found if found.ansi is None or found.ansi >= 0 else None  # the terminal's own default needs no word


def width(line: Iterable[Piece]) -> int:
    """Return how many cells a line takes."""
    return sum(cell_len(text) for text, _ in line)


def fit(line: Iterable[Piece], cells: int, *, right: bool = False, ellipsis: str = "…") -> Line:
    """Return a line of exactly `cells` cells: cut with an ellipsis, or filled with spaces.

    Args:
        line: The pieces.
        cells: How wide.
        right: Fill on the left.
        ellipsis: What stands for what was cut; one cell, or "".
    """
    pieces = [piece for piece in line if piece[0]]
    have = width(pieces)
    if have <= cells:
        gap = ((" " * (cells - have), ""),) if have < cells else ()
        return (*gap, *pieces) if right else (*pieces, *gap)
    if cells <= 0:
        return ()
    kept: list[Piece] = []
    room = cells - cell_len(ellipsis)
    for text, tone in pieces:
        size = cell_len(text)
        if size > room:
            kept.append((set_cell_size(text, max(0, room)) + ellipsis, tone))
            break
        kept.append((text, tone))
        room -= size
    return tuple(kept)


def plain(line: Iterable[Piece]) -> str:
    """Return the text of a line."""
    return "".join(text for text, _ in line)


def text(app: App[object], line: Iterable[Piece]) -> Text:
    """Return a line as rich text in the colours of the app's theme."""
    return Text.assemble(*((part, style(app, tone)) for part, tone in line), no_wrap=True, end="")
