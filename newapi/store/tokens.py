"""Tokens one by one: found, made, changed and deleted by commands and the management API."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import peewee
from msgspec import Struct
from msgspec.structs import replace

from newapi.store import clock
from newapi.store.database import Database
from newapi.store.models import Token, User


class TokenRecord(Struct, frozen=True):
    """A token as it is stored, with its owner's name; money in quota, times in unix seconds (0: never)."""

    id: int
    name: str
    user_id: int
    user: str
    key_hash: str
    key_cipher: bytes | None
    key_hint: str
    group: str
    spec: str
    remaining: int
    used: int
    unlimited: bool
    expires_at: float
    state: str
    managed: str
    created_at: float
    accessed_at: float


_COLUMNS = (
    Token.id,
    Token.name,
    Token.user_id,
    peewee.fn.COALESCE(User.name, ""),
    Token.key_hash,
    Token.key_cipher,
    Token.key_hint,
    Token.group,
    Token.spec,
    Token.remaining_quota,
    Token.used_quota,
    Token.unlimited,
    Token.expires_at,
    Token.state,
    Token.managed,
    Token.created_at,
    Token.accessed_at,
)


def select(
    c: peewee.Database,
    *,
    id: int | None = None,
    name: str | None = None,
    user_id: int | None = None,
    key_hash: str | None = None,
) -> list[TokenRecord]:
    """Return the tokens for which everything that is given holds, in the order they were made."""
    query = Token.select(*_COLUMNS).join(User, peewee.JOIN.LEFT_OUTER, on=(Token.user_id == User.id)).order_by(Token.id)
    wanted = {Token.id: id, Token.name: name, Token.user_id: user_id, Token.key_hash: key_hash}
    for column, value in wanted.items():
        if value is not None:
            query = query.where(column == value)
    return [_record(*row) for row in query.tuples().execute(c)]


def owned(
    c: peewee.Database, user_id: int, *, keyword: str = "", key_hash: str | None = None, limit: int, offset: int = 0
) -> tuple[list[TokenRecord], int]:
    """Return a user's tokens, the latest first, and how many there are without `limit`.

    Args:
        c: The connection.
        user_id: The owner.
        keyword: A part of the name; "" for all.
        key_hash: The one that is found by it.
        limit: How many at most.
        offset: How many to leave out before.
    """
    found = Token.user_id == user_id
    if keyword:
        found &= Token.name.contains(keyword)
    if key_hash is not None:
        found &= Token.key_hash == key_hash
    joined = Token.select(*_COLUMNS).join(User, peewee.JOIN.LEFT_OUTER, on=(Token.user_id == User.id))
    rows = joined.where(found).order_by(Token.id.desc()).limit(limit).offset(offset).tuples().execute(c)
    total = Token.select(peewee.fn.COUNT(Token.id)).where(found).scalar(c)
    return [_record(*row) for row in rows], int(total)


def balance(db: Database, id: int) -> tuple[int | None, int]:
    """Return the quota that a token has left (None: without limit), and what it has used; 0 and 0 of none."""
    with db.reading() as c:
        query = Token.select(Token.unlimited, Token.remaining_quota, Token.used_quota).where(Token.id == id)
        for unlimited, left, used in query.tuples().execute(c):
            return (None if unlimited else int(left)), int(used)
    return 0, 0


def find_user(c: peewee.Database, name: str) -> int | None:
    """Return the id of a user, None when there is none of that name."""
    return User.select(User.id).where(User.name == name).scalar(c)


def user_names(db: Database) -> list[str]:
    """Return the names of all users."""
    with db.reading() as c:
        return [name for (name,) in User.select(User.name).order_by(User.name).tuples().execute(c)]


def insert(c: peewee.Database, columns: Mapping[str, Any]) -> int:
    """Insert a token, tell running servers, and return its id."""
    clock.bump(c)
    return int(Token.insert(**columns).execute(c))


def update(c: peewee.Database, id: int, columns: Mapping[str, Any]) -> None:
    """Change columns of a token and tell running servers."""
    clock.bump(c)
    Token.update(dict(columns)).where(Token.id == id).execute(c)


def delete(c: peewee.Database, id: int) -> None:
    """Delete a token and tell running servers; its records stay."""
    clock.bump(c)
    Token.delete().where(Token.id == id).execute(c)


def _record(*row: Any) -> TokenRecord:
    found = TokenRecord(*row)
    cipher = bytes(found.key_cipher) if found.key_cipher is not None else None  # PostgreSQL gives a memoryview
    return replace(found, unlimited=bool(found.unlimited), key_cipher=cipher)
