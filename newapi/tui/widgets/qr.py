"""QR codes in half blocks: two modules a character."""

from __future__ import annotations

import segno

_QUIET = 2
"""Modules of margin: the norm says four, and readers do with two, which a screen of 24 lines has room for."""


def half_blocks(text: str) -> list[str]:
    """Return a QR code as lines of `█`, `▀`, `▄` and spaces, where a block is light: to be drawn white on black.

    Args:
        text: What it says; with the least correction of errors, since a screen has none.

    Raises:
        ValueError: It is too long for a QR code.
    """
    code = segno.make(text, error="l", boost_error=False, micro=False)
    rows = [[not bit for bit in row] for row in code.matrix_iter(border=_QUIET)]
    if len(rows) % 2:
        rows.append([True] * len(rows[0]))
    pairs = zip(rows[::2], rows[1::2], strict=True)
    return [
        "".join(" ▄▀█"[upper * 2 + lower] for upper, lower in zip(above, below, strict=True)) for above, below in pairs
    ]
