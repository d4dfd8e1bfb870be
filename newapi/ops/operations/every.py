"""Every operation there is. Who wants one of them imports its own module: some of the others are slow to import."""

from __future__ import annotations

from typing import Any

from newapi.ops.operations import Operation, board, channels, kept, notices, reading, tokens, users, whole

ALL: tuple[type[Operation[Any]], ...] = (
    *tokens.OPERATIONS,
    *users.OPERATIONS,
    *channels.OPERATIONS,
    *reading.OPERATIONS,
    *kept.OPERATIONS,
    *board.OPERATIONS,
    *whole.OPERATIONS,
    *notices.OPERATIONS,
)
"""In no order that means anything."""
