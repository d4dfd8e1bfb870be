"""A request of the log with everything that there is to be told of one."""

from __future__ import annotations

import msgspec

from newapi.billing.book import PriceBook
from newapi.billing.charge import charge
from newapi.billing.quote import Call
from newapi.ir.usage import Usage
from newapi.relay.values import Try
from newapi.store.ledger import UsageRecord


def _encoded(value: object) -> str:
    return msgspec.json.encode(value).decode()


def one_record(at: float, said: str) -> UsageRecord:
    """Return the line of a request that a second channel served; the upstream of the first `said` why it would not."""
    price = PriceBook({}).find("gpt-4o")
    assert price is not None
    usage = Usage(input=1000, cache_read=400, output=100)
    bill = charge(usage, price, call=Call(entry_format="anthropic_messages", upstream_format="openai_chat"))
    tries = (
        Try("main", 1, 0, 300, 429, "status", said),
        Try("spare", 2, 1, 600, 200, model="mini", group="vip"),
    )
    return UsageRecord(
        "req-1",
        at,
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
        usage=_encoded(usage),
        bill=_encoded(bill.factors),
        tries=_encoded(tries),
        losses=_encoded(["top_k"]),
        first_token_ms=950,
        duration_ms=1200,
    )
