"""The log: what was asked, what it cost, how it ended."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
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
    found = query_records(db, wanted)
    return found if wanted.after_id is not None else found[::-1]


def follow(db: Database, wanted: RecordFilter, wait: Callable[[], None]) -> Iterator[StoredRecord]:
    """Yield the lines of the log that are there, then those that come, without an end.

    Args:
        db: The database.
        wanted: Which lines; its limit is for those that are there.
        wait: Called when there is nothing new; what it raises ends it.
    """
    return followed(lambda asked: query_records(db, asked), lambda: last_record_id(db), wanted, wait)


def followed(
    read: Callable[[RecordFilter], Sequence[StoredRecord]],
    last_id: Callable[[], int],
    wanted: RecordFilter,
    wait: Callable[[], None],
) -> Iterator[StoredRecord]:
    """Yield the lines of a log that are there, then those that come, without an end: of whatever `read` reads."""
    last = last_id()
    there = read(wanted)
    yield from (r for r in sorted(there, key=lambda r: r.id) if r.id <= last)
    while True:
        new = read(replace(wanted, after_id=last, limit=500, offset=0))
        for record in new:
            last = record.id
            yield record
        if not new:
            wait()
