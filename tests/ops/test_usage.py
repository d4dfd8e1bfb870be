from __future__ import annotations

from typing import Any

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from newapi.ops.local import Local
from newapi.ops.usage import By, rate, usage
from newapi.store.ledger import RecordFilter, UsageRecord, write_record
from newapi.store.models import Record

HOUR, DAY = 3600, 86_400
NOON = 1_750_000_000 // DAY * DAY + 12 * HOUR
ALL = RecordFilter()


def say(local: Local, id: str, at: float = NOON, **values: Any) -> None:
    write_record(local.db, UsageRecord(id, at, **{"model": "m", "user_id": 1, "user_name": "ann", **values}))


def told(found: list[Any], *names: str) -> list[tuple[Any, ...]]:
    return [tuple(getattr(s, n) for n in names) for s in found]


def test_sums_by_model_the_dearest_first(local: Local) -> None:
    say(local, "1", quota=10, prompt_tokens=100, completion_tokens=5)
    say(local, "2", quota=20, prompt_tokens=200, completion_tokens=6)
    say(local, "3", quota=100, model="n", prompt_tokens=1)
    found = usage(local.db, ALL, ["model"])
    assert told(found, "model", "requests", "prompt_tokens", "completion_tokens", "tokens", "quota") == [
        ("n", 1, 1, 0, 1, 100),
        ("m", 2, 300, 11, 311, 30),
    ]


@pytest.mark.parametrize(
    ("by", "expected"),
    [
        ("hour", [(NOON - HOUR, 1), (NOON, 2), (NOON + 12 * HOUR, 4)]),
        ("day", [(NOON - 12 * HOUR, 3), (NOON + 12 * HOUR, 4)]),
    ],
)
def test_sums_by_time_the_earliest_first(local: Local, by: By, expected: list[tuple[int, int]]) -> None:
    say(local, "1", NOON - 0.5, quota=1)
    say(local, "2", NOON + HOUR - 0.5, quota=2)
    say(local, "3", NOON + 12 * HOUR, quota=4)
    assert told(usage(local.db, ALL, [by]), "at", "quota") == expected


@pytest.mark.parametrize(
    ("by", "names", "expected"),
    [
        ("user", ("user_id", "user", "quota"), [(2, "bob", 4), (1, "ann", 3)]),
        ("token", ("token_id", "token", "quota"), [(8, "u", 4), (7, "t", 3)]),
        ("channel", ("channel_id", "channel", "quota"), [(4, "b", 4), (3, "a", 3)]),
        ("group", ("group", "quota"), [("vip", 4), ("default", 3)]),
    ],
)
def test_sums_by_whatever_a_line_says(local: Local, by: By, names: Any, expected: Any) -> None:
    one = {"token_id": 7, "token_name": "t", "channel_id": 3, "channel_name": "a", "group": "default"}
    two = {"token_id": 8, "token_name": "u", "channel_id": 4, "channel_name": "b", "group": "vip"}
    say(local, "1", quota=3, **one)
    say(local, "2", quota=4, user_id=2, user_name="bob", **two)
    assert told(usage(local.db, ALL, [by]), *names) == expected


def test_only_what_was_used_counts_and_refunds_give_back(local: Local) -> None:
    say(local, "1", quota=10)
    say(local, "1/refund", kind="refund", quota=-4)
    for number, kind in enumerate(("topup", "manage", "error", "system")):
        say(local, f"x{number}", kind=kind, quota=1000)
    assert told(usage(local.db, ALL), "requests", "quota") == [(1, 6)]


def test_nothing_used_is_no_sum_of_anything_and_one_sum_of_nothing(local: Local) -> None:
    assert usage(local.db, ALL, ["model"]) == []
    assert told(usage(local.db, ALL), "requests", "quota") == [(0, 0)]


@pytest.mark.parametrize(
    ("wanted", "quota"),
    [
        (RecordFilter(since=NOON), 6),
        (RecordFilter(until=NOON), 1),
        (RecordFilter(model="m"), 5),
        (RecordFilter(user="bob"), 4),
        (RecordFilter(user="b%", patterns=True), 4),
        (RecordFilter(user="b%"), 0),
        (RecordFilter(model="%", patterns=True), 7),
        (RecordFilter(channel_id=3), 2),
        (RecordFilter(kinds=("consume",), user_id=1), 3),
        (RecordFilter(limit=1, offset=5), 7),
    ],
)
def test_only_what_is_wanted(local: Local, wanted: RecordFilter, quota: int) -> None:
    say(local, "1", NOON - 1, quota=1)
    say(local, "2", NOON, quota=2, model="n", channel_id=3)
    say(local, "3", NOON + 1, quota=4, user_id=2, user_name="bob")
    assert sum(s.quota for s in usage(local.db, wanted)) == quota


def test_a_limit_keeps_the_dearest(local: Local) -> None:
    for number in range(5):
        say(local, str(number), quota=number, model=f"m{number}")
    assert told(usage(local.db, ALL, ["model"], limit=2), "model") == [("m4",), ("m3",)]


def test_the_rate_is_of_the_last_minute_whatever_the_time_that_is_asked_for(local: Local) -> None:
    say(local, "1", NOON - 61, quota=1, prompt_tokens=1000)
    say(local, "2", NOON - 59, quota=2, prompt_tokens=10, completion_tokens=5)
    say(local, "3", NOON - 1, quota=4, completion_tokens=1, user_id=2)
    found = rate(local.db, RecordFilter(until=NOON - 60), now=NOON)
    assert msgspec.structs.astuple(found) == (1, 2, 16)
    assert msgspec.structs.astuple(rate(local.db, RecordFilter(user_id=2), now=NOON)) == (4, 1, 1)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=25, deadline=None)
@given(
    st.lists(
        st.tuples(st.integers(0, 3 * DAY), st.sampled_from("abc"), st.integers(-5, 100), st.integers(0, 50)),
        max_size=12,
    )
)
def test_parts_add_up_to_the_whole(local: Local, lines: list[tuple[int, str, int, int]]) -> None:
    with local.db.writing() as c:
        Record.delete().execute(c)
    for number, (at, model, quota, tokens) in enumerate(lines):
        say(local, str(number), NOON + at, model=model, quota=quota, prompt_tokens=tokens)
    (whole,) = usage(local.db, ALL)
    bys: list[list[By]] = [["model"], ["hour"], ["day", "model"], ["user", "token", "channel", "group"]]
    for by in bys:
        parts = usage(local.db, ALL, by)
        for name in ("requests", "quota", "tokens"):
            assert sum(getattr(p, name) for p in parts) == getattr(whole, name)
