"""Sums are those of the log, whatever was written, given back, priced anew, deleted, and however far it is summed up."""

from __future__ import annotations

import itertools
import tempfile
from collections import defaultdict
from contextlib import closing
from pathlib import Path
from typing import Any

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, consumes, invariant, multiple, rule

from newapi.store import audit, maintenance, rollups
from newapi.store.database import Database, open_database
from newapi.store.ledger import (
    RecordFilter,
    Settlement,
    StoredRecord,
    UsageRecord,
    add_past,
    prune_records,
    query_records,
    refund_of,
    write_batch,
    write_record,
)
from newapi.store.models import Clock, Record, Rollup
from newapi.store.rerating import Repriced, reprice
from newapi.store.usage import BY, CHARGED, By, UsageSum, count_records, sums

HOUR, DAY = rollups.HOUR, rollups.DAY
NOON = 1_750_000_000 // DAY * DAY + DAY // 2
ENTRY = audit.Entry(NOON, "test", "usage.rerate")
IDS = {"user": "user_id", "token": "token_id", "channel": "channel_id"}


def oracle(records: list[StoredRecord], by: tuple[By, ...]) -> set[UsageSum]:
    """Return the sums of lines, added up one by one."""
    found: defaultdict[tuple[Any, ...], list[int]] = defaultdict(lambda: [0, 0, 0, 0])
    for r in records:
        if r.kind not in CHARGED:
            continue
        said: dict[str, Any] = {}
        for name in by:
            match name:
                case "hour" | "day":
                    step = HOUR if "hour" in by else DAY
                    said["at"] = int(r.created_at // step) * step
                case "user" | "token" | "channel":
                    said |= {IDS[name]: getattr(r, IDS[name]), name: getattr(r, f"{name}_name")}
                case _:
                    said[name] = getattr(r, name)
        total = found[tuple(sorted(said.items()))]
        for place, number in enumerate((r.kind == "consume", r.prompt_tokens, r.completion_tokens, r.quota)):
            total[place] += number
    names = ("requests", "prompt_tokens", "completion_tokens", "quota")
    return {UsageSum(**dict(key), **dict(zip(names, total, strict=True))) for key, total in found.items()}


def check(db: Database, wanted: RecordFilter, by: tuple[By, ...]) -> None:
    records = query_records(db, wanted)
    expected = oracle(records, by)
    if not by and not expected:
        expected = {UsageSum(requests=0, prompt_tokens=0, completion_tokens=0, quota=0)}
    got = sums(db, wanted, by)
    assert len(got) == len(set(got))
    assert set(got) == expected
    assert count_records(db, wanted) == (len(records), sum(r.quota for r in records))


def check_rows(db: Database) -> None:
    """The rows are those that adding up the log anew gives, up to where it is added up."""
    with db.reading() as c:
        summed = Clock.select(Clock.summed).scalar(c)
        expected = rollups._of_log(c, [Record.id <= summed], 1)
        rows = [
            tuple(row) for row in Rollup.select(*(getattr(Rollup, n) for n in rollups._COLUMNS)).tuples().execute(c)
        ]
    assert sorted(rows) == sorted((*key, *total) for key, total in expected.items())


TIMES = st.integers(-40, 40).map(lambda quarters: NOON + quarters * HOUR / 4) | st.integers(-3, 3).map(
    lambda days: NOON + days * DAY + 0.5
)
BOUNDS = st.none() | TIMES
WHO = st.fixed_dictionaries(
    {
        "kind": st.sampled_from(["consume", "consume", "error", "topup"]),
        "user_id": st.integers(0, 1),
        "user_name": st.sampled_from(["ann", "Ann"]),
        "token_id": st.integers(0, 2),
        "token_name": st.sampled_from(["", "t"]),
        "channel_id": st.integers(0, 1),
        "channel_name": st.sampled_from(["a", "b"]),
        "group": st.sampled_from(["default", "vip"]),
        "model": st.sampled_from(["m", "m-2", "ü" * 300, "\ud800\0"]),
    }
)
LINE = st.builds(
    lambda at, who, numbers: (
        at,
        {**who, **dict(zip(("quota", "prompt_tokens", "completion_tokens"), numbers, strict=True))},
    ),
    TIMES,
    WHO,
    st.tuples(st.integers(0, 100), st.integers(0, 1000), st.integers(0, 1000)),
)
FILTERS = st.fixed_dictionaries(
    {},
    optional={
        "since": BOUNDS,
        "until": BOUNDS,
        "model": st.sampled_from(["m", "m%"]),
        "patterns": st.booleans(),
        "user": st.sampled_from(["ann", "a%"]),
        "user_id": st.integers(0, 1),
        "token_id": st.integers(0, 2),
        "token": st.just("t"),
        "channel_id": st.integers(0, 1),
        "channel": st.just("a"),
        "group": st.just("vip"),
        "kind": st.sampled_from(["consume", "refund", "topup"]),
        "kinds": st.just(("consume", "error")),
        "status": st.sampled_from(["ok", "error"]),
        "min_quota": st.integers(0, 50),
        "request_id": st.just("r1"),
    },
).map(lambda said: RecordFilter(limit=0, **said))


class Sums(RuleBasedStateMachine):
    """Everything that changes the log, in any order, and the log summed up at any time."""

    lines = Bundle("lines")

    def __init__(self) -> None:
        super().__init__()
        self.directory = tempfile.TemporaryDirectory()
        self.db = open_database(f"sqlite:///{self.directory.name}/newapi.db")
        self.numbers = itertools.count()

    def teardown(self) -> None:
        self.db.close()
        self.directory.cleanup()

    def record(self, line: tuple[float, dict[str, Any]]) -> UsageRecord:
        return UsageRecord(f"r{next(self.numbers)}", line[0], **line[1])

    @rule(target=lines, lines=st.lists(LINE, min_size=1, max_size=4))
    def write(self, lines: list[tuple[float, dict[str, Any]]]) -> Any:
        records = [self.record(line) for line in lines]
        write_batch(self.db, [Settlement(r, r.token_id, r.user_id, r.channel_id, r.quota) for r in records])
        return multiple(*records)

    @rule(record=lines)
    def write_again(self, record: UsageRecord) -> None:
        write_batch(self.db, [Settlement(record, 0, 0, 0, 0)])

    @rule(record=consumes(lines), at=TIMES)
    def refund(self, record: UsageRecord, at: float) -> None:
        back = UsageRecord(
            refund_of(record.request_id), at, "refund", record.user_id, model=record.model, quota=-record.quota
        )
        write_batch(self.db, [Settlement(back, 0, 0, 0, 0)])

    @rule(line=LINE, past=st.booleans())
    def write_otherwise(self, line: tuple[float, dict[str, Any]], past: bool) -> None:
        if past:
            with self.db.writing() as c:
                add_past(c, [self.record(line)])
        else:
            write_record(self.db, self.record(line))

    @rule(wanted=FILTERS, quota=st.integers(0, 100))
    def price_anew(self, wanted: RecordFilter, quota: int) -> None:
        reprice(self.db, [Repriced(r, quota, "{}") for r in query_records(self.db, wanted)], ENTRY)

    @rule(before=TIMES)
    def prune(self, before: float) -> None:
        prune_records(self.db, before)

    @rule(lines=st.integers(1, 9))
    def catch_up(self, lines: int) -> None:
        assert 0 <= rollups.catch_up(self.db, lines=lines) <= lines

    @rule()
    def put_a_backup_back(self) -> None:
        file = Path(self.directory.name) / "backup.db"
        maintenance.backup(self.db, file)
        maintenance.restore(self.db, file)

    @rule(wanted=FILTERS, by=st.sets(st.sampled_from(BY), max_size=3))
    def ask(self, wanted: RecordFilter, by: set[By]) -> None:
        check(self.db, wanted, tuple(by))

    @invariant()
    def are_those_of_the_log(self) -> None:
        check(self.db, RecordFilter(limit=0), ())
        check_rows(self.db)


TestSums = Sums.TestCase
TestSums.settings = settings(max_examples=25, stateful_step_count=20, deadline=None)


def test_they_are_exact_in_every_database(db: Database) -> None:
    def line(number: int, **more: Any) -> Settlement:
        at = NOON + number * HOUR / 3
        said: dict[str, Any] = {
            "request_id": f"r{number}",
            "model": f"m{number % 2}",
            "user_id": number % 3,
            "user_name": f"u{number % 3}",
            "quota": number,
        }
        return Settlement(UsageRecord(created_at=at, **said | more), 0, 0, 0, 0)

    bys: tuple[tuple[By, ...], ...] = ((), ("model", "hour"), ("day",), ("user", "token"), ("channel", "group"))
    spans = (None, NOON - 1), (NOON + 1000, NOON + 3 * DAY), (NOON + HOUR, None), (NOON + 100, NOON + 200)

    def look() -> None:
        for (since, until), by in itertools.product([(None, None), *spans], bys):
            for who in ({}, {"user_id": 1}, {"model": "m%", "patterns": True}):
                check(db, RecordFilter(since=since, until=until, limit=0, **who), by)
        check_rows(db)

    write_batch(db, [line(number) for number in range(300)])
    look()
    assert rollups.catch_up(db, lines=250) == 250
    look()
    write_batch(db, [line(7, request_id="r7/refund", kind="refund", quota=-7), line(301, model="M1")])
    while rollups.catch_up(db, lines=40):
        look()
    with db.reading() as c:
        assert 0 < Rollup.select().where(Rollup.step == DAY).count(c) < Rollup.select().count(c) < 340
    reprice(db, [Repriced(r, r.quota + 5, "{}") for r in query_records(db, RecordFilter(model="m1"))], ENTRY)
    look()
    assert prune_records(db, NOON + 11 * HOUR) == 34
    look()
    assert rollups.catch_up(db) == 0


def test_what_was_undone_was_not_summed_up(db: Database) -> None:
    write_record(db, UsageRecord("a", NOON, quota=1))
    try:
        with db.writing():
            assert rollups.catch_up(db) == 1
            raise RuntimeError
    except RuntimeError:
        pass
    check_rows(db)
    assert rollups.catch_up(db) == 1
    check(db, RecordFilter(limit=0), ("hour",))


def test_a_database_of_before_is_summed_up_when_somebody_does(tmp_path: Path) -> None:
    """What the log has when the tables come is asked of the log, until it is added."""
    url = f"sqlite:///{tmp_path / 'newapi.db'}"
    with closing(open_database(url)) as db:
        write_batch(db, [Settlement(UsageRecord(f"r{i}", NOON + i, quota=i), 0, 0, 0, 0) for i in range(5)])
        with db.writing() as c:
            c.execute_sql("DROP TABLE rollups")
            c.execute_sql("ALTER TABLE clock DROP COLUMN summed")
            c.execute_sql("UPDATE schema_version SET version = 8")
    with closing(open_database(url)) as db:
        check(db, RecordFilter(limit=0), ("day",))
        assert rollups.catch_up(db) == 5
        check(db, RecordFilter(limit=0), ("day",))
        check_rows(db)
