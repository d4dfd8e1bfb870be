"""Settings by New API's names for them: text by name."""

from __future__ import annotations

from collections.abc import Iterable

import peewee

from newapi.store import clock
from newapi.store.database import Database
from newapi.store.models import Option


def read(db: Database, names: Iterable[str] | None = None) -> dict[str, str]:
    """Return the options that are set, by name; of `names` alone where they are given."""
    query = Option.select(Option.name, Option.value).order_by(Option.name)
    if names is not None:
        query = query.where(Option.name.in_(list(names)))
    with db.reading() as c:
        return dict(query.tuples().execute(c))


def put(c: peewee.Database, name: str, value: str) -> None:
    """Set an option, and tell running servers."""
    clock.bump(c)
    if not Option.update(value=value).where(Option.name == name).execute(c):
        Option.insert(name=name, value=value).execute(c)
