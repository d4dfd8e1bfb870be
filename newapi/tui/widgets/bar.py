"""Bars: how much of something is used."""

from __future__ import annotations

import math

from newapi.tui.widgets.tones import Line

WARN, FULL = 0.8, 1.0
"""Shares from which a bar has the tone of a warning, and of an error."""


def bar(share: float | None, width: int, *, tone: str = "", ascii: bool = False) -> Line:
    """Return a bar of `width` cells, filled for `share` of 1.

    Args:
        share: What is used; below 0 counts as 0, above 1 as 1. None is a bar of something without an end.
        width: Cells.
        tone: Its colour; "" goes from good over warn (80 %) to bad (all of it).
        ascii: Draw with letters.
    """
    if width < 1:
        return ()
    if share is None or math.isnan(share):
        return (("." * width if ascii else "┄" * width, "dim"),)
    share = min(1.0, max(0.0, share))
    tone = tone or ("bad" if share >= FULL else "warn" if share >= WARN else "good")
    if ascii:
        full = _filled(share, width)
        line = (("#" * full, tone), ("." * (width - full), "dim"))
    else:
        full, half = divmod(_filled(share, width * 2), 2)
        line = (("━" * full + "╸" * half, tone), ("─" * (width - full - half), "dim"))
    return tuple(piece for piece in line if piece[0])


def _filled(share: float, steps: int) -> int:
    """Return how many of the steps are filled: none only for nothing, all only for everything."""
    if share <= 0:
        return 0
    return steps if share >= 1 else min(steps - 1, max(1, round(share * steps)))
