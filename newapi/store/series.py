"""What the live stream remembers across restarts: for each kind of step one row a time, its value JSON."""

from __future__ import annotations

from collections.abc import Iterable

from newapi.store.database import Database
from newapi.store.models import Series


def write(db: Database, rows: Iterable[tuple[str, int, str]]) -> None:
    """Write (kind, at, value), in the place of what was there."""
    with db.writing() as c:
        for kind, at, value in rows:
            # Not an upsert: the three databases say that in three ways, and here one process writes.
            Series.delete().where(Series.kind == kind, Series.at == at).execute(c)
            Series.insert(kind=kind, at=at, value=value).execute(c)


def read(db: Database, kind: str, since: int) -> list[tuple[int, str]]:
    """Return (at, value) of a kind from `since` (unix seconds) on, the earliest first."""
    query = Series.select(Series.at, Series.value).where(Series.kind == kind, Series.at >= since).order_by(Series.at)
    with db.reading() as c:
        return [(int(at), value) for at, value in query.tuples().execute(c)]


def prune(db: Database, kind: str, before: int) -> int:
    """Delete what of a kind is older than `before`; return how many rows."""
    with db.writing() as c:
        return int(Series.delete().where(Series.kind == kind, Series.at < before).execute(c))
