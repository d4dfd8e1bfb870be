"""Balances while requests are under way: reserve before the call, settle or release after it, exactly once.

Balances live in memory, since no request may wait for a database. A settlement is a line in the journal (2 µs) before
it is anything else; a thread takes what has gathered, writes it to the database in one transaction and drops the
journal's segment. What a killed process left behind is written at the next start; a request that is
written already is not written twice.
"""

from __future__ import annotations

import logging
import threading
import time
from collections import defaultdict
from collections.abc import Callable, Sequence
from typing import Literal

from msgspec import Struct

from newapi.base.errors import CallerError
from newapi.base.units import usd
from newapi.relay.journal import Journal, Leftover
from newapi.relay.values import Caller, Reservation
from newapi.store.ledger import Settlement

FLUSH_SECONDS = 0.1
"""How long a settlement may wait for company before it is written to the database."""
SYNC_SECONDS = 0.02
"""How much of the journal a power cut may cost."""

log = logging.getLogger("newapi")


class Balances(Struct):
    """What the database says: quota by id.

    Attributes:
        tokens, users: What limited ones have left.
        tokens_used: What tokens have used.
        tokens_settled, users_settled: Of what was granted, what requests took.
        version: The epoch of the configuration it was read at.
    """

    tokens: dict[int, int]
    users: dict[int, int]
    tokens_used: dict[int, int] = {}
    tokens_settled: dict[int, int] = {}
    users_settled: dict[int, int] = {}
    version: int = 0


class Ledger:
    """What every token and user has left, less what is reserved, less what is settled and not yet written."""

    def __init__(self, write: Callable[[Sequence[Settlement]], None], journal: Journal) -> None:
        """Take `write`, which puts settlements into the database in one transaction, and the journal."""
        self._write = write
        self._journal = journal
        self._tokens: dict[int, int] = {}
        self._users: dict[int, int] = {}
        self._used: dict[int, int] = {}
        self._held_tokens: defaultdict[int, int] = defaultdict(int)
        self._held_users: defaultdict[int, int] = defaultdict(int)
        self._queue: list[Settlement] = []
        self._batch: list[Settlement] = []
        """What is being written at this moment."""
        self._lock = threading.Lock()
        self._writing = threading.Lock()
        self._work = threading.Event()
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="ledger", daemon=True)
        self.failures = 0
        """Batches that the database refused since the last success; they stay in the journal and are tried again."""

    @property
    def waiting(self) -> int:
        """How many settlements are not in the database yet."""
        return len(self._queue) + len(self._batch)

    @property
    def oldest(self) -> float | None:
        """When the request ended (unix seconds) that has waited longest to be in the database; None when none waits."""
        with self._lock:
            first = self._batch or self._queue
            return first[0].record.created_at if first else None

    @property
    def journal_bytes(self) -> int:
        """What the journal holds."""
        return self._journal.size

    def start(self) -> None:
        """Write what a killed process left in its journal, then begin to write in the background."""
        self.recover()
        self._thread.start()

    def recover(self) -> None:
        """Write what killed processes left in their journals. Waits for the database: call it in a thread.

        Raises:
            StoreError: It cannot be written; it stays where it is.
        """
        with self._writing:
            began = time.time()
            leftovers = self._journal.recover()
            left = [s for leftover in leftovers for s in leftover.settlements]
            try:
                self._bury(leftovers, began)
                if left:
                    self._write(left)
            except BaseException:
                self._journal.not_recovered()
                raise
            self._journal.recovered()

    def stop(self) -> None:
        """Write everything that is settled, then stop."""
        self._stopping.set()
        self._work.set()
        if self._thread.is_alive():
            self._thread.join()
        self._journal.close()

    # -- balances ------------------------------------------------------------------

    @property
    def reserved(self) -> int:
        """Quota that is set aside for the requests under way in this process."""
        return sum(self._held_tokens.values())

    def load(self, read: Callable[[], Balances]) -> None:
        """Take over the balances of the database, as `read` returns them.

        Called from a thread. Writing waits meanwhile, so that a settlement is in the database or in the queue, not in
        neither and not in both.
        """
        with self._writing:
            # First, since a write that seemed to fail may be in the database all the same, and would count twice.
            self._write_queue()
            self._take(read())

    def _take(self, read: Balances) -> None:
        """Make what was read, less what is not written yet, the balances in force."""
        tokens, users, used = read.tokens, read.users, read.tokens_used
        with self._lock:
            for s in self._queue:
                if s.token_id in tokens:
                    tokens[s.token_id] -= s.quota
                if s.user_id in users:
                    users[s.user_id] -= s.quota
                used[s.token_id] = used.get(s.token_id, 0) + s.quota
            self._tokens, self._users, self._used = tokens, users, used

    async def obtain(self, caller: Caller, amount: int) -> Reservation:
        """Set `amount` quota aside; see `reserve`. Where processes share balances it may have to be asked for."""
        return self.reserve(caller, amount)

    def reserve(self, caller: Caller, amount: int) -> Reservation:
        """Set `amount` quota aside.

        Raises:
            CallerError: 401, the token has nothing left, as if it were none; 403, it has, or its owner has, too little.
        """
        token, user = caller.token.id, caller.user.id
        left = self._tokens.get(token)
        if left is not None:
            if left <= 0:
                raise nothing_left()
            left -= self._held_tokens[token]
            if left < amount or left <= 0:
                raise too_little("this token", left, amount, "pre_consume_token_quota_failed")
        left = self._users.get(user)
        if left is not None:
            left -= self._held_users[user]
            if left < amount or left <= 0:
                raise too_little("the owner of this token", left, amount, "insufficient_user_quota")
        self._held_tokens[token] += amount
        self._held_users[user] += amount
        return Reservation(token, user, amount)

    waits = False
    """Whether `account` waits for the database, and is to be called in a thread."""

    def account(self, token_id: int) -> tuple[int | None, int]:
        """Return the quota that a token has left (None: without limit), and what it has used."""
        return self._tokens.get(token_id), self._used.get(token_id, 0)

    def release(self, reservation: Reservation) -> None:
        """Give back what was set aside; nothing is charged. Does nothing once it is settled or released."""
        if reservation.open:
            self._close(reservation, "released")

    def _close(self, reservation: Reservation, state: Literal["settled", "released"]) -> None:
        reservation.state = state
        self._held_tokens[reservation.token_id] -= reservation.amount
        self._held_users[reservation.user_id] -= reservation.amount

    def settle_soon(self, reservation: Reservation | None, settlement: Settlement) -> None:
        """Charge, and log. Does not wait: a client that hung up has cancelled whoever calls this.

        With a reservation it counts once: a second settlement of it is dropped.
        """
        if reservation is not None:
            if not reservation.open:
                return
            self._close(reservation, "settled")
        with self._lock:
            self._queue.append(settlement)
            try:
                self._journal.append(settlement)
            except OSError as error:
                # The disk is full: it is charged all the same, from memory, as long as this process lives.
                log.error("the journal cannot be written: %s", error)
            self._charge(settlement)
            self._used[settlement.token_id] = self._used.get(settlement.token_id, 0) + settlement.quota
        if not self._work.is_set():
            self._work.set()

    def _charge(self, settlement: Settlement) -> None:
        if settlement.token_id in self._tokens:
            self._tokens[settlement.token_id] -= settlement.quota
        if settlement.user_id in self._users:
            self._users[settlement.user_id] -= settlement.quota

    def flush(self) -> None:
        """Write what is settled to the database now. Waits for it: call it in a thread."""
        self._flush()

    # -- the writer ----------------------------------------------------------------------

    def _run(self) -> None:
        while not self._stopping.is_set():
            self._work.wait()  # while nothing is settled there is nothing to do
            self._work.clear()
            for _ in range(round(FLUSH_SECONDS / SYNC_SECONDS)):
                if self._stopping.wait(SYNC_SECONDS):
                    break
                self._sync()
            self._flush()
        self._flush()

    def _sync(self) -> None:
        with self._writing:  # a segment that `flush` is about to drop is not to be closed meanwhile
            try:
                self._journal.sync()
            except OSError as error:
                log.error("the journal cannot be synced: %s", error)

    def _flush(self) -> None:
        with self._writing:
            self._write_queue()

    def _write_queue(self) -> None:
        with self._lock:
            batch = self._batch = self._queue
            self._queue = []
            segment = self._journal.rotate() if batch else None
        if not batch:
            return
        try:
            self._tell(batch, [path.stem for path in segment or ()])
            self._write(batch)
        except Exception as error:  # noqa: BLE001  (whatever the database says: the money is in journal and queue)
            if not self.failures:
                log.warning("cannot write to the database, and will try again: %s", error)
            self.failures += 1
            with self._lock:
                self._queue[:0] = batch
                self._batch = []
            self._work.set()
            return
        self.failures = 0
        with self._lock:
            self._batch = []
        self._told(batch)
        if segment is not None:
            self._journal.drop(segment)

    def _bury(self, leftovers: Sequence[Leftover], began: float) -> None:
        """Say what is about to be written of what processes left that died before `began` (Unix seconds)."""

    def _tell(self, batch: Sequence[Settlement], segments: Sequence[str]) -> None:
        """Say what is about to be written, where other processes have to know first."""

    def _told(self, batch: Sequence[Settlement]) -> None:
        """Say that it is written."""


def nothing_left() -> CallerError:
    """Return the refusal of a token that is used up."""
    return CallerError("This token has nothing left", status=401, code="token_exhausted", type="insufficient_quota")


def too_little(who: str, left: int, amount: int, code: str) -> CallerError:
    """Return the refusal of a request for which `who` has too little left."""
    return CallerError(
        f"{who[0].upper()}{who[1:]} has {usd(left)} left, and this request may need {usd(amount)}",
        status=403,
        code=code,
        type="insufficient_quota",
    )
