"""Money under way: nothing is charged twice, nothing is lost, nothing stays set aside."""

from __future__ import annotations

import errno
import threading
from collections.abc import Iterator, Sequence
from decimal import Decimal
from pathlib import Path
from queue import Queue
from tempfile import TemporaryDirectory

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, consumes, invariant, multiple, rule

from newapi.base.errors import CallerError, StoreError
from newapi.relay.journal import Journal
from newapi.relay.ledger import FLUSH_SECONDS, SYNC_SECONDS, Balances, Ledger
from newapi.relay.values import Caller, Reservation
from newapi.store.ledger import Settlement, UsageRecord
from tests.relay.world import token, user

START = 1000


class Bank:
    """The database: charges a request once, as `store.ledger.write_batch` does; refuses while it is `down`."""

    def __init__(self, tokens: dict[int, int], users: dict[int, int]) -> None:
        self.tokens, self.users = dict(tokens), dict(users)
        self.used: dict[int, int] = {}
        self.rows: dict[str, Settlement] = {}
        self.down = False
        self.commits_and_fails = False

    def write(self, batch: Sequence[Settlement]) -> None:
        if self.down:
            raise StoreError("away")
        for s in batch:
            if s.record.request_id in self.rows:
                continue
            self.rows[s.record.request_id] = s
            if s.token_id in self.tokens:
                self.tokens[s.token_id] -= s.quota
            if s.user_id in self.users:
                self.users[s.user_id] -= s.quota
            self.used[s.token_id] = self.used.get(s.token_id, 0) + s.quota
        if self.commits_and_fails:
            raise StoreError("the connection broke after the commit")

    def read(self) -> Balances:
        return Balances(dict(self.tokens), dict(self.users), dict(self.used))


def caller(token_id: int = 1, user_id: int = 1) -> Caller:
    return Caller(token(token_id, user_id=user_id), user(user_id), "default", Decimal(1))


def settlement(id: str, quota: int, token_id: int = 1, user_id: int = 1) -> Settlement:
    return Settlement(UsageRecord(request_id=id, created_at=1.0, quota=quota), token_id, user_id, 1, quota)


class Fixture:
    def __init__(self, directory: Path, tokens: dict[int, int], users: dict[int, int]) -> None:
        self.bank = Bank(tokens, users)
        self.journal = Journal(directory)
        self.ledger = Ledger(self.bank.write, self.journal)
        self.ledger.load(self.bank.read)


@pytest.fixture
def it(tmp_path: Path) -> Iterator[Fixture]:
    made = Fixture(tmp_path, {1: START}, {1: START})
    yield made
    made.journal.close()


# -- reserve, settle, release ----------------------------------------------------------------


@pytest.mark.parametrize(
    ("tokens", "users", "amount", "status", "code"),
    [
        ({1: 0}, {1: 9}, 1, 401, "token_exhausted"),
        ({1: -5}, {1: 9}, 0, 401, "token_exhausted"),
        ({1: 5}, {1: 9}, 6, 403, "pre_consume_token_quota_failed"),
        ({1: 9}, {1: 5}, 6, 403, "insufficient_user_quota"),
        ({1: 9}, {1: 0}, 0, 403, "insufficient_user_quota"),
        ({}, {1: 0}, 1, 403, "insufficient_user_quota"),
    ],
)
def test_who_has_too_little(
    tmp_path: Path, tokens: dict[int, int], users: dict[int, int], amount: int, status: int, code: str
) -> None:
    ledger = Fixture(tmp_path, tokens, users).ledger
    with pytest.raises(CallerError) as caught:
        ledger.reserve(caller(), amount)
    assert (caught.value.status, caught.value.code) == (status, code)


def test_a_refused_reservation_sets_nothing_aside(tmp_path: Path) -> None:
    ledger = Fixture(tmp_path, {1: 10}, {1: 5}).ledger
    with pytest.raises(CallerError):
        ledger.reserve(caller(), 6)
    assert ledger.reserve(caller(), 5).open


def test_all_of_it_may_be_reserved_and_then_no_more(it: Fixture) -> None:
    first = it.ledger.reserve(caller(), START)
    with pytest.raises(CallerError) as caught:
        it.ledger.reserve(caller(), 1)
    assert caught.value.status == 403
    it.ledger.release(first)
    it.ledger.release(first)  # once is all
    assert it.ledger.reserve(caller(), START).open


def test_without_limits_nothing_is_refused(tmp_path: Path) -> None:
    ledger = Fixture(tmp_path, {}, {}).ledger
    assert ledger.reserve(caller(), 10**15).open
    assert ledger.account(1) == (None, 0)


def test_a_second_settlement_and_a_late_release_do_nothing(it: Fixture) -> None:
    held = it.ledger.reserve(caller(), 100)
    it.ledger.settle_soon(held, settlement("a", 30))
    it.ledger.settle_soon(held, settlement("b", 30))
    it.ledger.release(held)
    it.ledger.flush()
    assert list(it.bank.rows) == ["a"]
    assert it.ledger.account(1) == (START - 30, 30)
    assert it.ledger.reserve(caller(), START - 30).open


def test_more_than_was_reserved_is_charged_all_the_same(it: Fixture) -> None:
    it.ledger.settle_soon(it.ledger.reserve(caller(), 1), settlement("a", START + 50))
    assert it.ledger.account(1) == (-50, START + 50)
    with pytest.raises(CallerError):
        it.ledger.reserve(caller(), 0)


def test_a_refund_without_a_reservation_gives_back(it: Fixture) -> None:
    it.ledger.settle_soon(None, settlement("a", 300))
    it.ledger.settle_soon(None, settlement("a/refund", -300))
    it.ledger.flush()
    assert it.bank.read() == Balances({1: START}, {1: START}, {1: 0})


# -- the database ----------------------------------------------------------------------------


def test_what_the_database_refuses_is_tried_again_in_order_and_once(it: Fixture) -> None:
    it.bank.down = True
    it.ledger.settle_soon(None, settlement("a", 1))
    it.ledger.flush()
    it.ledger.settle_soon(None, settlement("b", 2))
    it.ledger.flush()
    assert (it.ledger.failures, it.bank.rows) == (2, {})
    it.bank.down = False
    it.ledger.flush()
    assert (it.ledger.failures, list(it.bank.rows)) == (0, ["a", "b"])
    assert it.bank.tokens == {1: START - 3}


def test_a_commit_that_is_said_to_have_failed_is_not_charged_twice(it: Fixture) -> None:
    it.bank.commits_and_fails = True
    it.ledger.settle_soon(None, settlement("a", 7))
    it.ledger.flush()
    it.bank.commits_and_fails = False
    it.ledger.flush()
    assert it.bank.tokens == {1: START - 7}


def test_the_background_writes_and_tries_again_by_itself(tmp_path: Path) -> None:
    bank = Bank({1: START}, {1: START})
    refused, written = threading.Event(), threading.Event()

    def write(batch: Sequence[Settlement]) -> None:
        if not refused.is_set():
            refused.set()
            raise StoreError("away")
        bank.write(batch)
        written.set()

    ledger = Ledger(write, Journal(tmp_path))
    ledger.load(bank.read)
    ledger.start()
    ledger.settle_soon(None, settlement("a", 5))
    assert written.wait(10)
    ledger.stop()
    assert bank.tokens == {1: START - 5}
    assert not list(tmp_path.iterdir())


def test_stopping_writes_what_is_settled(it: Fixture, tmp_path: Path) -> None:
    it.ledger.start()
    for n in range(5):
        it.ledger.settle_soon(None, settlement(f"r{n}", 1))
    it.ledger.stop()
    assert len(it.bank.rows) == 5
    assert not list(tmp_path.iterdir())


class Waits(threading.Event):
    """An event that tells how long it is waited for."""

    def __init__(self) -> None:
        super().__init__()
        self.asked: Queue[float | None] = Queue()

    def wait(self, timeout: float | None = None) -> bool:
        self.asked.put(timeout)
        return super().wait(timeout)


def test_an_idle_ledger_sleeps_until_something_is_settled(it: Fixture, monkeypatch: pytest.MonkeyPatch) -> None:
    syncs: list[None] = []
    monkeypatch.setattr(Journal, "sync", lambda self: syncs.append(None))
    work = it.ledger._work = Waits()
    it.ledger.start()
    assert work.asked.get(timeout=10) is None
    assert not syncs
    it.ledger.settle_soon(None, settlement("a", 1))
    assert work.asked.get(timeout=10) is None
    assert list(it.bank.rows) == ["a"]
    assert len(syncs) == round(FLUSH_SECONDS / SYNC_SECONDS)
    it.ledger.stop()


def test_a_full_disk_does_not_lose_money(it: Fixture, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(self: Journal, settlement: Settlement) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(Journal, "append", full)
    held = it.ledger.reserve(caller(), 10)
    it.ledger.settle_soon(held, settlement("a", 9))
    it.ledger.flush()
    assert it.bank.tokens == {1: START - 9}
    assert it.ledger.reserve(caller(), START - 9).open


# -- restarts and reloads --------------------------------------------------------------------


def test_what_a_killed_process_left_is_written_once_at_the_next_start(tmp_path: Path) -> None:
    bank = Bank({1: START}, {1: START})
    bank.down = True
    killed = Journal(tmp_path)
    first = Ledger(bank.write, killed)
    first.load(bank.read)
    first.settle_soon(None, settlement("a", 3))
    first.flush()  # refused
    first.settle_soon(None, settlement("b", 4))
    killed.close()  # the process is gone, and with it its memory and its locks
    bank.down = False
    bank.write([settlement("a", 3)])  # as if the first had been committed just before
    for _ in range(2):
        next_one = Ledger(bank.write, Journal(tmp_path))
        next_one.start()
        next_one.load(bank.read)
        assert next_one.account(1) == (START - 7, 7)
        next_one.stop()
    assert list(bank.rows) == ["a", "b"]


def test_a_start_that_cannot_write_keeps_the_journal(tmp_path: Path) -> None:
    bank = Bank({1: START}, {1: START})
    killed = Journal(tmp_path)
    killed.append(settlement("a", 3))
    killed.close()
    bank.down = True
    journal = Journal(tmp_path)
    with pytest.raises(StoreError):
        Ledger(bank.write, journal).start()
    journal.close()
    bank.down = False
    ledger = Ledger(bank.write, Journal(tmp_path))
    ledger.start()
    ledger.stop()
    assert list(bank.rows) == ["a"]


def test_a_reload_sees_top_ups_and_keeps_what_is_not_written_yet(it: Fixture) -> None:
    held = it.ledger.reserve(caller(), 200)
    it.ledger.settle_soon(None, settlement("a", 100))
    it.bank.tokens[1] += 5000  # somebody else added money
    it.ledger.load(it.bank.read)
    assert it.ledger.account(1) == (START + 4900, 100)
    it.ledger.flush()
    it.ledger.load(it.bank.read)
    assert it.ledger.account(1) == (START + 4900, 100)
    with pytest.raises(CallerError):
        it.ledger.reserve(caller(), START - 299)  # the user has no more, and 200 of it is set aside
    it.ledger.release(held)
    assert it.ledger.reserve(caller(), START - 100).open


def test_a_settlement_that_comes_while_balances_are_read_counts_once(it: Fixture) -> None:
    def read() -> Balances:
        found = it.bank.read()
        it.ledger.settle_soon(None, settlement("late", 10))
        return found

    it.ledger.load(read)
    assert it.ledger.account(1) == (START - 10, 10)
    it.ledger.flush()
    assert it.bank.tokens == {1: START - 10}


def test_threads_that_settle_flush_and_load_at_once_agree_in_the_end(tmp_path: Path) -> None:
    made = Fixture(tmp_path, {1: 10**6, 2: 10**6}, {1: 10**6})
    ledger, bank = made.ledger, made.bank
    ledger.start()
    failures: list[BaseException] = []

    def settler(who: int) -> None:
        try:
            for n in range(200):
                ledger.settle_soon(None, settlement(f"{who}-{n}", n, 1 + who % 2))
                if n % 20 == 0:
                    ledger.flush()
                if n % 50 == 0:
                    ledger.load(bank.read)
        except BaseException as error:
            failures.append(error)
            raise

    threads = [threading.Thread(target=settler, args=(who,)) for who in range(4)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    alive = ledger._thread.is_alive()
    ledger.stop()
    each = sum(range(200))
    assert (failures, alive) == ([], True)
    assert len(bank.rows) == 800
    assert bank.read() == Balances(
        {1: 10**6 - 2 * each, 2: 10**6 - 2 * each},
        {1: 10**6 - 4 * each},
        {1: 2 * each, 2: 2 * each},
    )
    assert ledger.account(1) == (bank.tokens[1], bank.used[1])
    assert not list(tmp_path.iterdir())


# -- a model -----------------------------------------------------------------------------------


class Model(RuleBasedStateMachine):
    """Two tokens, of one user; the database fails at will; the process is killed at will."""

    held = Bundle("held")

    def __init__(self) -> None:
        super().__init__()
        self.directory = TemporaryDirectory()
        self.bank = Bank({1: START, 2: START // 2}, {1: START})
        self.paid = {1: 0, 2: 0}
        self.topped = {1: 0, 2: 0}
        self.open: dict[int, Reservation] = {}
        self.number = 0
        self.settled: set[str] = set()
        self.begin()

    def begin(self) -> None:
        self.journal = Journal(Path(self.directory.name))
        self.ledger = Ledger(self.bank.write, self.journal)
        self.bank.write([s for leftover in self.journal.recover() for s in leftover.settlements])
        self.journal.recovered()
        self.ledger.load(self.bank.read)

    def teardown(self) -> None:
        self.bank.down = False
        self.ledger.flush()
        assert set(self.bank.rows) == self.settled
        assert self.bank.tokens == {t: self.granted(t) - self.paid[t] for t in (1, 2)}
        self.journal.close()
        assert not list(Path(self.directory.name).iterdir())
        self.directory.cleanup()

    def granted(self, token_id: int) -> int:
        return {1: START, 2: START // 2}[token_id] + self.topped[token_id]

    def held_of(self, token_id: int | None = None) -> int:
        return sum(r.amount for r in self.open.values() if token_id in (None, r.token_id))

    @rule(target=held, token_id=st.sampled_from([1, 2]), amount=st.integers(0, 400))
    def reserve(self, token_id: int, amount: int):
        left_token = self.granted(token_id) - self.paid[token_id]
        free = min(left_token - self.held_of(token_id), START - sum(self.paid.values()) - self.held_of())
        fits = left_token > 0 and free > 0 and free >= amount
        if not fits:
            with pytest.raises(CallerError) as caught:
                self.ledger.reserve(caller(token_id), amount)
            assert caught.value.status == (401 if left_token <= 0 else 403)
            return multiple()
        reservation = self.ledger.reserve(caller(token_id), amount)
        self.open[id(reservation)] = reservation
        return reservation

    @rule(reservation=held, quota=st.integers(0, 300))
    def settle(self, reservation: Reservation, quota: int) -> None:
        self.number += 1
        name = f"r{self.number}"
        self.ledger.settle_soon(reservation, settlement(name, quota, reservation.token_id))
        if self.open.pop(id(reservation), None) is not None:
            self.paid[reservation.token_id] += quota
            self.settled.add(name)

    @rule(reservation=held)
    def release(self, reservation: Reservation) -> None:
        self.ledger.release(reservation)
        self.open.pop(id(reservation), None)

    @rule(token_id=st.sampled_from([1, 2]), amount=st.integers(1, 500))
    def top_up(self, token_id: int, amount: int) -> None:
        self.bank.tokens[token_id] += amount
        self.topped[token_id] += amount
        self.ledger.load(self.bank.read)

    @rule(down=st.booleans(), commits=st.booleans())
    def flush(self, down: bool, commits: bool) -> None:
        self.bank.down, self.bank.commits_and_fails = down, commits
        self.ledger.flush()
        self.bank.down = self.bank.commits_and_fails = False

    @rule()
    def reload(self) -> None:
        self.ledger.flush()
        self.ledger.load(self.bank.read)

    @rule(gone=consumes(held))
    def killed(self, gone: Reservation) -> None:
        self.journal.close()
        for reservation in self.open.values():
            reservation.state = "released"  # the requests under way are gone with the process
        self.open.clear()
        self.begin()

    @invariant()
    def balances(self) -> None:
        for token_id in (1, 2):
            left, used = self.ledger.account(token_id)
            assert (left, used) == (self.granted(token_id) - self.paid[token_id], self.paid[token_id])


TestModel = Model.TestCase
TestModel.settings = settings(max_examples=40, stateful_step_count=30, deadline=None)
