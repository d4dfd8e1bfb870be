from __future__ import annotations

import threading
from collections import Counter
from typing import Any

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from newapi.base.errors import StoreError
from newapi.store.database import Database
from newapi.store.ledger import (
    RecordFilter,
    Settlement,
    UsageRecord,
    last_record_id,
    prune_records,
    query_records,
    write_batch,
    write_record,
)
from newapi.store.models import Channel, Record, Token, User
from newapi.store.usage import count_records


def settlement(
    id: str, quota: int = 7, *, token: int = 1, user: int = 1, channel: int = 1, **fields: Any
) -> Settlement:
    record = UsageRecord(id, 100.0, token_id=token, user_id=user, channel_id=channel, quota=quota, **fields)
    return Settlement(record, token, user, channel, quota)


@pytest.fixture
def money(db: Database) -> Database:
    """Users 1 (root, unlimited) and 2, tokens 1 to 3, channels 1 and 2; 1,000 quota each."""
    with db.writing() as c:
        User.insert(name="ann", quota=1000, created_at=0).execute(c)
        for i in (1, 2, 3):
            Token.insert(
                name=f"t{i}", user_id=2, key_hash=str(i), spec="{}", remaining_quota=1000, created_at=0
            ).execute(c)
        for i in (1, 2):
            Channel.insert(name=f"c{i}", spec="{}", created_at=0, updated_at=0).execute(c)
    return db


def balances(db: Database) -> dict[str, tuple[int, ...]]:
    with db.reading() as c:
        found = {f"u{u.id}": (u.quota, u.used_quota, u.requests) for u in User.select().execute(c)}
        found |= {t.name: (t.remaining_quota, t.used_quota) for t in Token.select().execute(c)}
        found |= {x.name: (x.used_quota,) for x in Channel.select().execute(c)}
    return found


def test_a_batch_charges_token_user_and_channel(money: Database) -> None:
    write_batch(
        money, [settlement("a", 10, user=2), settlement("b", 5, user=2), settlement("c", 1, token=2, user=2, channel=2)]
    )
    assert balances(money) == {
        "u1": (0, 0, 0),
        "u2": (984, 16, 3),
        "t1": (985, 15),
        "t2": (999, 1),
        "t3": (1000, 0),
        "c1": (15,),
        "c2": (1,),
    }


def test_an_unlimited_user_is_counted_and_not_charged(money: Database) -> None:
    write_batch(money, [settlement("a", 10, user=1)])
    assert balances(money)["u1"] == (0, 10, 1)


def test_a_refund_gives_back(money: Database) -> None:
    write_batch(money, [settlement("a", 10, user=2), settlement("a/refund", -10, user=2, kind="refund")])
    assert balances(money)["u2"][:2] == (1000, 0)
    assert balances(money)["t1"] == (1000, 0)


def test_a_journal_that_is_replayed_counts_once(money: Database) -> None:
    batch = [settlement(f"r{i}", user=2) for i in range(450)]
    write_batch(money, batch[:300])
    write_batch(money, batch)
    write_batch(money, batch)
    assert balances(money)["t1"] == (1000 - 450 * 7, 450 * 7)
    assert count_records(money, RecordFilter()) == (450, 450 * 7)


def test_a_request_twice_in_one_batch_counts_once(money: Database) -> None:
    write_batch(money, [settlement("a", 10, user=2), settlement("a", 10, user=2)])
    assert balances(money)["u2"] == (990, 10, 1)


def test_nobody_is_charged_where_there_is_nobody(money: Database) -> None:
    before = balances(money)
    write_batch(
        money, [settlement("a", 3, token=0, user=0, channel=0), settlement("b", 3, token=99, user=99, channel=99)]
    )
    assert balances(money) == before
    assert last_record_id(money) == 2


def test_an_empty_batch_is_nothing(db: Database) -> None:
    write_batch(db, [])
    assert last_record_id(db) == 0


def test_a_batch_that_fails_leaves_nothing(money: Database) -> None:
    before = balances(money)
    with money.writing() as c:
        c.execute_sql("ALTER TABLE channels RENAME TO elsewhere")  # tokens and users are charged before it is missed
    with pytest.raises(StoreError, match="channels"):
        write_batch(money, [settlement("a", user=2)])
    with money.writing() as c:
        c.execute_sql("ALTER TABLE elsewhere RENAME TO channels")
    assert balances(money) == before
    assert last_record_id(money) == 0


def test_a_record_comes_back_as_it_went_in(db: Database) -> None:
    record = UsageRecord(
        "req-1",
        1234.5,
        user_name="root",
        group="vip",
        model="gpt-4o",
        stream=True,
        status=200,
        quota=12,
        usage='{"input":3}',
        bill='{"group_ratio":"0.8"}',
        tries='[{"channel":"a","status":500}]',
        error="",
        losses='["top_k"]',
    )
    write_record(db, record)
    (got,) = query_records(db, RecordFilter())
    assert got.id == 1
    plain = msgspec.to_builtins(record)
    assert {k: msgspec.to_builtins(got).get(k) for k in plain} == plain


@pytest.mark.parametrize("text", ["x" * 5000, "a\0b", "\ud800", "🙂" * 300, "'; DROP TABLE records; --"])
def test_what_a_caller_makes_up_does_not_stop_the_log(db: Database, text: str) -> None:
    write_batch(db, [settlement("a", model=text, upstream_model=text, error=text, ip=text, losses=text)])
    (got,) = query_records(db, RecordFilter())
    assert got.request_id == "a"
    assert len(got.model) <= 255
    assert "\0" not in got.model + got.error


def test_the_journal_can_carry_a_settlement() -> None:
    s = settlement("a", usage="{}", tries="[]", bill="{}")
    assert msgspec.msgpack.decode(msgspec.msgpack.encode(s), type=Settlement) == s


T1: Any = {"token_id": 1, "token_name": "t1", "user_name": "root", "model": "a"}
RECORDS = [
    UsageRecord("r1", 100.0, channel_name="c1", status=200, quota=5, duration_ms=10, **T1),
    UsageRecord("r2", 200.0, model="b", channel_name="c2", token_id=2, user_name="ann", kind="error", duration_ms=900),
    UsageRecord("r3", 300.0, channel_name="c2", status=429, group="vip", **T1),
    UsageRecord("r4", 400.0, kind="topup", user_name="ann", quota=50),
]


@pytest.mark.parametrize(
    ("wanted", "ids"),
    [
        (RecordFilter(), ["r4", "r3", "r2", "r1"]),
        (RecordFilter(limit=2), ["r4", "r3"]),
        (RecordFilter(limit=2, offset=1), ["r3", "r2"]),
        (RecordFilter(limit=0), ["r4", "r3", "r2", "r1"]),
        (RecordFilter(since=200.0), ["r4", "r3", "r2"]),
        (RecordFilter(since=200.0, until=300.0), ["r2"]),
        (RecordFilter(model="a"), ["r3", "r1"]),
        (RecordFilter(channel="c2"), ["r3", "r2"]),
        (RecordFilter(token="t1"), ["r3", "r1"]),
        (RecordFilter(token_id=2), ["r2"]),
        (RecordFilter(user="ann"), ["r4", "r2"]),
        (RecordFilter(group="vip"), ["r3"]),
        (RecordFilter(kind="topup"), ["r4"]),
        (RecordFilter(status="error"), ["r3", "r2"]),
        (RecordFilter(status="ok"), ["r4", "r1"]),
        (RecordFilter(status="429"), ["r3"]),
        (RecordFilter(request_id="r2"), ["r2"]),
        (RecordFilter(min_quota=5), ["r4", "r1"]),
        (RecordFilter(min_ms=100), ["r2"]),
        (RecordFilter(after_id=2), ["r3", "r4"]),
        (RecordFilter(model="a", status="error"), ["r3"]),
        (RecordFilter(model="nothing"), []),
    ],
)
def test_filters(db: Database, wanted: RecordFilter, ids: list[str]) -> None:
    for record in RECORDS:
        write_record(db, record)
    assert [r.request_id for r in query_records(db, wanted)] == ids


def test_old_records_are_pruned(db: Database) -> None:
    for record in RECORDS:
        write_record(db, record)
    assert prune_records(db, 300.0) == 2
    assert [r.request_id for r in query_records(db, RecordFilter())] == ["r4", "r3"]


def test_threads_write_at_once(money: Database) -> None:
    errors: list[BaseException] = []

    def write(name: str) -> None:
        try:
            for i in range(10):
                write_batch(
                    money,
                    [settlement(f"{name}-{i}-{j}", 1, token=1 + j % 3, user=2, channel=1 + j % 2) for j in range(20)],
                )
            money.close()
        except BaseException as error:
            errors.append(error)

    threads = [threading.Thread(target=write, args=(f"w{n}",)) for n in range(4)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    assert errors == []
    assert balances(money)["u2"] == (1000 - 800, 800, 800)
    assert count_records(money, RecordFilter()) == (800, 800)


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.tuples(st.integers(0, 30), st.integers(1, 3), st.integers(-50, 500)), max_size=40), st.data())
def test_however_it_is_cut_into_batches_the_sums_are_right(
    money: Database, charges: list[tuple[int, int, int]], data: st.DataObject
) -> None:
    with money.writing() as c:
        Record.delete().execute(c)
        Token.update(remaining_quota=1000, used_quota=0).execute(c)
    all_of_them = [settlement(f"r{id}", quota, token=token, user=2) for id, token, quota in charges]
    cut = data.draw(st.integers(0, len(all_of_them)))
    write_batch(money, all_of_them[:cut])
    write_batch(money, all_of_them[cut:])
    first: dict[str, Settlement] = {}
    for s in all_of_them:
        first.setdefault(s.record.request_id, s)
    used: Counter[str] = Counter()
    for s in first.values():
        used[f"t{s.token_id}"] += s.quota
    assert {k: v[1] for k, v in balances(money).items() if k.startswith("t")} == {
        f"t{i}": used[f"t{i}"] for i in (1, 2, 3)
    }
