"""What describes models for people: vendors, models, lists of models to choose from. Nothing is served by it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

import msgspec
import peewee
from msgspec import Struct

from newapi.store.database import Database
from newapi.store.models import Catalog

Kind = Literal["vendor", "model", "prefill"]


class Entry(Struct, frozen=True):
    """One description; `value` is what is said, times are unix seconds."""

    id: int
    name: str
    value: Mapping[str, Any]
    created_at: float
    updated_at: float


def entries(db: Database, kind: Kind, *, id: int | None = None) -> list[Entry]:
    """Return the descriptions of a kind (or the one with that id), the latest first."""
    columns = (Catalog.id, Catalog.name, Catalog.value, Catalog.created_at, Catalog.updated_at)
    query = Catalog.select(*columns).where(Catalog.kind == kind).order_by(Catalog.id.desc())
    if id is not None:
        query = query.where(Catalog.id == id)
    with db.reading() as c:
        rows = list(query.tuples().execute(c))
    return [Entry(row[0], row[1], msgspec.json.decode(row[2]), row[3], row[4]) for row in rows]


def taken(c: peewee.Database, kind: Kind, name: str) -> int | None:
    """Return the id of what has that name, None when nothing has."""
    return Catalog.select(Catalog.id).where(Catalog.kind == kind, Catalog.name == name).scalar(c)


def insert(c: peewee.Database, kind: Kind, name: str, value: Mapping[str, Any], now: float) -> int:
    """Insert a description and return its id."""
    text = msgspec.json.encode(value).decode()
    return int(Catalog.insert(kind=kind, name=name, value=text, created_at=now, updated_at=now).execute(c))


def date(c: peewee.Database, id: int, created_at: float, updated_at: float) -> None:
    """Say when a description was made and changed last, unix seconds."""
    Catalog.update(created_at=created_at, updated_at=updated_at).where(Catalog.id == id).execute(c)


def update(c: peewee.Database, id: int, name: str, value: Mapping[str, Any], now: float) -> None:
    """Change a description."""
    text = msgspec.json.encode(value).decode()
    Catalog.update(name=name, value=text, updated_at=now).where(Catalog.id == id).execute(c)


def delete(c: peewee.Database, kind: Kind, id: int) -> bool:
    """Delete a description; return whether there was one."""
    return Catalog.delete().where(Catalog.kind == kind, Catalog.id == id).execute(c) == 1
