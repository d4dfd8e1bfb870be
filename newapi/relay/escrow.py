"""Balances that several processes spend from: each is lent a part of one, and spends from that without asking.

What a balance is, is the database's to say: what was granted in all (what is left and what requests took, one row; no
settlement changes the sum) less what requests took. A process that serves the first request of an account borrows a
part, reserves and settles against it in memory, and comes back when it is used up. So an account far from zero costs
no round trip, and one near zero costs one a request.

**The invariant**: granted - settled >= the sum of what is lent, unless requests cost more than was reserved for them or
the grant itself was cut; a process reserves no more than what it is lent and has not spent. So a balance falls below
zero by no more than what requests under way cost beyond their reservations, however many processes serve it.

It holds through a `kill -9`: what the dead process was lent stays lent until its journal was replayed (what it had
settled is known then, and the rest is free again), or until nobody came to replay it for `HOLD_SECONDS`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol

from msgspec import Struct

PART = 8
"""A process is lent at most one part in so many of what is free, or what it needs now."""
HOLD_SECONDS = 60.0
"""How long what a process was lent stays lent after its death, for its journal to be replayed."""

Account = str
"""`t<token id>` or `u<user id>`."""


class Known(Struct, frozen=True, array_like=True):
    """What a process read in the database of an account.

    Attributes:
        granted: Quota that is left and that requests have taken, together.
        settled: What requests had taken when it was read; what is not yet written is missing.
        version: The epoch of the configuration it was read at: a greater one is newer.
    """

    granted: int
    settled: int
    version: int


class Lent(Struct, frozen=True, array_like=True):
    """An answer to a wish: what was lent, 0 if there is not enough; and the balance as it is, lent parts included."""

    amount: int
    balance: int


class Away(Exception):
    """What the processes share cannot be reached."""


class Replay(Struct, frozen=True, array_like=True):
    """What a segment of a dead process's journal held: whose it was, and what each account was charged in it."""

    owner: str
    segment: str
    sums: Mapping[Account, int]


class Lender(Protocol):
    """Lends parts of balances to this process."""

    async def lend(self, account: Account, known: Known, need: int) -> Lent:
        """Lend at least `need` quota; where that is not free, others are asked to give back what they do not need.

        Raises:
            Away: Nobody can be asked.
        """
        ...

    def give_back(self, account: Account, amount: int) -> None:
        """Return a part of what was lent. Does not wait."""
        ...

    def overdraw(self, account: Account, known: Known, amount: int) -> None:
        """Take what was spent beyond what was lent. Does not wait, and cannot be refused."""
        ...

    def spend(self, segments: Sequence[str], sums: Mapping[Account, int], *, first: bool) -> None:
        """Say what was settled, before it is written to the database. Waits: called in a thread.

        Args:
            segments: The parts of the journal that hold it: a replay of them does not count again.
            sums: What each account was charged; negative gives back.
            first: No older part of the journal is kept any more.

        Raises:
            Away: Nobody can be told.
        """
        ...

    def bury(self, replays: Sequence[Replay], charged: Mapping[str, int], began: float) -> None:
        """Say what dead processes had settled, before it is written to the database. Waits: called in a thread.

        What those were lent that died before `began` (Unix seconds, before their journals were read) is free then.

        Args:
            replays: What was in their journals.
            charged: The same: each request's quota by its id.
            began: When their journals were read.

        Raises:
            Away: Nobody can be told.
        """
        ...


class _Balance:
    __slots__ = ("granted", "lent", "settled", "version")

    def __init__(self, known: Known) -> None:
        self.granted, self.settled, self.version = known.granted, known.settled, known.version
        self.lent: dict[str, int] = {}

    @property
    def free(self) -> int:
        return self.granted - self.settled - sum(self.lent.values())


class Escrow:
    """What is lent to whom, in memory."""

    def __init__(self) -> None:
        self._balances: dict[Account, _Balance] = {}
        self._segments: dict[str, set[str]] = {}

    def lend(self, owner: str, account: Account, known: Known, need: int) -> Lent:
        """Lend `owner` at least `need`, and a part of what is free if that is more; or nothing."""
        balance = self._learn(account, known)
        free = balance.free
        amount = max(need, free // PART) if free >= need else 0
        if amount:
            balance.lent[owner] = balance.lent.get(owner, 0) + amount
        return Lent(amount, balance.granted - balance.settled)

    def give_back(self, owner: str, account: Account, amount: int) -> None:
        """Take back a part of what `owner` was lent."""
        self._change(owner, account, -amount)

    def overdraw(self, owner: str, account: Account, known: Known, amount: int) -> None:
        """Lend what is spent already."""
        self._learn(account, known)
        self._change(owner, account, amount)

    def spend(self, owner: str, segments: Sequence[str], sums: Mapping[Account, int], *, first: bool) -> None:
        """Count what `owner` settled; not what a replay of the same segments says again."""
        told = self._segments.setdefault(owner, set())
        if not told.isdisjoint(segments):
            return
        if first:
            told.clear()
        told.update(segments)
        for account, quota in sums.items():
            if balance := self._balances.get(account):
                balance.settled += quota
                if quota > 0:  # what was given back was not lent to anyone
                    self._change(owner, account, -quota)

    def borrowers(self, account: Account) -> list[str]:
        """Return who is lent a part of an account."""
        balance = self._balances.get(account)
        return list(balance.lent) if balance else []

    def forget(self, owner: str) -> None:
        """Take back whatever `owner` was lent."""
        self._segments.pop(owner, None)
        for balance in self._balances.values():
            balance.lent.pop(owner, None)

    def _learn(self, account: Account, known: Known) -> _Balance:
        balance = self._balances.get(account)
        if balance is None:
            balance = self._balances[account] = _Balance(known)
        elif known.version >= balance.version:
            balance.granted, balance.version = known.granted, known.version
            # A settlement is told before it is written, so this is greater only where it was not told.
            balance.settled = max(balance.settled, known.settled)
        return balance

    def _change(self, owner: str, account: Account, by: int) -> None:
        balance = self._balances.get(account)
        if balance is None:
            return
        lent = balance.lent.get(owner, 0) + by
        if lent > 0:
            balance.lent[owner] = lent
        else:
            balance.lent.pop(owner, None)
