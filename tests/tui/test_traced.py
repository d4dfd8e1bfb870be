"""One request of the log, taken apart from what the ledger really wrote down of it."""

from __future__ import annotations

from pathlib import Path

from newapi.ops.live import LogRow, Logs, Told
from newapi.store.ledger import UsageRecord, write_record
from tests.support.live import START
from tests.support.traced import one_record
from tests.tui.screens.gateway import here, recorded
from tests.tui.watching import told, watching

AT = START + 500.0


async def test_one_request_taken_apart(tmp_path: Path) -> None:
    (tmp_path / "ledger").mkdir()
    gateway, local, _ = here(tmp_path / "ledger")
    one = one_record(AT, "slow down")
    write_record(local.db, one)
    write_record(local.db, UsageRecord("req-1/refund", AT, kind="refund", quota=-one.quota))
    row = LogRow(AT, "req-1", model="gpt-4o", status=200)
    events = [*recorded(1), Told("", Logs(int(AT), (row,)))]
    async with watching(tmp_path, "logs", events=events, acts_on=gateway) as seen:
        await seen.press("up", "down", "enter")
        await seen.until(lambda: "BILL" in told(seen))
        said = told(seen)
        for part in ("dropped top_k", "status: slow down", "429", "first token", "given back", "cache", "converted"):
            assert part in said.replace("dropped  ", "dropped ")
    local.db.close()
