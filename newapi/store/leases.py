"""Which process does what only one may do, among all that use a database, on whatever machine they are.

A lease is held until a time, and taken over by another process once that has passed: one that died is replaced. The
time is the database's, since machines disagree about it; of SQLite, which has none, this machine's.
"""

from __future__ import annotations

import time

from newapi.store.database import Connection, Database
from newapi.store.models import Lease


def take(db: Database, name: str, holder: str, seconds: float) -> bool:
    """Take a lease for so many seconds from now, or keep it for so long.

    Args:
        db: The database.
        name: What it is for.
        holder: Who wants it: unlike any other process.
        seconds: For how long.

    Returns:
        Whether `holder` has it.
    """
    with db.reading() as c:
        held = _find(c, name)
        if held is not None and held[0] != holder and held[1] > _now(c, db.dialect):
            return False  # as it is for most: nothing is written
    with db.writing() as c:
        at = _now(c, db.dialect)
        mine_or_over = (Lease.holder == holder) | (Lease.held_until <= at)
        query = Lease.update(holder=holder, held_until=at + seconds).where(Lease.name == name, mine_or_over)
        if query.execute(c):
            return True
        Lease.insert(name=name, holder=holder, held_until=at + seconds).on_conflict_ignore().execute(c)
        found = _find(c, name)
        return found is not None and found[0] == holder


def release(db: Database, name: str, holder: str) -> None:
    """Give a lease back; nothing happens when `holder` does not have it."""
    with db.writing() as c:
        Lease.delete().where(Lease.name == name, Lease.holder == holder).execute(c)


def _find(c: Connection, name: str) -> tuple[str, float] | None:
    rows = Lease.select(Lease.holder, Lease.held_until).where(Lease.name == name).tuples().execute(c)
    return next(iter(rows), None)


def _now(c: Connection, dialect: str) -> float:
    match dialect:
        case "postgresql":
            return float(c.execute_sql("SELECT EXTRACT(EPOCH FROM clock_timestamp())").fetchone()[0])
        case "mysql":
            return float(c.execute_sql("SELECT UNIX_TIMESTAMP(SYSDATE(6))").fetchone()[0])
        case _:
            return time.time()
