from __future__ import annotations

from pathlib import Path

import pytest

from newapi.base.secret import Secret
from newapi.ops.apply import apply
from newapi.ops.live_look import look
from newapi.ops.local import Local, open_local
from newapi.relay.build import build
from newapi.relay.snapshot import Snapshot
from newapi.store import snapshot as store_snapshot
from newapi.store.ledger import UsageRecord, write_record

NOW = 1_790_000_000.0
CONFIG = """
version = 1
[channels.a]
type = "openai"
key = "env:UP"
models = ["gpt-4o"]
[tokens.poor]
key = "env:KEY"
unlimited = true
budget = { day = "$1", month = "$100" }
[tokens.rich]
key = "env:KEY2"
unlimited = true
"""


@pytest.fixture
def local(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Local:
    for name, value in (("UP", "x"), ("KEY", "sk-" + "a" * 48), ("KEY2", "sk-" + "b" * 48)):
        monkeypatch.setenv(name, value)
    path = tmp_path / "config.toml"
    path.write_text(CONFIG)
    return open_local(path)


def snapshot(local: Local) -> Snapshot:
    return build(store_snapshot.load(local.db), lambda _: Secret("x"), print)


def spend(local: Local, token: str, quota: int, at: float = NOW) -> None:
    ids = {t.name: t.id for t in store_snapshot.load(local.db).tokens}
    write_record(local.db, UsageRecord(f"{token}{quota}{at}", at, token_id=ids[token], token_name=token, quota=quota))


def test_a_gateway_in_order_has_no_alerts(local: Local) -> None:
    before = look(local, snapshot(local), NOW)
    assert (before.sync, before.applied_at) == ("never applied", 0)
    apply(local, local.config, who="test")
    found = look(local, snapshot(local), NOW)
    assert (found.alerts, found.generation, found.sync, found.differences) == ((), 1, "in sync", 0)
    assert found.database_bytes > 0
    assert found.applied_at > 0


@pytest.mark.parametrize(
    ("quota", "level"), [(399_999, None), (400_000, "warning"), (499_999, "warning"), (500_000, "error")]
)
def test_a_budget_that_runs_out_is_told(local: Local, quota: int, level: str | None) -> None:
    apply(local, local.config, who="test")
    spend(local, "poor", quota)
    spend(local, "poor", 10_000_000, NOW - 86_400)  # yesterday, which is this month
    spend(local, "rich", 10**9)
    alerts = look(local, snapshot(local), NOW).alerts
    assert [(a.kind, a.subject, a.level) for a in alerts] == ([("budget", "poor", level)] if level else [])
    assert all("$1.00 a day" in a.message for a in alerts)


def test_drift_is_told_and_a_file_that_is_being_edited_is_not(local: Local) -> None:
    apply(local, local.config, who="test")
    local.path.write_text(CONFIG.replace('"$1"', '"$2"'))
    found = look(local, snapshot(local), NOW)
    assert (found.sync, found.differences) == ("drifted", 1)
    assert [(a.kind, a.message) for a in found.alerts] == [("drift", "1 object differs from the file")]
    local.path.write_text("[channels")
    assert look(local, snapshot(local), NOW).sync == "unknown"


def test_a_model_that_would_be_refused_is_told(local: Local) -> None:
    apply(local, local.config, who="test")
    there = snapshot(local)
    there.channels[0].models.exact |= {"made-up"}  # as where `unpriced` was changed after it was applied
    (alert,) = look(local, there, NOW).alerts
    assert (alert.kind, alert.subject) == ("no_price", "made-up")
    assert alert.message.startswith("a would serve it")
