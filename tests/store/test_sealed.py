from __future__ import annotations

from newapi.store import clock, sealed
from newapi.store.database import Database


def test_what_is_put_is_found(db: Database) -> None:
    assert sealed.find(db, "a") is None
    sealed.put(db, "a", b"\x00\xff1")
    sealed.put(db, "b", b"2")
    sealed.put(db, "a", b"\x00\xff3")
    assert sealed.find(db, "a") == b"\x00\xff3"
    assert sealed.names(db) == ["a", "b"]


def test_what_is_deleted_is_gone(db: Database) -> None:
    sealed.put(db, "a", b"1")
    assert sealed.delete(db, "a")
    assert not sealed.delete(db, "a")
    assert sealed.find(db, "a") is None


def test_running_servers_are_told(db: Database) -> None:
    before = clock.generation(db)
    sealed.put(db, "a", b"1")
    assert clock.generation(db) > before
