from __future__ import annotations

from newapi.ops.local import Local
from newapi.ops.logs import follow, records
from newapi.store.ledger import RecordFilter, UsageRecord, write_record


class Enough(Exception):
    """Ends a log that has no end."""


def test_the_latest_lines_oldest_first(local: Local) -> None:
    for i in range(5):
        write_record(local.db, UsageRecord(f"r{i}", float(i)))
    assert [r.request_id for r in records(local.db, RecordFilter(limit=3))] == ["r2", "r3", "r4"]


def test_a_log_that_is_followed(local: Local) -> None:
    """What was there, then what comes; nothing twice, nothing left out, and what the filter leaves out stays out."""
    for i in range(3):
        write_record(local.db, UsageRecord(f"r{i}", float(i), model="a"))
    coming = [
        [UsageRecord("n1", 10.0, model="a"), UsageRecord("n2", 11.0, model="b")],
        [],
        [UsageRecord(f"m{i}", 20.0 + i, model="a") for i in range(3)],
    ]

    def wait() -> None:
        if not coming:
            raise Enough
        for record in coming.pop(0):
            write_record(local.db, record)

    seen: list[str] = []
    try:
        for record in follow(local.db, RecordFilter(model="a", limit=2), wait):
            seen.append(record.request_id)
    except Enough:
        pass
    assert seen == ["r1", "r2", "n1", "m0", "m1", "m2"]
