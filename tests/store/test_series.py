from __future__ import annotations

from newapi.store import series
from newapi.store.database import Database


def test_what_is_written_is_read_in_order_and_a_later_value_replaces(db: Database) -> None:
    series.write(db, [("minute", 120, "b"), ("minute", 60, "a"), ("hour", 0, "h")])
    series.write(db, [("minute", 120, "c")])
    assert series.read(db, "minute", 0) == [(60, "a"), (120, "c")]
    assert series.read(db, "minute", 61) == [(120, "c")]
    assert series.read(db, "hour", 0) == [(0, "h")]
    assert series.read(db, "second", 0) == []


def test_what_is_old_is_deleted_of_its_kind_alone(db: Database) -> None:
    series.write(db, [("minute", 60, "a"), ("minute", 120, "b"), ("hour", 0, "h")])
    assert series.prune(db, "minute", 120) == 1
    assert series.read(db, "minute", 0) == [(120, "b")]
    assert series.read(db, "hour", 0) == [(0, "h")]
