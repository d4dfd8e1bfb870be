"""Requests that wait, shortly, for a place at a channel."""

from __future__ import annotations

import asyncio
from collections import deque

MOST = 500
"""So many may wait in a process; one more is refused at once."""
_LOOK_AGAIN = 0.5
"""Seconds after which one looks again by itself: another process may have given a place back."""


class Waiting:
    """A queue without an order of merit: who has waited the longest looks first when a place is given back."""

    def __init__(self) -> None:
        self._waiting: deque[asyncio.Future[None]] = deque()
        self._count = 0

    @property
    def full(self) -> bool:
        """Whether nobody else may wait."""
        return self._count >= MOST

    async def wait(self, seconds: float) -> None:
        """Return when a place was given back, or after `seconds`, or when it is time to look again."""
        turn = asyncio.get_running_loop().create_future()
        self._waiting.append(turn)
        self._count += 1
        try:
            async with asyncio.timeout(min(seconds, _LOOK_AGAIN)):
                await turn
        except TimeoutError:
            pass
        finally:
            self._count -= 1
            if not turn.done():
                turn.cancel()

    def freed(self) -> None:
        """Let the next one look."""
        while self._waiting:
            turn = self._waiting.popleft()
            if not turn.done():
                turn.set_result(None)
                return
