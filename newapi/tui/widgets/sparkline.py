"""Small plots of one line: the last minutes in a cell of a table."""

from __future__ import annotations

import math
from collections.abc import Sequence

from newapi.tui.widgets.plot import resample

_BLOCKS = "▁▂▃▄▅▆▇"
"""Not the full one: with the line above it would be one area."""
_LETTERS = "_.-=+*#@"


def sparkline(
    values: Sequence[float | None], width: int, *, top: float | None = None, ascii: bool = False, gap: str = " "
) -> str:
    """Return `width` characters, one a value (or a mean of several): from the lowest block, 0, to the highest.

    Args:
        values: From the oldest to now, 0 or more; None is a gap. Fewer than `width` stand at the right.
        width: Characters.
        top: What fills a block; the largest of the values when None.
        ascii: Draw with letters.
        gap: What stands where nothing is known.
    """
    signs = _LETTERS if ascii else _BLOCKS
    known = [None if v is None or not math.isfinite(v) else v for v in values]
    shown = resample(known, width) if len(known) > width else [*[None] * (width - len(known)), *known]
    highest = top if top is not None else max((v for v in shown if v is not None), default=0)
    last = len(signs) - 1
    return "".join(
        gap
        if v is None
        else signs[0]
        if highest <= 0 or v <= 0
        else signs[min(last, max(1, round(v / highest * last)))]
        for v in shown
    )
