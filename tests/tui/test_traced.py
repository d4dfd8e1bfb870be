"""One request of the log, taken apart from what the ledger really wrote down of it."""

from __future__ import annotations

from pathlib import Path

import msgspec

from newapi.billing.book import PriceBook
from newapi.billing.charge import charge
from newapi.billing.quote import Call
from newapi.ir.usage import Usage
from newapi.ops.live import LogRow, Logs, Told
from newapi.relay.values import Try
from newapi.store.ledger import UsageRecord, write_record
from tests.support.live import START
from tests.tui.screens.gateway import here, recorded
from tests.tui.watching import told, watching

AT = START + 500.0


def encoded(value: object) -> str:
    return msgspec.json.encode(value).decode()


def record() -> UsageRecord:
    price = PriceBook({}).find("gpt-4o")
    assert price is not None
    usage = Usage(input=1000, cache_read=400, output=100)
    bill = charge(usage, price, call=Call(entry_format="anthropic_messages", upstream_format="openai_chat"))
    tries = (
        Try("main", 1, 0, 300, 429, "status", "slow down"),
        Try("spare", 2, 1, 600, 200, model="mini", group="vip"),
    )
    return UsageRecord(
        "req-1",
        AT,
        user_name="ann",
        token_name="ci",
        group="vip",
        ip="10.0.0.1",
        endpoint="chat",
        model="gpt-4o",
        upstream_model="gpt-4o-2024-11-20",
        entry_format="anthropic_messages",
        upstream_format="openai_chat",
        stream=True,
        status=200,
        channel_name="spare",
        end_reason="done",
        quota=bill.quota,
        usage=encoded(usage),
        bill=encoded(bill.factors),
        tries=encoded(tries),
        losses=encoded(["top_k"]),
        first_token_ms=950,
        duration_ms=1200,
    )


async def test_one_request_taken_apart(tmp_path: Path) -> None:
    (tmp_path / "ledger").mkdir()
    gateway, local, _ = here(tmp_path / "ledger")
    one = record()
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
