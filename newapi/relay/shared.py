"""What processes of a gateway share, as one of them sees it: a hub's client, or one of Valkey."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from newapi.relay.bus import Bus
from newapi.relay.escrow import Account, Lender
from newapi.relay.limits import LimitCounts


class Shared(LimitCounts, Lender, Bus, Protocol):
    """Limits, balances and messages across processes.

    While it cannot be reached nobody is turned away for that: limits are counted by this process alone, a balance is
    what the database says it is, and messages reach this process only. It is said once in the log, and tried again.

    Attributes:
        recall: Asked what of an account's part is not needed, which is then given back.
        changed: Told when it is reached again (True), and when it is not any more (False).
    """

    recall: Callable[[Account], int]
    changed: Callable[[bool], None]

    @property
    def connected(self) -> bool:
        """Whether it is reached."""
        ...

    async def start(self) -> None:
        """Connect, and stay connected until `stop`. Returns once it is connected, or was tried in vain."""
        ...

    async def stop(self) -> None:
        """Disconnect; what was said before still arrives."""
        ...
