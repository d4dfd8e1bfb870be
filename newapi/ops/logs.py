"""The log: what was asked, what it cost, how it ended."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from decimal import Decimal

from msgspec.structs import replace

from newapi.base.units import QUOTA_PER_USD
from newapi.store.database import Database
from newapi.store.ledger import RecordFilter, StoredRecord, last_record_id, query_records


def quota_of_usd(amount: Decimal) -> int:
    """Return USD in quota, whole units."""
    return int((amount * QUOTA_PER_USD).to_integral_value())


def records(db: Database, wanted: RecordFilter) -> list[StoredRecord]:
    """Return the lines of the log that `wanted` describes, the oldest of them first: as a terminal shows a log."""
    return query_records(db, wanted)[::-1]


def follow(db: Database, wanted: RecordFilter, wait: Callable[[], None]) -> Iterator[StoredRecord]:
    """Yield the lines of the log that are there, then those that come, without an end.

    Args:
        db: The database.
        wanted: Which lines; its limit is for those that are there.
        wait: Called when there is nothing new; what it raises ends it.
    """
    last = last_record_id(db)
    yield from (r for r in records(db, wanted) if r.id <= last)
    while True:
        new = query_records(db, replace(wanted, after_id=last, limit=500, offset=0))
        for record in new:
            last = record.id
            yield record
        if not new:
            wait()
