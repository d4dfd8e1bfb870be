"""Where no server runs: the log as it grows, told as a server would."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import aclosing
from pathlib import Path
from typing import Any

import msgspec
import pytest

from newapi.base.errors import StoreError
from newapi.ir.usage import Usage
from newapi.ops import live_database
from newapi.ops.apply import apply
from newapi.ops.live import Channels, Hello, Link, Logs, Stats, Told
from newapi.ops.live_database import last_rows, series, tries_of, usage_of, watch
from newapi.ops.live_rings import Sum
from newapi.ops.local import Local, open_local
from newapi.store import series as store_series
from newapi.store.ledger import StoredRecord, UsageRecord, write_record

START = 1_790_000_000.0
CONFIG = """
version = 1
[channels.a]
type = "openai"
key = "env:UP"
models = ["gpt-4o"]
[channels.off]
type = "openai"
keys = ["env:UP", "env:UP2"]
models = ["gpt-4o"]
enabled = false
"""


@pytest.fixture
def local(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Local:
    monkeypatch.setenv("UP", "x")
    monkeypatch.setenv("UP2", "y")
    path = tmp_path / "config.toml"
    path.write_text(CONFIG)
    local = open_local(path)
    apply(local, local.config, who="test")
    return local


def line(id: str, **about: Any) -> UsageRecord:
    known = {"model": "gpt-4o", "channel_name": "a", "token_name": "t", "group": "g", "endpoint": "chat"}
    ended = {"status": 200, "end_reason": "done", "quota": 5, "duration_ms": 100}
    return UsageRecord(request_id=id, created_at=START, **{**known, **ended, **about})


class Time:
    """A second passes at every wait; what is planned for it happens then."""

    def __init__(self, *plan: Any) -> None:
        self.now = START + 0.5
        self._plan = list(plan)

    def clock(self) -> float:
        return self.now

    async def sleep(self, seconds: float) -> None:
        if not self._plan:
            raise EOFError
        self.now += seconds
        if (todo := self._plan.pop(0)) is not None:
            todo()


async def gather(events: AsyncIterator[Told]) -> list[Any]:
    got: list[Any] = []
    try:
        async for told in events:
            got.append(told.event)
    except EOFError:
        pass
    return got


async def test_lines_are_told_as_they_come(local: Local) -> None:
    db = local.db
    write_record(db, line("before"))
    usage = msgspec.json.encode(Usage(input=7, cache_read=3, output=2)).decode()

    def two() -> None:
        write_record(db, line("one", usage=usage, tries='[{"a":1},{"b":2}]', first_token_ms=40))
        write_record(db, line("two", kind="error", status=502, end_reason="error", quota=0, error="no"))
        write_record(db, line("three", kind="topup", quota=-5))

    time = Time(None, two, None)
    link, hello, *rest = await gather(watch(db, sleep=time.sleep, clock=time.clock))
    assert isinstance(link, Link)
    assert "no server answers" in link.message
    assert isinstance(hello, Hello)
    assert hello.source == "database"
    assert [r.request_id for r in hello.logs] == ["before"]
    assert [(c.name, c.state, c.keys) for c in hello.channels] == [("a", "up", 1), ("off", "disabled", 2)]
    assert hello.system.processes == ()
    stats = [e for e in rest if isinstance(e, Stats)]
    assert [(s.requests, s.errors, s.quota) for s in stats] == [(0, 0, 0), (2, 1, 5), (0, 0, 0)]
    assert (stats[1].tokens_in, stats[1].tokens_cached, stats[1].tokens_out) == (10, 3, 2)
    (logs,) = [e for e in rest if isinstance(e, Logs)]
    assert [(r.request_id, r.tries, r.first_ms, r.error) for r in logs.rows] == [
        ("one", 2, 40, ""),
        ("two", 1, 0, "no"),
    ]


async def test_only_what_is_asked_for_is_told(local: Local) -> None:
    time = Time(lambda: write_record(local.db, line("one")), None)
    got = await gather(watch(local.db, topics=("logs",), sleep=time.sleep, clock=time.clock))
    assert {type(e) for e in got} == {Link, Hello, Logs}


async def test_a_channel_that_is_switched_is_told(local: Local) -> None:
    from newapi.ops import channels

    def off() -> None:
        channels.switch(local.db, [channels.get(local.db, "a").id], "disabled", who="test")

    time = Time(off, *[None] * 6)
    got = await gather(watch(local.db, sleep=time.sleep, clock=time.clock))
    told = [r for e in got if isinstance(e, Channels) for r in e.rows if r.state == "disabled"]
    assert [r.name for r in told] == ["a"]


async def test_a_database_that_cannot_be_read_is_tried_again_and_it_is_said(
    local: Local, monkeypatch: pytest.MonkeyPatch
) -> None:
    def breaks(on: bool) -> None:
        if on:

            def fails(*_: Any) -> Any:
                raise StoreError("it is away")

            monkeypatch.setattr(live_database, "query_records", fails)
        else:
            monkeypatch.undo()

    time = Time(lambda: breaks(on=True), lambda: breaks(on=False), None)
    async with aclosing(watch(local.db, sleep=time.sleep, clock=time.clock)) as events:
        got = await gather(events)
    assert [e.state for e in got if isinstance(e, Link)] == ["connected", "lost", "connected"]
    assert "away" in next(e.message for e in got if isinstance(e, Link) and e.state == "lost")


def test_history_is_what_a_server_wrote_down_or_what_the_log_says(local: Local) -> None:
    for number in range(3):
        write_record(local.db, line(f"r{number}"))
    told = series(local.db, "7d", START + 60)
    assert (sum(told.requests), sum(told.quota)) == (3, 15)
    hour = int(START) - int(START) % 3600
    store_series.write(local.db, [("hour", hour, msgspec.json.encode(Sum(hour, requests=9, errors=2)).decode())])
    told = series(local.db, "7d", START + 60)
    assert (sum(told.requests), sum(told.errors)) == (9, 2)


@pytest.mark.parametrize("text", ['{"input":', "[]", '{"input":"x"}', "\ud800"])
def test_what_cannot_be_read_of_a_line_is_what_its_columns_say(text: str) -> None:
    record = StoredRecord(
        request_id="r", created_at=1.0, id=1, usage=text, tries=text, prompt_tokens=4, completion_tokens=2
    )
    assert (usage_of(record).prompt, usage_of(record).completion) == (4, 2)
    assert tries_of(record) in (0, 1)


def test_the_last_lines_come_the_earliest_first(local: Local) -> None:
    for number in range(5):
        write_record(local.db, line(f"r{number}"))
    assert [r.request_id for r in last_rows(local.db, 3)] == ["r2", "r3", "r4"]
