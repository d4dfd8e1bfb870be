"""The ledger of a process that shares balances with others: it spends from parts that it is lent (`relay.escrow`).

What differs from `relay.ledger`: what a token or user has left here is the part that this process was lent and has not
spent, and a request for which that is too little waits until more is lent, or is refused because nothing is free
anywhere. What is settled is told the lender before it is written to the database.

While the lender is away, balances are what the database says, read again every second: nobody is turned away, and
what other processes have in flight, or have settled within that second, may be spent twice.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections import defaultdict
from collections.abc import Callable, Sequence
from concurrent.futures import CancelledError, Future

from newapi.base.errors import CallerError
from newapi.relay.escrow import Account, Away, Known, Lender, Lent, Replay
from newapi.relay.journal import Journal, Leftover
from newapi.relay.ledger import Balances, Ledger, nothing_left, too_little
from newapi.relay.values import Caller, Reservation
from newapi.store.ledger import Settlement


class SharedLedger(Ledger):
    """A ledger over parts of balances. Until `join` it is one over whole balances, as while the lender is away."""

    def __init__(
        self,
        write: Callable[[Sequence[Settlement]], None],
        journal: Journal,
        read: Callable[[], Balances],
        look: Callable[[int], tuple[int | None, int]],
    ) -> None:
        """Prepare.

        Args:
            write: Writes settlements to the database.
            journal: The journal.
            read: Reads the balances of the database.
            look: The same of one token: what is left (None: without limit), and used.
        """
        super().__init__(write, journal)
        self._read = read
        self._look = look
        self._lender: Lender | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self.alone = True
        """Whether balances are the database's, since nobody lends."""
        self._to_be_alone = True
        self._switching = asyncio.Lock()
        self._known: dict[Account, Known] = {}
        self._scarce: set[Account] = set()
        """Accounts near zero: of them nothing is kept that is not needed at this moment."""
        self._locks: defaultdict[Account, asyncio.Lock] = defaultdict(asyncio.Lock)
        self._refusals: dict[Account, tuple[int, int, Lent]] = {}
        """How often a wish was refused, how much the last one was for, and the answer."""
        self._telling: list[str] = []
        """Segments of the journal that are told and still kept."""
        self._told_rows = 0
        """Of the queue's head, how many are told already: a write failed that is tried again."""

    # -- with and without the lender ------------------------------------------------------

    def attach(self, lender: Lender) -> None:
        """Know `lender`, in whose event loop this is called."""
        self._lender, self._loop = lender, asyncio.get_running_loop()

    async def join(self) -> None:
        """Spend from what is lent from now on; called again when the lender was away and is back."""
        await self._become(alone=False)

    async def part(self) -> None:
        """The lender is away: go by what the database says."""
        await self._become(alone=True)

    async def _become(self, *, alone: bool) -> None:
        async with self._switching:
            if self.alone != alone:
                self._to_be_alone = alone
                await asyncio.to_thread(self.load, self._read)

    waits = True

    def account(self, token_id: int) -> tuple[int | None, int]:
        """Return what a token has left and has used, of all processes. Waits for the database: call it in a thread."""
        self.flush()
        return self._look(token_id)

    def give_all_back(self) -> None:
        """Return what was lent and not spent: this process ends."""
        if self.alone or self._lender is None:
            return
        for prefix, lent in (("t", self._tokens), ("u", self._users)):
            for id, left in lent.items():
                if left > 0:
                    self._lender.give_back(f"{prefix}{id}", left)
                    lent[id] = 0

    def _take(self, read: Balances) -> None:
        if self._to_be_alone or self._loop is None:
            super()._take(read)
            self.alone = True
            return
        known = {
            f"{prefix}{id}": Known(left + settled.get(id, 0), settled.get(id, 0), read.version)
            for prefix, lefts, settled in (
                ("t", read.tokens, read.tokens_settled),
                ("u", read.users, read.users_settled),
            )
            for id, left in lefts.items()
        }
        done: Future[None] = Future()

        def swap() -> None:
            try:
                self._swap(read, known)
            except BaseException as error:
                done.set_exception(error)
                raise
            done.set_result(None)

        # In the event loop, where reservations are made: between two of them.
        self._loop.call_soon_threadsafe(swap)
        done.result()

    def _swap(self, read: Balances, known: dict[Account, Known]) -> None:
        assert self._lender is not None  # noqa: S101  (`join` has set it)
        self._known, before = known, self._known
        with self._lock:
            parts: list[dict[int, int]] = []
            for prefix, old, held, lefts in (
                ("t", self._tokens, self._held_tokens, read.tokens),
                ("u", self._users, self._held_users, read.users),
            ):
                new = dict.fromkeys(lefts, 0)
                for id in old.keys() | {id for id, amount in held.items() if amount}:
                    kept = self._carry(before, f"{prefix}{id}", old.get(id, 0), held[id])
                    if id in new:
                        new[id] = kept
                parts.append(new)
            self._tokens, self._users = parts
            self._used = read.tokens_used
            self.alone = False

    def _carry(self, before: dict[Account, Known], account: Account, lent: int, held: int) -> int:
        """Return what is lent from now on of an account: after any change of the database what is under way alone.

        Whoever took from a balance, or corrected what requests cost, is not outdone by what was lent before.
        """
        assert self._lender is not None  # noqa: S101
        now = self._known.get(account)
        if self.alone:  # it has spent from a whole balance: what is under way is taken from what is lent
            if now is not None and held:
                self._lender.overdraw(account, now, held)
            return held
        if now is not None and account in before and before[account].version == now.version:
            return lent
        keep = min(lent, held) if now is not None else 0
        if lent > keep:
            self._lender.give_back(account, lent - keep)
        return keep

    # -- reserve, settle, release --------------------------------------------------------

    async def obtain(self, caller: Caller, amount: int) -> Reservation:
        """Set `amount` quota aside, of what this process is lent, or is lent for it.

        Raises:
            CallerError: 401 or 403, as `Ledger.reserve` says.
        """
        token, user = caller.token.id, caller.user.id
        need = max(1, amount)  # a request for nothing needs a balance above zero all the same
        while not self.alone:
            missing = self._missing(self._tokens, self._held_tokens, token, need)
            account = f"t{token}"
            if not missing:
                missing = self._missing(self._users, self._held_users, user, need)
                account = f"u{user}"
            if not missing:
                self._held_tokens[token] += amount
                self._held_users[user] += amount
                return Reservation(token, user, amount)
            try:
                refused = await self._borrow(account, need)
            except Away:
                await self.part()
                break
            if refused is not None:
                raise _refusal(account, refused.balance, amount)
        return self.reserve(caller, amount)

    def release(self, reservation: Reservation) -> None:
        """Give back what was set aside; see `Ledger.release`."""
        if reservation.open:
            self._close(reservation, "released")
            self._tidy(reservation.token_id, reservation.user_id)

    def settle_soon(self, reservation: Reservation | None, settlement: Settlement) -> None:
        """Charge, and log; see `Ledger.settle_soon`."""
        super().settle_soon(reservation, settlement)
        self._tidy(settlement.token_id, settlement.user_id)

    def _charge(self, settlement: Settlement) -> None:
        if self.alone or settlement.quota >= 0:  # what is given back is everyone's, once it is told
            super()._charge(settlement)

    def recall(self, account: Account) -> int:
        """Return how much of what is lent is not needed: another process needs it, and gets it."""
        lent, held, id = self._of(account)
        self._scarce.add(account)
        free = lent.get(id, 0) - held[id]
        if self.alone or free <= 0:
            return 0
        lent[id] -= free
        return free

    def _tidy(self, token: int, user: int) -> None:
        """Keep what is lent at what is needed: more was spent than that, or less and others need it."""
        if self.alone or self._lender is None:
            return
        for prefix, lent, held, id in (
            ("t", self._tokens, self._held_tokens, token),
            ("u", self._users, self._held_users, user),
        ):
            left = lent.get(id)
            if left is None or (free := left - held[id]) == 0:
                continue
            account = f"{prefix}{id}"
            if free < 0 and account in self._known:
                self._lender.overdraw(account, self._known[account], -free)
                lent[id] = held[id]
            elif free > 0 and account in self._scarce:
                self._lender.give_back(account, free)
                lent[id] = held[id]

    def _of(self, account: Account) -> tuple[dict[int, int], defaultdict[int, int], int]:
        id = int(account[1:])
        if account[0] == "t":
            return self._tokens, self._held_tokens, id
        return self._users, self._held_users, id

    @staticmethod
    def _missing(lent: dict[int, int], held: defaultdict[int, int], id: int, need: int) -> int:
        left = lent.get(id)
        return 0 if left is None else max(0, need - (left - held[id]))

    # -- borrowing -------------------------------------------------------------------------

    async def _borrow(self, account: Account, need: int) -> Lent | None:
        """Wait until `need` of an account is lent and free; return the answer when it is refused.

        Raises:
            Away: Nobody lends.
        """
        refusals = self._refusals.get(account, (0, 0, None))[0]
        async with self._locks[account]:
            lent, held, id = self._of(account)
            missing = self._missing(lent, held, id, need)
            if not missing or self.alone:
                return None
            last = self._refusals.get(account)
            if last is not None and last[0] != refusals and last[1] <= missing:
                return last[2]  # asked while this one waited, for no more
            # Not cut off when the caller hangs up: what is lent has to arrive.
            answer = await asyncio.shield(asyncio.get_running_loop().create_task(self._ask(account, missing)))
            if answer.amount:
                return None
            self._refusals[account] = ((last[0] if last else 0) + 1, missing, answer)
            return answer

    async def _ask(self, account: Account, missing: int) -> Lent:
        known = self._known.get(account)
        if known is None or self._lender is None:  # without limit since just now
            return Lent(0, 0)
        answer = await self._lender.lend(account, known, missing)
        if answer.amount:
            lent, _, id = self._of(account)
            if id in lent and not self.alone:
                lent[id] += answer.amount
                (self._scarce.discard if answer.amount > missing else self._scarce.add)(account)
            else:
                self._lender.give_back(account, answer.amount)
        return answer

    # -- telling what is settled -----------------------------------------------------------

    def _bury(self, leftovers: Sequence[Leftover], began: float) -> None:
        replays: list[Replay] = []
        for leftover in leftovers:  # by segment: one of them may have been told by the dead, and another not
            sums: defaultdict[Account, int] = defaultdict(int)
            for s in leftover.settlements:
                sums[f"t{s.token_id}"] += s.quota
                sums[f"u{s.user_id}"] += s.quota
            replays.append(Replay(leftover.owner, leftover.segment, dict(sums)))
        charged = {s.record.request_id: s.quota for leftover in leftovers for s in leftover.settlements}
        if self._lender is not None:
            with contextlib.suppress(Away, TimeoutError, CancelledError):  # the database says it when it is back
                self._lender.bury(replays, charged, began)

    def _tell(self, batch: Sequence[Settlement], segments: Sequence[str]) -> None:
        fresh = batch[self._told_rows :]
        self._told_rows = len(batch)
        new = [name for name in segments if name not in self._telling]
        first, self._telling = not self._telling, [*segments]
        if fresh:
            self._spend(new, self._sums(fresh, gained=False), first=first)

    def _told(self, batch: Sequence[Settlement]) -> None:
        self._told_rows = 0
        telling, self._telling = self._telling, []
        # A balance is never believed to be more than the database says: what gives back is told afterwards.
        if gained := self._sums(batch, gained=True):
            self._spend([f"{name}+" for name in telling], gained, first=False)

    def _spend(self, segments: Sequence[str], sums: dict[Account, int], *, first: bool) -> None:
        if not self.alone and self._lender is not None:
            with contextlib.suppress(Away, TimeoutError, CancelledError):  # the database says it when it is back
                self._lender.spend(segments, sums, first=first)

    def _sums(self, batch: Sequence[Settlement], *, gained: bool) -> dict[Account, int]:
        sums: defaultdict[Account, int] = defaultdict(int)
        for s in batch:
            if (s.quota < 0) == gained and s.quota:
                if s.token_id in self._tokens:
                    sums[f"t{s.token_id}"] += s.quota
                if s.user_id in self._users:
                    sums[f"u{s.user_id}"] += s.quota
        return dict(sums)


def _refusal(account: Account, balance: int, amount: int) -> CallerError:
    if account[0] == "u":
        return too_little("the owner of this token", balance, amount, "insufficient_user_quota")
    if balance <= 0:
        return nothing_left()
    return too_little("this token", balance, amount, "pre_consume_token_quota_failed")
