"""The end of a request: what it costs, and the row that says so."""

from __future__ import annotations

from typing import Any, get_args

import msgspec
from msgspec import Struct

from newapi.base.errors import NoChannel, UpstreamKind
from newapi.billing.charge import Bill, Call, charge, logged_prompt
from newapi.formats.contract import Peek
from newapi.ir.usage import Usage
from newapi.relay import tally
from newapi.relay.gateway import Gateway
from newapi.relay.values import EndReason, Ingress, Meter, Order, Prepared, Try
from newapi.store.ledger import Settlement, UsageRecord


class Outcome(Struct, frozen=True):
    """How a request ended.

    Attributes:
        status: The HTTP status the caller got; 499 when it hung up before any.
        answered: Whether an upstream served something that is to be charged.
        end: How it ended; `done` when the answer arrived whole.
        error: What the caller was told went wrong, or "".
        usage: Tokens to charge.
        tries: Every attempt.
        prepared, meter: Of the last attempt.
    """

    status: int
    answered: bool
    end: EndReason
    error: str
    usage: Usage
    tries: tuple[Try, ...]
    prepared: Prepared | None
    meter: Meter | None


def call_of(ingress: Ingress, peek: Peek, prepared: Prepared | None) -> Call:
    """Return what the price of a call depends on besides usage."""
    return Call(
        endpoint=ingress.route.endpoint,
        entry_format=ingress.format.name,
        upstream_format=prepared.upstream.name if prepared else "",
        provider=prepared.channel.provider.name if prepared else "",
        n=peek.n,
        image_size=peek.image_size,
        image_quality=peek.image_quality,
    )


def settle(order: Order, outcome: Outcome, gateway: Gateway) -> int:
    """Charge what was served, or give the reservation back; log either; return the quota. Never waits."""
    ingress, caller, prepared, meter = order.ingress, order.caller, outcome.prepared, outcome.meter
    call = call_of(ingress, order.peek, prepared)
    bill: Bill | None = None
    if outcome.answered:
        bill = charge(outcome.usage, order.price, group_ratio=caller.group_ratio, call=call)
    now = gateway.clock()
    upstream = prepared.upstream.name if prepared else ""
    first = meter.first_at if meter else 0.0
    record = UsageRecord(
        request_id=ingress.request_id,
        created_at=now,
        kind="consume" if outcome.answered else "error",
        user_id=caller.user.id,
        user_name=caller.user.name,
        token_id=caller.token.id,
        token_name=caller.token.name,
        channel_id=prepared.channel.id if prepared else 0,
        channel_name=prepared.channel.name if prepared else "",
        group=caller.group,
        model=order.peek.model,
        upstream_model=prepared.target.model if prepared else "",
        entry_format=ingress.format.name,
        upstream_format=upstream,
        endpoint=ingress.route.endpoint,
        stream=order.peek.stream,
        status=outcome.status,
        quota=bill.quota if bill else 0,
        prompt_tokens=bill.prompt_tokens if bill else logged_prompt(outcome.usage, upstream),
        completion_tokens=bill.completion_tokens if bill else 0,
        usage=_json(outcome.usage) if outcome.answered else "",
        bill=_json(bill.factors | _ratios(order)) if bill else "",
        tries=_json(outcome.tries),
        first_token_ms=max(0, round((first - ingress.clock) * 1000)) if first else 0,
        duration_ms=round((now - ingress.received) * 1000),
        end_reason=outcome.end,
        ip=ingress.peer,
        error=outcome.error,
        losses=_json(prepared.losses) if prepared and prepared.losses else "",
    )
    settlement = Settlement(
        record=record,
        token_id=caller.token.id,
        user_id=caller.user.id,
        channel_id=record.channel_id,
        quota=record.quota,
    )
    gateway.ledger.settle_soon(order.reservation, settlement)
    tries = len(outcome.tries) or int(prepared is not None)  # one that a hang-up cut off is not noted
    gateway.tally.note(record, outcome.usage, tries, _outcome(outcome))
    return record.quota


def _ratios(order: Order) -> dict[str, Any]:
    special = order.caller.user_ratio
    said: dict[str, Any] = {"user_group_ratio": -1 if special is None else float(special)}
    if order.asked_model:
        said["asked_model"] = order.asked_model
    if order.caller.list_name:
        said["asked_group"] = order.caller.list_name
    return said


_ENDS: dict[EndReason, tally.Outcome] = {"done": "ok", "client_gone": "client_abort", "stopped": "internal_error"}


def _outcome(outcome: Outcome) -> tally.Outcome:
    """Say how the request ended, for those who count."""
    if (known := _ENDS.get(outcome.end)) is not None:
        return known
    if not outcome.tries:
        return "no_channel" if outcome.status == NoChannel.status else "internal_error"
    kind = outcome.tries[-1].kind
    if kind == "timeout":
        return "upstream_timeout"
    if kind in get_args(UpstreamKind):
        return "upstream_error"
    return "invalid" if outcome.status < 500 else "internal_error"


def _json(value: Any) -> str:
    return msgspec.json.encode(value).decode()
