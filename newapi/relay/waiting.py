"""Requests that wait, shortly, for a place at a channel."""

from __future__ import annotations

import asyncio

MOST = 500
"""So many may wait in a process; one more is refused at once."""
_LOOK_AGAIN = 0.5
"""Seconds after which one looks again by itself: another process may have given a place back."""


class Waiting:
    """A queue without an order of merit: who has waited the longest looks first when a place is given back."""

    def __init__(self) -> None:
        self._waiting: dict[asyncio.Future[None], None] = {}
        """Those who wait, in the order in which they came."""

    @property
    def full(self) -> bool:
        """Whether nobody else may wait."""
        return len(self._waiting) >= MOST

    async def wait(self, seconds: float) -> None:
        """Return when a place was given back, or after `seconds`, or when it is time to look again."""
        turn = asyncio.get_running_loop().create_future()
        self._waiting[turn] = None
        try:
            async with asyncio.timeout(min(seconds, _LOOK_AGAIN)):
                await turn
        except TimeoutError:
            pass
        except asyncio.CancelledError:
            if turn.done() and not turn.cancelled():
                self.freed()  # it was its turn, and it is gone: the next one may look
            raise
        finally:
            self._waiting.pop(turn, None)

    def freed(self) -> None:
        """Let the next one look."""
        for turn in self._waiting:
            if not turn.done():
                turn.set_result(None)
                return
