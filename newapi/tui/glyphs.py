"""The signs that screens draw with: Unicode, or ASCII where the line or the terminal wants it."""

from __future__ import annotations

import unicodedata
from functools import cache

from msgspec import Struct
from rich.segment import Segment
from textual.color import Color
from textual.filter import LineFilter


class Glyphs(Struct, frozen=True):
    """One set of signs.

    Attributes:
        on, half, resting, off: States: up, half open, resting, disabled.
        ascii: Whether everything else that is drawn should be ASCII too: borders, plots, bars.
    """

    on: str = "●"
    half: str = "◐"
    resting: str = "○"
    off: str = "‖"
    pause: str = "‖"
    mark: str = "▶"
    arrow: str = "→"
    bar: str = "█"
    rest: str = "░"
    up: str = "▲"
    down: str = "▼"
    warning: str = "▲"
    ascii: bool = False


UNICODE = Glyphs()
ASCII = Glyphs("*", "%", "o", "-", "||", ">", "->", "#", ".", "^", "v", "!", ascii=True)

_FIGURES = {
    **dict.fromkeys("…", "~"),
    **dict.fromkeys("–—─━┄╌╴╸╺═‐", "-"),
    **dict.fromkeys("│┃┆║▏▕▎▊", "|"),
    **dict.fromkeys("┌┐└┘╭╮╰╯├┤┬┴┼╋", "+"),
    **dict.fromkeys("×✕✗", "x"),
    **dict.fromkeys("●•·", "*"),
    **dict.fromkeys("→▶▸►", ">"),
    **dict.fromkeys("←◀◂◄", "<"),
    **dict.fromkeys("↑▲▴", "^"),
    **dict.fromkeys("↓▼▾", "v"),
    **dict.fromkeys("█▀▄▌▐▇▆▅", "#"),
    **dict.fromkeys("▁▂▃░▒", "."),
    **dict.fromkeys("“”„", '"'),
    **dict.fromkeys("‘’", "'"),
    "✓": "+",
    "⏎": "=",
    "∞": "8",
}
_FIGURE = "SP"
"""Categories of Unicode: signs and punctuation. Letters are what people wrote, and stay."""


@cache
def _of(sign: str) -> str:
    if sign.isascii() or (unicodedata.category(sign)[0] not in _FIGURE and sign != "\xa0"):
        return sign
    if unicodedata.east_asian_width(sign) in "WF":
        return sign  # as wide as two: of what people wrote
    return " " if sign == "\xa0" else _FIGURES.get(sign, "?")


class InAscii(LineFilter):
    """Draws signs in ASCII, whoever drew them: the toolkit has borders, scrollbars and names of keys of its own."""

    def apply(self, segments: list[Segment], background: Color) -> list[Segment]:
        """Return the segments of a line with every sign in ASCII; none gets wider or narrower."""
        return [
            segment
            if segment.text.isascii()
            else Segment("".join(map(_of, segment.text)), segment.style, segment.control)
            for segment in segments
        ]
