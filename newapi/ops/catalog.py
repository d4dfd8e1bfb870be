"""What describes models for people: vendors, models, lists of models to choose from. Nothing is served by it."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any

from newapi.base.errors import CallerError, Conflict, NotFound
from newapi.store import audit, catalog
from newapi.store.catalog import Entry, Kind
from newapi.store.database import Database

FIELDS: Mapping[Kind, Mapping[str, Any]] = {
    "vendor": {"description": "", "icon": "", "status": 1},
    "model": {
        "description": "",
        "icon": "",
        "tags": "",
        "vendor_id": 0,
        "endpoints": "",
        "status": 1,
        "sync_official": 1,
        "name_rule": 0,
    },
    "prefill": {"type": "", "items": (), "description": ""},
}
"""What may be said of each kind, and what it is when nothing was said."""
PREFILLS = ("model", "tag", "endpoint")
"""What a list to choose from may be of."""
NAME_LIMIT = 191


def entries(db: Database, kind: Kind) -> list[Entry]:
    """Return the descriptions of a kind, the latest first."""
    return catalog.entries(db, kind)


def find(db: Database, kind: Kind, id: int) -> Entry:
    """Return one description.

    Raises:
        NotFound: There is none of that id.
    """
    found = catalog.entries(db, kind, id=id)
    if not found:
        raise NotFound(f"There is no {kind} {id}")
    return found[0]


def create(
    db: Database, kind: Kind, name: str, said: Mapping[str, Any], *, who: str, now: float | None = None
) -> Entry:
    """Make a description.

    Raises:
        Conflict: There is one of that name.
        CallerError: The name is empty, or what is said makes no sense.
    """
    now = time.time() if now is None else now
    value = {**FIELDS[kind], **_checked(kind, said)}
    if kind == "prefill" and value["type"] not in PREFILLS:
        raise CallerError(f"type is one of {', '.join(PREFILLS)}", param="type")
    with db.writing() as c:
        if catalog.taken(c, kind, _named(name)) is not None:
            raise Conflict(f"There is a {kind} {name!r} already")
        id = catalog.insert(c, kind, name, value, now)
        audit.note(c, audit.Entry(now, who, f"{kind}.create", name))
    return find(db, kind, id)


def change(
    db: Database, kind: Kind, id: int, name: str | None, said: Mapping[str, Any], *, who: str, now: float | None = None
) -> Entry:
    """Change a description: what is not said stays.

    Raises:
        NotFound: There is none of that id.
        Conflict: Another one has that name.
        CallerError: What is said makes no sense.
    """
    now = time.time() if now is None else now
    with db.writing() as c:
        before = find(db, kind, id)
        new = before.name if name is None else _named(name)
        if catalog.taken(c, kind, new) not in (None, id):
            raise Conflict(f"There is a {kind} {new!r} already")
        catalog.update(c, id, new, {**before.value, **_checked(kind, said)}, now)
        audit.note(c, audit.Entry(now, who, f"{kind}.update", new))
    return find(db, kind, id)


def delete(db: Database, kind: Kind, id: int, *, who: str, now: float | None = None) -> None:
    """Delete a description.

    Raises:
        NotFound: There is none of that id.
    """
    now = time.time() if now is None else now
    with db.writing() as c:
        name = find(db, kind, id).name
        catalog.delete(c, kind, id)
        audit.note(c, audit.Entry(now, who, f"{kind}.delete", name))


def _named(name: str) -> str:
    if not name.strip() or len(name) > NAME_LIMIT:
        raise CallerError(f"A name has 1 to {NAME_LIMIT} characters", param="name")
    return name


def _checked(kind: Kind, said: Mapping[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name, default in FIELDS[kind].items():
        value = said.get(name)
        if value is None:
            continue
        due = list if isinstance(default, tuple) else type(default)
        if not isinstance(value, due) or isinstance(value, bool):
            raise CallerError(f"{name} must be a {due.__name__}", param=name)
        found[name] = value
    return found
