"""Generations of applied configuration, and going back to one."""

from __future__ import annotations

import msgspec
from msgspec import Struct

from newapi.base.errors import NotFound
from newapi.config.schema import Config
from newapi.ops.plan import Change
from newapi.ops.plan_text import exact
from newapi.store import declared, specs
from newapi.store.database import Database


class Generation(Struct, frozen=True):
    """One apply. `created_at` is unix seconds; `current` the one in force."""

    number: int
    created_at: float
    who: str
    source: str
    created: int
    updated: int
    deleted: int
    current: bool


def history(db: Database, *, limit: int = 0) -> list[Generation]:
    """Return the applies, the latest first; `limit` 0 for all."""
    with db.reading() as c:
        rows = declared.generations(c, limit=limit)
        now = declared.read_generation(c)
    found: list[Generation] = []
    for row in rows:
        actions = [change.action for change in msgspec.json.decode(row.diff, type=list[Change])]
        found.append(
            Generation(
                number=row.id,
                created_at=row.created_at,
                who=row.who,
                source=row.source,
                created=actions.count("create"),
                updated=actions.count("update"),
                deleted=actions.count("delete"),
                current=row.id == now,
            )
        )
    return found


def changes_of(db: Database, number: int) -> list[Change]:
    """Return what generation `number` changed.

    Raises:
        NotFound: There is none of that number.
    """
    return list(exact(msgspec.json.decode(_get(db, number).diff, type=list[Change])))


def configuration_of(db: Database, number: int | None) -> tuple[int, Config]:
    """Return generation `number` and the configuration that it applied; None is the one before the last.

    Raises:
        NotFound: There is none of that number, or there is nothing to go back to.
        StoreError: This version cannot read it.
    """
    if number is None:
        with db.reading() as c:
            latest = declared.generations(c, limit=2)
        if len(latest) < 2:
            raise NotFound("There is no generation to go back to")
        number = latest[1].id
    row = _get(db, number)
    return number, specs.decode(row.document, Config, f"generation {number}")


def _get(db: Database, number: int) -> declared.Applied:
    with db.reading() as c:
        row = declared.find_generation(c, number)
        if row is None:
            there = [g.id for g in declared.generations(c)]
            span = f"there are {there[-1]} to {there[0]}" if there else "nothing was applied yet"
            raise NotFound(f"There is no generation {number}: {span}")
    return row
