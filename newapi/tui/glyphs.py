"""The signs that screens draw with: Unicode, or ASCII where the line or the terminal wants it."""

from __future__ import annotations

from msgspec import Struct


class Glyphs(Struct, frozen=True):
    """One set of signs.

    Attributes:
        on, half, resting, off: States: up, half open, resting, disabled.
        ascii: Whether everything else that is drawn should be ASCII too: borders, plots, bars.
    """

    on: str = "●"
    half: str = "◐"
    resting: str = "○"
    off: str = "⏸"
    pause: str = "⏸"
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
