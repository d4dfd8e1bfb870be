"""Balances that several processes spend from: none falls below zero, and none is refused what is there."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from contextlib import AsyncExitStack
from decimal import Decimal
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from newapi.base.errors import CallerError, StoreError
from newapi.relay.build import balances
from newapi.relay.journal import Journal
from newapi.relay.ledger import Balances
from newapi.relay.shared_ledger import SharedLedger
from newapi.relay.values import Caller, Reservation
from newapi.store import clock
from newapi.store import snapshot as store_snapshot
from newapi.store.database import open_database
from newapi.store.ledger import RecordFilter, Settlement, UsageRecord, query_records, write_batch
from newapi.store.models import Token, User
from tests.relay.sharing import hub_world, until, valkey_world
from tests.relay.world import token, user
from tests.support import valkey

START = 1000


class Bank:
    """The database: charges a request once; refuses while it is `down`."""

    def __init__(self, left: int = START) -> None:
        self.left = {("t", 1): left, ("t", 2): left // 2, ("u", 1): left}
        self.used = dict.fromkeys(self.left, 0)
        self.settled = dict.fromkeys(self.left, 0)
        self.rows: dict[str, Settlement] = {}
        self.version = 1
        self.down = False
        self.commits_and_fails = False

    def write(self, batch: Sequence[Settlement]) -> None:
        if self.down:
            raise StoreError("away")
        for s in batch:
            if s.record.request_id not in self.rows:
                self.rows[s.record.request_id] = s
                for account in (("t", s.token_id), ("u", s.user_id)):
                    self.left[account] -= s.quota
                    self.used[account] += s.quota
                    self.settled[account] += s.quota
        if self.commits_and_fails:
            raise StoreError("the connection broke after the commit")

    def read(self) -> Balances:
        def of(kind: str, what: dict[tuple[str, int], int]) -> dict[int, int]:
            return {id: quota for (k, id), quota in what.items() if k == kind}

        settled = self.settled
        return Balances(
            of("t", self.left), of("u", self.left), of("t", self.used), of("t", settled), of("u", settled), self.version
        )

    def look(self, token_id: int) -> tuple[int | None, int]:
        return self.left["t", token_id], self.used["t", token_id]

    def correct(self, token_id: int, amount: int) -> None:
        """What requests cost turns out to be so much less, or more."""
        for account in (("t", token_id), ("u", 1)):
            self.left[account] += amount
            self.used[account] -= amount
        self.version += 1

    def top_up(self, token_id: int, amount: int) -> None:
        self.left["t", token_id] += amount
        self.version += 1


class RealBank(Bank):
    """A database, with what a server writes and reads. A write may be cut off before it, or after it is done."""

    def __init__(self, directory: Path) -> None:
        super().__init__()
        self.corrected = {1: 0, 2: 0}
        self.db = open_database("sqlite:///newapi.db", relative_to=directory)
        with self.db.writing() as c:
            User.update(quota=START, unlimited=False).where(User.id == 1).execute(c)
            for id, left in ((1, START), (2, START // 2)):
                Token.insert(
                    name=f"t{id}", user_id=1, key_hash=str(id), spec="{}", remaining_quota=left, created_at=0
                ).execute(c)

    def write(self, batch: Sequence[Settlement]) -> None:
        if self.down:
            raise StoreError("away")
        write_batch(self.db, batch)
        if self.commits_and_fails:
            raise StoreError("the connection broke after the commit")

    def read(self) -> Balances:
        return balances(store_snapshot.load(self.db))

    def correct(self, token_id: int, amount: int) -> None:
        with self.db.writing() as c:
            left, used = Token.remaining_quota + amount, Token.used_quota - amount
            Token.update(remaining_quota=left, used_quota=used).where(Token.id == token_id).execute(c)
            User.update(quota=User.quota + amount, used_quota=User.used_quota - amount).where(User.id == 1).execute(c)
            clock.bump(c)
        self.corrected[token_id] += amount

    def top_up(self, token_id: int, amount: int) -> None:
        with self.db.writing() as c:
            more = Token.remaining_quota + amount
            Token.update(remaining_quota=more).where(Token.id == token_id).execute(c)
            clock.bump(c)

    def check(self, settled: set[str]) -> None:
        """What the log says is what was taken, from each."""
        records = query_records(self.db, RecordFilter(limit=0))
        assert sorted(r.request_id for r in records) == sorted(settled)
        read = self.read()
        for token_id in (1, 2):
            logged = sum(r.quota for r in records if r.token_id == token_id)
            assert read.tokens_used[token_id] == logged - self.corrected[token_id]
            assert read.tokens_settled[token_id] == logged
        assert read.users_settled[1] == sum(r.quota for r in records)
        self.rows = dict.fromkeys(settled)  # type: ignore[arg-type]
        self.left = {**{("t", id): left for id, left in read.tokens.items()}, ("u", 1): read.users[1]}
        self.db.close()


def caller(token_id: int = 1) -> Caller:
    return Caller(token(token_id), user(1), "default", Decimal(1))


def settlement(id: str, quota: int, token_id: int = 1) -> Settlement:
    record = UsageRecord(request_id=id, created_at=1.0, quota=quota, token_id=token_id)
    return Settlement(record, token_id, 1, 1, quota)


class Process:
    """A process: its ledger, its journal, its side of what is shared."""

    def __init__(self, world: Any, bank: Bank, directory: Path) -> None:
        self.world = world
        self.bank = bank
        self.journal = Journal(directory)
        self.ledger = SharedLedger(bank.write, self.journal, bank.read, bank.look)
        self.ledger.load(bank.read)
        self.side: Any = None

    async def start(self) -> Process:
        self.side = await self.world.process(self.journal.owner)
        self.side.recall = self.ledger.recall
        self.ledger.attach(self.side)
        await asyncio.to_thread(self.ledger.recover)
        await self.ledger.join()
        return self

    async def kill(self) -> None:
        self.journal.close()
        await self.world.kill(self.side)

    async def flush(self) -> None:
        await asyncio.to_thread(self.ledger.flush)

    async def passes(self, amount: int, token_id: int = 1) -> Reservation | None:
        try:
            return await self.ledger.obtain(caller(token_id), amount)
        except CallerError:
            return None


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    return tmp_path / "journal"


async def test_the_requests_that_pass_are_those_that_are_paid_for(directory: Path) -> None:
    async with hub_world() as world:
        bank = Bank()
        processes = [await Process(world, bank, directory).start() for _ in range(4)]
        made = await asyncio.gather(*(processes[n % 4].passes(30) for n in range(200)))
        held = [(n % 4, r) for n, r in enumerate(made) if r is not None]
        assert len(held) == START // 30
        for n, (who, reservation) in enumerate(held):
            processes[who].ledger.settle_soon(reservation, settlement(f"r{n}", 10))
        made = await asyncio.gather(*(processes[n % 4].passes(30) for n in range(200)))
        assert sum(r is not None for r in made) == (START - len(held) * 10) // 30
        for process in processes:
            await process.flush()
            process.journal.close()
        assert bank.left["t", 1] == START - len(held) * 10


async def test_far_from_zero_nobody_is_asked(directory: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async with hub_world() as world:
        bank = Bank(10**9)
        one, _other = [await Process(world, bank, directory).start() for _ in range(2)]
        first = await one.ledger.obtain(caller(), 100)

        async def asked(*_: Any) -> None:
            raise AssertionError("asked")

        monkeypatch.setattr(one.side, "lend", asked)
        for n in range(1000):
            one.ledger.settle_soon(await one.ledger.obtain(caller(), 100), settlement(f"r{n}", 100))
        one.ledger.release(first)
        await one.flush()
        assert bank.left["t", 1] == 10**9 - 100_000


@pytest.mark.parametrize(
    ("left", "user_left", "amount", "status", "code"),
    [
        (0, 9, 1, 401, "token_exhausted"),
        (-5, 9, 0, 401, "token_exhausted"),
        (5, 9, 6, 403, "pre_consume_token_quota_failed"),
        (9, 5, 6, 403, "insufficient_user_quota"),
        (9, 0, 0, 403, "insufficient_user_quota"),
    ],
)
async def test_who_has_too_little_is_told_as_by_one_process(
    directory: Path, left: int, user_left: int, amount: int, status: int, code: str
) -> None:
    async with hub_world() as world:
        bank = Bank()
        bank.left |= {("t", 1): left, ("u", 1): user_left}
        process = await Process(world, bank, directory).start()
        with pytest.raises(CallerError) as caught:
            await process.ledger.obtain(caller(), amount)
        assert (caught.value.status, caught.value.code) == (status, code)


async def test_what_was_taken_away_is_not_spent_by_who_was_lent_it(directory: Path) -> None:
    async with hub_world() as world:
        bank = Bank(8000)
        one, other = [await Process(world, bank, directory).start() for _ in range(2)]
        held = await one.passes(10)
        assert held is not None
        bank.top_up(1, -7990)
        for process in (one, other):
            await asyncio.to_thread(process.ledger.load, bank.read)
        assert await one.passes(1) is None
        one.ledger.release(held)
        await world.settled(one.side)
        assert await other.passes(10) is not None


async def test_while_the_hub_is_away_the_database_says_what_is_left(directory: Path) -> None:
    async with hub_world() as world:
        bank = Bank()
        one, other = [await Process(world, bank, directory).start() for _ in range(2)]
        held = await one.passes(100)
        assert held is not None
        await world.kill(one.side)
        await until(lambda: not one.side.connected)
        assert await one.passes(901) is None
        second = await one.passes(900)
        assert second is not None
        assert one.ledger.alone
        one.ledger.settle_soon(held, settlement("a", 100))
        await one.flush()
        back = await world.process(one.journal.owner)
        one.ledger.attach(back)
        await one.ledger.join()
        back.recall = one.ledger.recall
        await world.settled(back)
        await asyncio.to_thread(other.ledger.load, bank.read)
        assert await other.passes(1) is None  # 900 are under way
        one.ledger.release(second)
        await world.settled(back)
        assert await other.passes(900) is not None
        one.journal.close()


async def test_a_process_that_ends_gives_back_what_it_was_lent(directory: Path) -> None:
    async with hub_world() as world:
        bank = Bank()
        one, other = [await Process(world, bank, directory).start() for _ in range(2)]
        held = await one.passes(500)
        assert held is not None
        one.ledger.settle_soon(held, settlement("a", 400))
        await one.flush()
        one.ledger.give_all_back()
        await one.side.stop()
        assert await other.passes(601) is None
        assert await other.passes(600) is not None
        one.journal.close()


async def test_a_refund_is_there_for_all(directory: Path) -> None:
    async with hub_world() as world:
        bank = Bank()
        one, other = [await Process(world, bank, directory).start() for _ in range(2)]
        one.ledger.settle_soon(await one.ledger.obtain(caller(), START), settlement("a", START))
        assert await other.passes(1) is None
        one.ledger.settle_soon(None, settlement("a/refund", -300))
        await one.flush()
        assert await other.passes(301) is None
        assert await other.passes(300) is not None
        one.journal.close()


# -- a model -----------------------------------------------------------------------------------


class Model(RuleBasedStateMachine):
    """Three processes, two tokens of one user; the database fails at will, processes are killed at will."""

    valkey = ""
    """URL of the server; "" for a hub."""
    real = False
    """Whether the database is one."""

    def __init__(self) -> None:
        super().__init__()
        self.directory = TemporaryDirectory()
        self.loop = asyncio.new_event_loop()
        self.exits = AsyncExitStack()
        self.bank = RealBank(Path(self.directory.name)) if self.real else Bank()
        self.held: list[tuple[Process, Reservation]] = []
        self.granted = {("t", 1): START, ("t", 2): START // 2, ("u", 1): START}
        self.paid = dict.fromkeys(self.granted, 0)
        self.settled: set[str] = set()
        self.number = 0

    def run(self, coroutine: Any) -> Any:
        return self.loop.run_until_complete(coroutine)

    @initialize()
    def begin(self) -> None:
        way = valkey_world(self.valkey) if self.valkey else hub_world()
        self.world = self.run(self.exits.enter_async_context(way))
        self.processes = [self.run(self.new().start()) for _ in range(3)]

    def new(self) -> Process:
        return Process(self.world, self.bank, Path(self.directory.name))

    def teardown(self) -> None:
        self.bank.down = False
        for process in self.processes:
            self.run(process.flush())
            process.journal.close()
        if isinstance(self.bank, RealBank):
            self.bank.check(self.settled)
        assert set(self.bank.rows) == self.settled
        assert self.bank.left == {account: self.left(account) for account in self.granted}
        self.run(self.exits.aclose())
        self.loop.close()
        assert not list(Path(self.directory.name).glob("*.journal"))
        self.directory.cleanup()

    def left(self, account: tuple[str, int]) -> int:
        return self.granted[account] - self.paid[account]

    def free(self, token_id: int) -> int:
        of_token = sum(r.amount for _, r in self.held if r.token_id == token_id)
        of_user = sum(r.amount for _, r in self.held)
        return min(self.left(("t", token_id)) - of_token, self.left(("u", 1)) - of_user)

    def all_told(self) -> None:
        for process in self.processes:
            self.run(self.world.settled(process.side))

    @rule(who=st.integers(0, 2), token_id=st.sampled_from([1, 2]), amount=st.integers(0, 400))
    def reserve(self, who: int, token_id: int, amount: int) -> None:
        self.all_told()
        reservation = self.run(self.processes[who].passes(amount, token_id))
        assert (reservation is not None) == (self.free(token_id) >= max(1, amount))
        if reservation is not None:
            self.held.append((self.processes[who], reservation))

    @precondition(lambda self: self.held)
    @rule(which=st.integers(0, 99), quota=st.integers(0, 300))
    def settle(self, which: int, quota: int) -> None:
        process, reservation = self.held.pop(which % len(self.held))
        self.number += 1
        name = f"r{self.number}"
        process.ledger.settle_soon(reservation, settlement(name, quota, reservation.token_id))
        self.paid["t", reservation.token_id] += quota
        self.paid["u", 1] += quota
        self.settled.add(name)

    @precondition(lambda self: self.held)
    @rule(which=st.integers(0, 99))
    def release(self, which: int) -> None:
        process, reservation = self.held.pop(which % len(self.held))
        process.ledger.release(reservation)

    @rule(token_id=st.sampled_from([1, 2]), amount=st.integers(-200, 500))
    def top_up(self, token_id: int, amount: int) -> None:
        self.bank.top_up(token_id, amount)
        self.granted["t", token_id] += amount
        for process in self.processes:
            self.run(asyncio.to_thread(process.ledger.load, self.bank.read))

    @rule(token_id=st.sampled_from([1, 2]), amount=st.integers(-200, 300))
    def correct(self, token_id: int, amount: int) -> None:
        self.all_told()
        self.bank.correct(token_id, amount)
        for account in (("t", token_id), ("u", 1)):
            self.paid[account] -= amount
        for process in self.processes:
            self.run(asyncio.to_thread(process.ledger.load, self.bank.read))

    @rule(who=st.integers(0, 2), down=st.booleans(), commits=st.booleans())
    def flush(self, who: int, down: bool, commits: bool) -> None:
        self.bank.down, self.bank.commits_and_fails = down, commits
        self.run(self.processes[who].flush())
        self.bank.down = self.bank.commits_and_fails = False

    @rule(who=st.integers(0, 2))
    def killed(self, who: int) -> None:
        gone = self.processes[who]
        self.run(gone.kill())
        self.run(self.world.given_up())
        self.held = [(process, r) for process, r in self.held if process is not gone]
        self.processes[who] = self.run(self.new().start())

    @invariant()
    def nothing_is_charged_twice(self) -> None:
        read = self.bank.read()
        for token_id in (1, 2):
            assert read.tokens[token_id] >= self.left(("t", token_id))
        assert read.users[1] >= self.left(("u", 1))


TestModel = Model.TestCase
TestModel.settings = settings(max_examples=25, stateful_step_count=25, deadline=None)


class RealModel(Model):
    """The same over a database on disk."""

    real = True


TestRealModel = RealModel.TestCase
TestRealModel.settings = settings(max_examples=10, stateful_step_count=25, deadline=None)


def test_model_over_valkey(tmp_path_factory: pytest.TempPathFactory) -> None:
    class OverValkey(Model):
        @property
        def valkey(self) -> str:
            return valkey.empty(tmp_path_factory)

    run_state_machine_as_test(OverValkey, settings=settings(max_examples=10, stateful_step_count=25, deadline=None))
