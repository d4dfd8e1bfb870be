"""Redemption codes one by one, and check-ins: what adds to a user's quota."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import peewee
from msgspec import Struct

from newapi.store.models import Checkin, Redemption


class CodeRecord(Struct, frozen=True):
    """A code as stored; `state` is enabled, disabled or used, times are unix seconds (0: never)."""

    id: int
    name: str
    key_hash: str
    key_cipher: bytes | None
    key_hint: str
    quota: int
    state: str
    created_by: int
    created_at: float
    expires_at: float
    used_by: int
    used_at: float


class CheckinRecord(Struct, frozen=True):
    """What a user was given for calling by on `day` (`2026-07-07`)."""

    day: str
    quota: int


def find(c: peewee.Database, *, id: int | None = None, key_hash: str | None = None) -> CodeRecord | None:
    """Return the code with that id or that hash, None when there is none."""
    query = Redemption.select()
    if id is not None:
        query = query.where(Redemption.id == id)
    if key_hash is not None:
        query = query.where(Redemption.key_hash == key_hash)
    return next((_record(row) for row in query.limit(1).dicts().execute(c)), None)


def search(c: peewee.Database, keyword: str = "", *, limit: int = 0, offset: int = 0) -> list[CodeRecord]:
    """Return the codes, the latest first; with `keyword` those whose name begins with it, or with that id."""
    query = _where(Redemption.select(), keyword).order_by(Redemption.id.desc())
    if limit:
        query = query.limit(limit).offset(offset)
    return [_record(row) for row in query.dicts().execute(c)]


def count(c: peewee.Database, keyword: str = "") -> int:
    """Return how many codes `search` finds without a limit."""
    return int(_where(Redemption.select(peewee.fn.COUNT(Redemption.id)), keyword).scalar(c))


def insert(c: peewee.Database, columns: Mapping[str, Any]) -> int:
    """Insert a code and return its id."""
    return int(Redemption.insert(**columns).execute(c))


def update(c: peewee.Database, id: int, columns: Mapping[str, Any]) -> None:
    """Change columns of a code."""
    Redemption.update(dict(columns)).where(Redemption.id == id).execute(c)


def take(c: peewee.Database, id: int, user_id: int, now: float) -> bool:
    """Mark a code as used, unless somebody was faster; say whether it worked."""
    query = Redemption.update(state="used", used_by=user_id, used_at=now)
    return bool(query.where((Redemption.id == id) & (Redemption.state == "enabled")).execute(c))


def delete(c: peewee.Database, id: int) -> None:
    """Delete a code."""
    Redemption.delete().where(Redemption.id == id).execute(c)


def delete_spent(c: peewee.Database, now: float) -> int:
    """Delete the codes that are used, disabled or expired; return how many."""
    expired = (Redemption.expires_at > 0) & (Redemption.expires_at <= now)
    return int(Redemption.delete().where((Redemption.state != "enabled") | expired).execute(c))


def checkins(c: peewee.Database, user_id: int, month: str = "") -> list[CheckinRecord]:
    """Return a user's check-ins, of one month (`2026-07`) where it is given, the latest first."""
    query = Checkin.select(Checkin.day, Checkin.quota).where(Checkin.user_id == user_id)
    if month:
        query = query.where(Checkin.day.startswith(month))
    return [CheckinRecord(*row) for row in query.order_by(Checkin.day.desc()).tuples().execute(c)]


def add_checkin(c: peewee.Database, user_id: int, day: str, quota: int, now: float) -> None:
    """Note that a user called by on `day`. The table refuses a second time."""
    Checkin.insert(user_id=user_id, day=day, quota=quota, created_at=now).execute(c)


def _where(query: Any, keyword: str) -> Any:
    if not keyword:
        return query
    found = Redemption.name.startswith(keyword)
    if keyword.isdecimal() and len(keyword) < 19:
        found |= Redemption.id == int(keyword)
    return query.where(found)


def _record(row: dict[str, Any]) -> CodeRecord:
    cipher = row["key_cipher"]
    return CodeRecord(**{**row, "key_cipher": bytes(cipher) if cipher is not None else None})
