"""Users one by one: found, made, changed and deleted by commands and the management API."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import peewee
from msgspec import Struct

from newapi.store import clock
from newapi.store.models import Checkin, Group, Token, User


class UserRecord(Struct, frozen=True):
    """A user as stored; money in quota, times in unix seconds (0: never), `setting` JSON or ""."""

    id: int
    name: str
    role: str
    group: str
    quota: int
    used_quota: int
    requests: int
    unlimited: bool
    state: str
    created_at: float
    password_hash: str
    display_name: str
    email: str
    access_token_hash: str
    session_epoch: int
    aff_code: str
    aff_count: int
    aff_quota: int
    aff_history: int
    invited_by: int
    remark: str
    setting: str
    last_login_at: float
    deleted_at: float


class UserFilter(Struct, frozen=True, kw_only=True):
    """Which users; every condition that is set must hold.

    Attributes:
        keyword: A part of the name, the email or the displayed name, or the id.
        deleted: True for deleted ones alone, False for the others, None for both.
    """

    keyword: str = ""
    group: str | None = None
    role: str | None = None
    state: str | None = None
    deleted: bool | None = None


def find(
    c: peewee.Database,
    *,
    id: int | None = None,
    name: str | None = None,
    email: str | None = None,
    access_token_hash: str | None = None,
    aff_code: str | None = None,
) -> UserRecord | None:
    """Return the first user for whom everything that is given holds, deleted or not; None when there is none."""
    wanted = {
        User.id: id,
        User.name: name,
        User.email: email,
        User.access_token_hash: access_token_hash,
        User.aff_code: aff_code,
    }
    query = User.select().order_by(User.id).limit(1)
    for column, value in wanted.items():
        if value is not None:
            query = query.where(column == value)
    return next((_record(row) for row in query.dicts().execute(c)), None)


def search(
    c: peewee.Database, wanted: UserFilter, *, limit: int = 0, offset: int = 0, latest_first: bool = False
) -> list[UserRecord]:
    """Return users in the order they were made, or the other way round; `limit` 0 for all."""
    query = _where(User.select(), wanted).order_by(User.id.desc() if latest_first else User.id)
    if limit:
        query = query.limit(limit).offset(offset)
    return [_record(row) for row in query.dicts().execute(c)]


def count(c: peewee.Database, wanted: UserFilter) -> int:
    """Return how many users `wanted` describes."""
    return int(_where(User.select(peewee.fn.COUNT(User.id)), wanted).scalar(c))


def group_names(c: peewee.Database) -> list[str]:
    """Return the names of the groups that are declared."""
    return [name for (name,) in Group.select(Group.name).tuples().execute(c)]


def insert(c: peewee.Database, columns: Mapping[str, Any]) -> int:
    """Insert a user, tell running servers, and return the id."""
    clock.bump(c)
    return int(User.insert(**columns).execute(c))


def update(c: peewee.Database, id: int, columns: Mapping[str, Any], *, seen: bool = True) -> None:
    """Change columns of a user and tell running servers, unless it is nothing they have `seen` of users."""
    if seen:
        clock.bump(c)
    User.update(dict(columns)).where(User.id == id).execute(c)


def renumber(c: peewee.Database, id: int, to: int) -> None:
    """Give a user who has nothing yet another number, and tell running servers."""
    clock.bump(c)
    row = next(iter(User.select().where(User.id == id).dicts().execute(c)))
    User.delete().where(User.id == id).execute(c)
    User.insert(**{**row, "id": to}).execute(c)  # so that the database goes on behind it


def add_quota(c: peewee.Database, id: int, quota: int) -> None:
    """Add to what a user has left, whatever is charged meanwhile; less for a negative number."""
    clock.bump(c)
    User.update(quota=User.quota + quota).where(User.id == id).execute(c)


def delete(c: peewee.Database, id: int) -> None:
    """Delete a user with tokens and check-ins, and tell running servers; records stay."""
    clock.bump(c)
    Token.delete().where(Token.user_id == id).execute(c)
    Checkin.delete().where(Checkin.user_id == id).execute(c)
    User.delete().where(User.id == id).execute(c)


def _where(query: Any, wanted: UserFilter) -> Any:
    if wanted.keyword:
        # peewee escapes % and _ of what it is given here
        found = User.name.contains(wanted.keyword) | User.email.contains(wanted.keyword)
        found |= User.display_name.contains(wanted.keyword)
        if wanted.keyword.isdecimal() and len(wanted.keyword) < 19:
            found |= User.id == int(wanted.keyword)
        query = query.where(found)
    equal = {User.group: wanted.group, User.role: wanted.role, User.state: wanted.state}
    for column, value in equal.items():
        if value is not None:
            query = query.where(column == value)
    if wanted.deleted is not None:
        query = query.where(User.deleted_at > 0 if wanted.deleted else User.deleted_at == 0)
    return query


def _record(row: dict[str, Any]) -> UserRecord:
    known = {name: value for name, value in row.items() if name in UserRecord.__struct_fields__}
    return UserRecord(
        **{
            **known,
            "unlimited": bool(row["unlimited"]),
            "access_token_hash": row["access_token_hash"] or "",
            "aff_code": row["aff_code"] or "",
            "setting": row["setting"] or "",
        }
    )
