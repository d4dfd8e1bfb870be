"""What processes of a gateway share, as one of them sees it: a hub's client, or one of Valkey.

While what they share cannot be reached nobody is turned away for that: limits are counted by this process alone, a
balance is what the database says it is, and messages reach this process only. It is said once in the log, and tried
again.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from newapi.base.standing import Standing
from newapi.relay.bus import LocalBus, Receive
from newapi.relay.escrow import Account, Away, Known, Lent, Replay
from newapi.relay.limits import Holder, Key, Limiter, LimitReached, Spent

BACKOFF = (0.05, 0.1, 0.2, 0.5, 1.0)
"""Seconds between attempts to connect again; the last one from then on."""


def backoff(attempt: int) -> float:
    """Return how long to wait before an attempt, the first being 0."""
    return BACKOFF[min(attempt, len(BACKOFF) - 1)]


class Shared:
    """Limits (`LimitCounts`), balances (`Lender`) and messages (`Bus`) across processes. Belongs to one event loop.

    Attributes:
        recall: Asked what of an account's part is not needed, which is then given back.
        changed: Told when what is shared is reached again (True), and when it is not any more (False).
    """

    def __init__(self, clock: Callable[[], float]) -> None:
        """Take the clock: Unix seconds."""
        self.recall: Callable[[Account], int] = lambda _: 0
        self.changed: Callable[[bool], None] = lambda _: None
        self._alone = Limiter(clock)
        self._alone_tickets: set[str] = set()
        self._bus = LocalBus()

    @property
    def connected(self) -> bool:
        """Whether what is shared is reached."""
        raise NotImplementedError

    async def start(self) -> None:
        """Connect, and stay connected until `stop`. Returns once it is connected, or was tried in vain."""
        raise NotImplementedError

    async def stop(self) -> None:
        """Disconnect; what was said before still arrives."""
        raise NotImplementedError

    # -- limits ------------------------------------------------------------------------

    async def enter(self, ticket: str, holders: Sequence[Holder], tokens: int, quota: int) -> Standing:
        """Let a request in; see `LimitCounts.enter`."""
        try:
            return await self._enter(ticket, holders, tokens, quota)
        except Away:
            self._alone_tickets.add(ticket)
        try:
            return await self._alone.enter(ticket, holders, tokens, quota)
        except LimitReached:
            self._alone_tickets.discard(ticket)
            raise

    def leave(self, ticket: str, tokens: int, quota: int) -> None:
        """Take note of what a request took; see `LimitCounts.leave`."""
        if ticket in self._alone_tickets:
            self._alone_tickets.discard(ticket)
            self._alone.leave(ticket, tokens, quota)
        else:
            self._leave(ticket, tokens, quota)

    def learn(self, key: Key, spent: Spent) -> None:
        """Take note of money spent; see `LimitCounts.learn`."""
        self._alone.learn(key, spent)
        self._learn(key, spent)

    async def _enter(self, ticket: str, holders: Sequence[Holder], tokens: int, quota: int) -> Standing:
        """Raises LimitReached, and Away."""
        raise NotImplementedError

    def _leave(self, ticket: str, tokens: int, quota: int) -> None:
        raise NotImplementedError

    def _learn(self, key: Key, spent: Spent) -> None:
        raise NotImplementedError

    # -- balances ----------------------------------------------------------------------

    async def lend(self, account: Account, known: Known, need: int) -> Lent:
        """Lend a part of a balance; see `Lender.lend`."""
        raise NotImplementedError

    def give_back(self, account: Account, amount: int) -> None:
        """Return a part of what was lent."""
        raise NotImplementedError

    def overdraw(self, account: Account, known: Known, amount: int) -> None:
        """Take what was spent beyond what was lent."""
        raise NotImplementedError

    def spend(self, segments: Sequence[str], sums: Mapping[Account, int], *, first: bool) -> None:
        """Say what was settled; see `Lender.spend`. Waits: called in a thread."""
        raise NotImplementedError

    def bury(self, replays: Sequence[Replay], charged: Mapping[str, int], began: float) -> None:
        """Say what dead processes had settled; see `Lender.bury`. Waits: called in a thread."""
        raise NotImplementedError

    # -- the bus -----------------------------------------------------------------------

    def publish(self, topic: str, message: bytes) -> None:
        """Tell everyone who listens to `topic`, here and in the other processes; see `Bus.publish`."""
        self._bus.publish(topic, message)
        self._publish(topic, message)

    def subscribe(self, topic: str, receive: Receive) -> Callable[[], None]:
        """Call `receive` with each message of `topic`; see `Bus.subscribe`."""
        return self._bus.subscribe(topic, receive)

    def _publish(self, topic: str, message: bytes) -> None:
        raise NotImplementedError
