"""Who changed what, and when."""

from __future__ import annotations

from typing import Any

import msgspec
import peewee
from msgspec import Struct

from newapi.store.database import Database
from newapi.store.models import Audit


class Entry(Struct, frozen=True):
    """One change.

    Attributes:
        created_at: Unix seconds.
        who: A user, or the operating system's account for one made on this machine.
        action: `apply`, `token.create`, …
        target: What was changed, by name.
        source: Where it came from (`--source`), or "".
        detail: Anything more.
    """

    created_at: float
    who: str
    action: str
    target: str = ""
    source: str = ""
    detail: Any = None
    id: int = 0


def note(c: peewee.Database, entry: Entry) -> None:
    """Write `entry` as a part of the transaction that makes the change."""
    Audit.insert(
        created_at=entry.created_at,
        who=entry.who[:191],
        action=entry.action,
        target=entry.target[:255],
        source=entry.source[:1000],
        detail=msgspec.json.encode(entry.detail).decode(),
    ).execute(c)


def entries(
    db: Database,
    *,
    limit: int = 100,
    action: str | None = None,
    who: str | None = None,
    since: float | None = None,
    until: float | None = None,
) -> list[Entry]:
    """Return the latest changes, the latest first.

    Args:
        db: The database.
        limit: How many at most.
        action: Only this one.
        who: Only theirs.
        since: Unix seconds.
        until: Unix seconds; it is not included itself.
    """
    query = Audit.select().where(*_conditions(action, who, since, until)).order_by(Audit.id.desc()).limit(limit)
    with db.reading() as c:
        rows = list(query.dicts().execute(c))
    return [Entry(**{**row, "detail": msgspec.json.decode(row["detail"])}) for row in rows]


def count(db: Database, *, who: str | None = None, since: float | None = None, until: float | None = None) -> int:
    """Return how many changes there are."""
    with db.reading() as c:
        found = Audit.select(peewee.fn.COUNT(Audit.id)).where(*_conditions(None, who, since, until)).scalar(c)
    return int(found or 0)


def _conditions(action: str | None, who: str | None, since: float | None, until: float | None) -> list[Any]:
    found: list[Any] = [Audit.id > 0]
    if action is not None:
        found.append(Audit.action == action)
    if who is not None:
        found.append(Audit.who == who)
    if since is not None:
        found.append(Audit.created_at >= since)
    if until is not None:
        found.append(Audit.created_at < until)
    return found
