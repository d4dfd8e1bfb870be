"""Prices past requests anew, after a price was wrong."""

from __future__ import annotations

import time
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from newapi.base.errors import NewapiError
from newapi.base.progress import tell
from newapi.base.units import QUOTA_PER_USD
from newapi.billing.book import PriceBook
from newapi.billing.charge import charge
from newapi.billing.quote import Call
from newapi.ir.usage import Usage
from newapi.relay.build import price_book
from newapi.store import audit, rerating
from newapi.store import snapshot as store_snapshot
from newapi.store.database import Database
from newapi.store.ledger import RecordFilter, StoredRecord, last_record_id, query_records
from newapi.store.rerating import Repriced
from newapi.store.usage import count_records

_CHUNK = 200
"""Lines that are read, and changed, at once."""


class ModelChange(Struct):
    """What the requests for a model cost (quota) and are to cost, those whose price changes."""

    model: str
    requests: int = 0
    before: int = 0
    after: int = 0


class Rerating(Struct):
    """What pricing the log anew does.

    Attributes:
        requests: Lines that were looked at.
        changed: Those whose price changes.
        before, after: Quota of those.
        models: The same by model, the greatest difference first.
        kept: Why lines keep the price they have -> how many.
    """

    requests: int = 0
    changed: int = 0
    before: int = 0
    after: int = 0
    models: list[ModelChange] = []
    kept: dict[str, int] = {}


def rerate(
    db: Database,
    wanted: RecordFilter,
    *,
    who: str,
    directory: Path | None = None,
    dry_run: bool = False,
    now: float | None = None,
) -> Rerating:
    """Give the requests that `wanted` describes the prices that are in force, and everyone the difference.

    The share that the group paid stays what it was: only the model's price is applied anew. A line keeps its first
    price in its bill, as `rerated`. A line and the balances it was charged to change in one transaction.

    Args:
        db: The database.
        wanted: Which requests; its limit and order do not matter.
        who: For the audit.
        directory: Where the configuration lies, whose `billing.prices` may name a file.
        dry_run: Only say what would change.
        now: Unix seconds.

    Raises:
        NewapiError: The file of prices cannot be read.
        StoreError: The database cannot be read or written; what was changed before is.
    """
    now = time.time() if now is None else now
    stored = store_snapshot.load(db)
    book = price_book(stored, _refuse, directory or Path())
    providers = {c.id: c.spec.type for c in stored.channels}
    done, models = Rerating(models=[], kept={}), dict[str, ModelChange]()
    total, _ = count_records(db, replace(wanted, kinds=("consume",)))
    for records in _chunks(db, wanted):
        tell("Pricing requests", done.requests, total)
        refunds = rerating.refunded(db, [r.request_id for r in records])
        changes: list[Repriced] = []
        for record in records:
            done.requests += 1
            reason = "it was refunded" if record.request_id in refunds else ""
            change = reason or _repriced(record, book, providers.get(record.channel_id, ""), now)
            if isinstance(change, str):
                done.kept[change] = done.kept.get(change, 0) + 1
            elif change is not None:
                changes.append(change)
                found = models.setdefault(record.model, ModelChange(record.model))
                for summed in (done, found):
                    summed.before += record.quota
                    summed.after += change.quota
                found.requests += 1
        if changes and not dry_run:
            detail = {"requests": len(changes), "quota": sum(c.quota - c.record.quota for c in changes)}
            done.changed += rerating.reprice(db, changes, audit.Entry(now, who, "usage.rerate", detail=detail))
        else:
            done.changed += len(changes)
    done.models = sorted(models.values(), key=lambda m: -abs(m.after - m.before))
    return done


def _chunks(db: Database, wanted: RecordFilter) -> Iterator[list[StoredRecord]]:
    """Yield the lines there are now, oldest first."""
    last, after = last_record_id(db), 0
    while True:
        found = query_records(db, replace(wanted, kinds=("consume",), after_id=after, limit=_CHUNK, offset=0))
        found = [r for r in found if r.id <= last]
        if not found:
            return
        yield found
        after = found[-1].id


def _repriced(record: StoredRecord, book: PriceBook, provider: str, now: float) -> Repriced | str | None:
    """Return what changes in a line; None when its price stays as it is, or why it has to."""
    try:
        usage = msgspec.json.decode(record.usage, type=Usage, strict=False)
        before = msgspec.json.decode(record.bill, type=dict[str, Any])
    except msgspec.DecodeError:  # Imported from elsewhere, cut short, or written by a newer version.
        return "the log does not say what it is the price of"
    price = book.find(record.model)
    if price is None:
        return "its model has no price"
    multipliers = {name: _number(value) for name, value in (before.get("multipliers") or {}).items()}
    if (ratio := _picture_ratio(before)) is not None and price.per_call is not None:
        multipliers["picture"] = ratio
    call = Call(
        endpoint=record.endpoint or "chat",
        entry_format=record.entry_format,
        upstream_format=record.upstream_format,
        provider=provider,
        n=int(before.get("n", 1)),
        multipliers=multipliers,
    )
    bill = charge(usage, price, group_ratio=_number(before.get("group_ratio", 1)), call=call)
    if bill.quota == record.quota:
        return None
    kept = {name: before[name] for name in ("user_group_ratio",) if name in before}
    first = before.get("rerated") or {"from": record.quota}
    told = bill.factors | kept | {"rerated": {**first, "at": round(now)}}
    return Repriced(record, bill.quota, msgspec.json.encode(told).decode())


def _picture_ratio(bill: dict[str, Any]) -> Decimal | None:
    """Return what the size and quality of a picture multiplied the price of a call by, None when that is not there.

    The line of the bill has the product, and the bill the price of a call.
    """
    line, price = (bill.get("lines") or {}).get("call"), _number(bill.get("model_price", -1))
    if not line or price <= 0 or "picture" in (bill.get("multipliers") or {}):
        return None
    ratio = _number(line[1]) / (price * QUOTA_PER_USD)
    return None if ratio == 1 else ratio


def _refuse(warning: str) -> None:
    raise NewapiError(warning, code="prices_unreadable")


def _number(value: object) -> Decimal:
    return Decimal(str(value))
