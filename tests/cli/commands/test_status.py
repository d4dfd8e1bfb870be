from __future__ import annotations

import time
from pathlib import Path

import msgspec
import pytest

from newapi import __version__
from newapi.ops.local import Local
from newapi.ops.status import status
from newapi.store.ledger import UsageRecord, write_record
from tests.cli.commands.conftest import CONFIG, Run

NOW = 1_800_000_000.0
DAY = NOW - NOW % 86_400


@pytest.fixture(autouse=True)
def _listens_nowhere(config: Path) -> None:
    config.write_text(CONFIG.replace("[server]", '[server]\nlisten = "127.0.0.1:1"'))


def test_a_table(run: Run) -> None:
    run("apply", "--yes")
    assert run("status").out == (
        f"version\t{__version__}\ngeneration\t1\nconfiguration\tin sync\nserving\tfalse\n"
        "channels\t1 enabled, 0 disabled, 0 tripped\nrequests today\t0\nerrors today\t0\nspend today\t$0.00\n"
    )


def test_today(local: Local) -> None:
    for record in (
        UsageRecord("r0", DAY - 1, status=200, quota=5000),
        UsageRecord("r1", DAY, status=200, quota=5000),
        UsageRecord("r2", DAY + 5, status=500, kind="error"),
        UsageRecord("r3", DAY + 9, kind="topup", quota=7),
    ):
        write_record(local.db, record)
    now = status(local, now=NOW)
    assert (now.since, now.requests, now.errors, now.spend) == (DAY, 2, 1, 5000)


def test_json_and_drift(run: Run, config: Path) -> None:
    assert run("status", "-o", "json").json()["sync"] == "never applied"
    assert run("status", "--exit-code").code == 3
    run("apply", "--yes")
    assert run("status", "--exit-code").code == 0
    config.write_text(config.read_text().replace("ratio = 0.8", "ratio = 0.7"))
    assert run("status").code == 0
    done = run("status", "--exit-code", "-o", "json")
    told = done.json()
    assert (done.code, told["sync"], told["differences"], told["generation"]) == (3, "drifted", 1, 1)
    assert told["channels"] == {"enabled": 1, "disabled": 0, "tripped": 0}
    assert isinstance(told["since"], float)
    assert told["since"] <= time.time()


def test_watching_the_database_where_no_server_answers(run: Run, local: Local) -> None:
    run("apply", "--yes")
    shown = run("status", "--watch", "--limit", "1")
    assert shown.code == 0
    head, line = shown.out.splitlines()
    assert head.split("\t")[:4] == ["time", "requests", "failed", "under_way"]
    assert line.split("\t")[1:4] == ["0", "0", "0"]
    assert "no server answers" in shown.err
    told = msgspec.json.decode(run("status", "--watch", "--limit", "1", "-o", "ndjson").out)
    assert told["requests"] == 0


def test_what_has_no_end_is_no_list(run: Run) -> None:
    assert run("status", "--watch", "-o", "csv").code == 2
