from __future__ import annotations

import time
from typing import Any

import pytest

from newapi.cli.output import ExitCode
from newapi.ops.local import Local
from newapi.store.ledger import UsageRecord, write_record
from tests.cli.commands.conftest import Run


@pytest.fixture
def used(run: Run, local: Local) -> Run:
    now = time.time()
    ci: Any = {"token_name": "ci", "user_name": "root", "channel_name": "main", "group": "vip"}
    for record in (
        UsageRecord("r1", now, model="gpt-4o", quota=500_000, prompt_tokens=100, completion_tokens=10, **ci),
        UsageRecord("r2", now, model="o3", quota=125_000, prompt_tokens=7),
        UsageRecord("r3", now - 40 * 86_400, model="old", quota=1),
        UsageRecord("r4", now, model="gpt-4o", kind="error", quota=0),
    ):
        write_record(local.db, record)
    return run


@pytest.mark.parametrize(
    ("flags", "lines"),
    [
        ((), ["gpt-4o\t1\t100\t10\t$1.00", "o3\t1\t7\t0\t$0.25"]),
        (
            ("--since", "90d", "--limit", "3"),
            ["gpt-4o\t1\t100\t10\t$1.00", "o3\t1\t7\t0\t$0.25", "old\t1\t0\t0\t$0.000002"],
        ),
        (("--by", "token,model"), ["ci\tgpt-4o\t1\t100\t10\t$1.00", "\to3\t1\t7\t0\t$0.25"]),
        (("--by", "group", "--group", "vip"), ["vip\t1\t100\t10\t$1.00"]),
        (("--user", "root"), ["gpt-4o\t1\t100\t10\t$1.00"]),
        (("--channel", "main", "--model", "o3"), []),
        (("--token", "ci", "--by", "channel", "--by", "user"), ["main\troot\t1\t100\t10\t$1.00"]),
    ],
)
def test_sums(used: Run, flags: tuple[str, ...], lines: list[str]) -> None:
    done = used("usage", *flags)
    assert (done.code, done.out.splitlines()) == (0, lines), done.err


def test_bars_are_in_proportion(used: Run) -> None:
    bars = [line.rpartition("\t")[2] for line in used("usage", "--plot").out.splitlines()]
    assert bars == ["█" * 40, "█" * 10]


def test_by_day_for_programs(used: Run) -> None:
    today = time.strftime("%Y-%m-%d", time.gmtime())
    items: Any = used("usage", "--by", "day", "-o", "json").json()["items"]
    expected = {"requests": 2, "prompt_tokens": 107, "completion_tokens": 10, "quota": 625_000, "usd": "1.25"}
    assert items == [{"day": today, **expected}]


@pytest.mark.parametrize("flags", [("--by", "colour"), ("--since", "soon"), ("--limit", "-1")])
def test_wrong_usage(used: Run, flags: tuple[str, ...]) -> None:
    assert used("usage", *flags).code == ExitCode.USAGE
