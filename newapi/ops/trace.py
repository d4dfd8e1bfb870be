"""One request, taken apart: its attempts, its times, what the conversion dropped, every factor of its bill."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from decimal import Decimal, localcontext
from typing import Any

import msgspec
from msgspec import Struct

from newapi.base.errors import NotFound
from newapi.base.units import QUOTA_PER_USD
from newapi.billing.price import EXACT
from newapi.billing.quote import plain
from newapi.store.database import Database
from newapi.store.ledger import RecordFilter, StoredRecord, query_records, refund_of


class Attempt(Struct, frozen=True):
    """One upstream that was asked. Milliseconds; it began `start_ms` after the first one did.

    Attributes:
        key: The position of the channel's key.
        status: What it answered; 0 when it did not.
        kind, message: How it failed; "" when it served.
        model, group: For which it was asked, where the caller asked for another model, or for a list of groups.
    """

    channel: str
    key: int
    start_ms: int
    ms: int
    status: int
    kind: str
    message: str
    model: str = ""
    group: str = ""


class BillLine(Struct, frozen=True):
    """One line of the bill: `count` at `usd_each` dollars, times `factor` (the group and others), make `usd`."""

    what: str
    count: int
    usd_each: str
    factor: str
    usd: str


class Trace(Struct, frozen=True):
    """One request.

    Attributes:
        created_at: When it was over, unix seconds.
        first_token_ms, duration_ms: Since it came in; 0 when there was no answer.
        losses: What the upstream's format could not say.
        usage: Tokens by bucket.
        lines: The bill line by line.
        factors: Every number that went into it, by New API's names.
        quota: What was charged; 500,000 are one US dollar.
        refunded: Of that, what was given back later.
    """

    request_id: str
    created_at: float
    kind: str
    user: str
    token: str
    group: str
    ip: str
    endpoint: str
    stream: bool
    model: str
    upstream_model: str
    entry_format: str
    upstream_format: str
    channel: str
    status: int
    end_reason: str
    error: str
    attempts: tuple[Attempt, ...]
    first_token_ms: int
    duration_ms: int
    losses: tuple[str, ...]
    usage: dict[str, Any]
    lines: tuple[BillLine, ...]
    factors: dict[str, Any]
    quota: int
    refunded: int


class _Try(Struct):
    channel: str
    ms: int
    key: int = 0
    status: int = 0
    kind: str = ""
    message: str = ""
    model: str = ""
    group: str = ""


def trace(db: Database, id: str) -> Trace:
    """Return the request with that id (as the caller got it), or of that line of the log.

    Raises:
        NotFound: There is none; it may have been pruned.
    """
    found = query_records(db, RecordFilter(request_id=id, limit=1))
    if not found and id.isdecimal() and len(id) < 19:
        found = [r for r in query_records(db, RecordFilter(after_id=int(id) - 1, limit=1)) if r.id == int(id)]
    if not found:
        raise NotFound(f"The log has no request {id!r}")
    (record,) = found
    return taken_apart(record, query_records(db, RecordFilter(request_id=refund_of(record.request_id), limit=0)))


def taken_apart(record: StoredRecord, refunds: Sequence[StoredRecord] = ()) -> Trace:
    """Return the request of one line of the log; `refunds` are the lines of what was given back of it."""
    factors: dict[str, Any] = _read(record.bill, dict[str, Any]) or {}
    lines = factors.pop("lines", {})
    return Trace(
        request_id=record.request_id,
        created_at=record.created_at,
        kind=record.kind,
        user=record.user_name,
        token=record.token_name,
        group=record.group,
        ip=record.ip,
        endpoint=record.endpoint,
        stream=record.stream,
        model=record.model,
        upstream_model=record.upstream_model,
        entry_format=record.entry_format,
        upstream_format=record.upstream_format,
        channel=record.channel_name,
        status=record.status,
        end_reason=record.end_reason,
        error=record.error,
        attempts=tuple(_attempts(record)),
        first_token_ms=record.first_token_ms,
        duration_ms=record.duration_ms,
        losses=tuple(_read(record.losses, list[str]) or ()),
        usage=_read(record.usage, dict[str, Any]) or {},
        lines=_lines(lines, factors),
        factors=factors,
        quota=record.quota,
        refunded=-sum(r.quota for r in refunds),
    )


def _read(text: str, type_: Any) -> Any:
    return msgspec.json.decode(text, type=type_) if text else None


def _attempts(record: StoredRecord) -> Iterator[Attempt]:
    """Yield the attempts: each begins when the one before it has failed."""
    start = 0
    for one in _read(record.tries, list[_Try]) or ():
        yield Attempt(one.channel, one.key, start, one.ms, one.status, one.kind, one.message, one.model, one.group)
        start += one.ms


def _lines(lines: dict[str, Sequence[Any]], factors: dict[str, Any]) -> tuple[BillLine, ...]:
    with localcontext(EXACT):
        factor = Decimal(str(factors.get("group_ratio", 1)))
        for value in factors.get("multipliers", {}).values():
            if value > 0:
                factor *= Decimal(str(value))
        return tuple(
            BillLine(
                what=what,
                count=count,
                usd_each=plain(Decimal(rate) / QUOTA_PER_USD),
                factor=plain(factor),
                usd=plain(count * Decimal(rate) * factor / QUOTA_PER_USD),
            )
            for what, (count, rate) in lines.items()
        )
