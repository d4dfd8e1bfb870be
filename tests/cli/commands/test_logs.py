from __future__ import annotations

import time
from typing import Any

import msgspec
import pytest

from newapi.ops.local import Local
from newapi.store.ledger import UsageRecord, write_record
from tests.cli.commands.conftest import Run


@pytest.fixture
def logged(run: Run, local: Local) -> Run:
    now = time.time()
    t1: Any = {"token_name": "ci", "model": "gpt-4o", "channel_name": "main", "user_name": "root"}
    for record in (
        UsageRecord("r1", now - 7200, status=200, quota=5000, duration_ms=900, usage='{"input":3}', **t1),
        UsageRecord("r2", now - 60, status=500, kind="error", error="it\nbroke", tries='[{"channel":"a"}]', **t1),
        UsageRecord("r3", now, status=200, quota=50_000, duration_ms=2500, model="o3", user_name="ann"),
    ):
        write_record(local.db, record)
    return run


@pytest.mark.parametrize(
    ("flags", "ids"),
    [
        ((), ["r1", "r2", "r3"]),
        (("--since", "1h"), ["r2", "r3"]),
        (("--since", "30s"), ["r3"]),
        (("--status", "error"), ["r2"]),
        (("--status", "200"), ["r1", "r3"]),
        (("--model", "gpt-4o"), ["r1", "r2"]),
        (("--token", "ci", "--status", "ok"), ["r1"]),
        (("--channel", "main"), ["r1", "r2"]),
        (("--user", "ann"), ["r3"]),
        (("--request-id", "r2"), ["r2"]),
        (("--min-cost", "$0.05"), ["r3"]),
        (("--min-cost", "0.01"), ["r1", "r3"]),
        (("--min-latency", "2s"), ["r3"]),
        (("--limit", "1"), ["r3"]),
    ],
)
def test_filters(logged: Run, flags: tuple[str, ...], ids: list[str]) -> None:
    done = logged("logs", *flags)
    assert done.code == 0, done.err
    assert [line.split("\t")[1] for line in done.out.splitlines()] == ids


def test_a_line_for_people(logged: Run) -> None:
    first, second, _ = logged("logs").out.splitlines()
    assert first.split("\t")[1:] == ["r1", "ci", "gpt-4o", "main", "200", "0", "0", "$0.01", "900", ""]
    assert second.endswith("\tit broke")


def test_all_of_it_for_programs(logged: Run) -> None:
    items = logged("logs", "-o", "json").json()["items"]
    assert isinstance(items, list)
    assert (items[0]["usage"], items[0]["bill"], items[1]["tries"]) == ({"input": 3}, {}, [{"channel": "a"}])
    lines = logged("logs", "-o", "ndjson").out.splitlines()
    assert [msgspec.json.decode(line)["id"] for line in lines] == [1, 2, 3]


@pytest.mark.parametrize(
    "flags",
    [
        ("--since", "yesterday"),
        ("--min-cost", "much"),
        ("--min-latency", "5"),
        ("--status", "odd"),
        ("-f", "-o", "csv"),
    ],
)
def test_what_makes_no_sense(logged: Run, flags: tuple[str, ...]) -> None:
    assert logged("logs", *flags).code == 2


@pytest.mark.parametrize("form", ["table", "json"])
def test_following(logged: Run, local: Local, monkeypatch: pytest.MonkeyPatch, form: str) -> None:
    """It goes on with what comes, until Ctrl-C."""

    def come(_: float) -> None:
        monkeypatch.setattr(time, "sleep", leave)
        write_record(local.db, UsageRecord("r4", time.time(), model="gpt-4o"))

    def leave(_: float) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(time, "sleep", come)
    done = logged("logs", "-f", "--model", "gpt-4o", "-o", form)
    assert done.code == 130
    lines = done.out.splitlines()
    if form == "json":
        assert [msgspec.json.decode(line)["request_id"] for line in lines] == ["r1", "r2", "r4"]
    else:
        assert [line.split("\t")[1] for line in lines] == ["r1", "r2", "r4"]
