"""Only one holds a lease, and the next one takes it once it is over."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

from newapi.store import leases
from newapi.store.database import open_database


def test_one_holds_it_and_keeps_it_until_it_is_over_or_given_back(database_url: str) -> None:
    db = open_database(database_url)
    assert leases.take(db, "jobs", "a", 60)
    assert leases.take(db, "jobs", "a", 60)
    assert not leases.take(db, "jobs", "b", 60)
    assert leases.take(db, "other", "b", 60)
    leases.release(db, "jobs", "b")  # not b's to give back
    assert not leases.take(db, "jobs", "b", 60)
    leases.release(db, "jobs", "a")
    assert leases.take(db, "jobs", "b", -1)  # over at once, as when its holder has died
    assert leases.take(db, "jobs", "c", 60)
    assert not leases.take(db, "jobs", "b", 60)
    db.close()


def test_of_many_who_ask_at_once_one_gets_it(database_url: str) -> None:
    db = open_database(database_url)
    many = 8
    together = Barrier(many)

    def ask(number: int) -> bool:
        together.wait(10)
        try:
            return leases.take(db, "jobs", str(number), 60)
        finally:
            db.close()

    with ThreadPoolExecutor(many) as pool:
        assert sum(pool.map(ask, range(many))) == 1
    db.close()
