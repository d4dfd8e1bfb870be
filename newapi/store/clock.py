"""The one row that says whether anything changed: `epoch` for running servers, `generation` for `apply`."""

from __future__ import annotations

import peewee

from newapi.store.database import Database
from newapi.store.models import Clock, Generation


def generation(db: Database) -> int:
    """Return a number that grows with every change a running server has to see, whoever made it. One row is read."""
    with db.reading() as c:
        return int(c.execute_sql("SELECT epoch FROM clock").fetchone()[0])


def applied(db: Database) -> tuple[int, float]:
    """Return the number of the last apply, and when it was, Unix seconds; 0 before the first."""
    with db.reading() as c:
        last = Clock.select(Clock.generation, Generation.created_at)
        last = last.join(Generation, peewee.JOIN.LEFT_OUTER, on=Clock.generation == Generation.id)
        number, at = next(iter(last.tuples().execute(c)))
    return int(number), float(at or 0)


def bump(c: peewee.Database) -> None:
    """Tell running servers, when the transaction ends, that something changed."""
    Clock.update(epoch=Clock.epoch + 1).execute(c)
