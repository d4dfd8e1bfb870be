"""Tokens, made, shown and deleted by name."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any, Literal

from msgspec import Struct
from msgspec.structs import replace

from newapi.base.errors import Conflict, NotFound
from newapi.base.nearest import did_you_mean
from newapi.base.secret import Secret
from newapi.config.schema import TokenSpec
from newapi.ops.apply import token_columns
from newapi.ops.local import Local
from newapi.ops.vault import expiry, quota_of
from newapi.store import audit, specs, tokens, users
from newapi.store.database import Connection, Database
from newapi.store.keys import new_key
from newapi.store.tokens import TokenRecord

State = Literal["enabled", "disabled", "expired", "exhausted"]


class TokenView(Struct, frozen=True):
    """A token for people and programs; nothing secret.

    Attributes:
        group: "" is its owner's.
        remaining, used: Quota; 500,000 are one US dollar. What an unlimited token has left means nothing.
        expires_at, created_at, accessed_at: Unix seconds; 0 is never.
        models, allow_ips: Empty allows all.
        managed: "file" when the configuration declares it, "" when a command made it.
        key_hint: The last four characters of its key.
    """

    id: int
    name: str
    user: str
    group: str
    state: State
    remaining: int
    used: int
    unlimited: bool
    expires_at: float
    models: tuple[str, ...]
    allow_ips: tuple[str, ...]
    created_at: float
    accessed_at: float
    managed: str
    key_hint: str


def create(local: Local, name: str, spec: TokenSpec, *, who: str, now: float | None = None) -> tuple[TokenView, Secret]:
    """Make a token; return it and its key, which is not shown again.

    Raises:
        Conflict: Its owner has a token of that name, or the key is another token's.
        NotFound: There is no such owner, or group.
    """
    now = time.time() if now is None else now
    key = local.vault.key_of(spec)
    with local.db.writing() as c:
        user_id = tokens.find_user(c, spec.user)
        if user_id is None:
            raise NotFound(f"There is no user {spec.user!r}{did_you_mean(spec.user, tokens.user_names(local.db))}")
        _check_group(c, spec.group)
        if tokens.select(c, name=name, user_id=user_id):
            raise Conflict(f"{spec.user} has a token {name!r} already")
        columns = token_columns(spec, user_id, local.vault, key, now)
        if tokens.select(c, key_hash=columns["key_hash"]):
            raise Conflict("That key belongs to another token")
        id = tokens.insert(c, {"name": name, "spec": specs.encode(spec), **columns})
        audit.note(c, audit.Entry(now, who, "token.create", name))
        (record,) = tokens.select(c, id=id)
    return _view(record, now), key


def list_tokens(db: Database, *, user: str | None = None, now: float | None = None) -> list[TokenView]:
    """Return all tokens, or those of one user, in the order they were made.

    Raises:
        NotFound: There is no such user.
    """
    now = time.time() if now is None else now
    with db.reading() as c:
        user_id = None
        if user is not None:
            user_id = tokens.find_user(c, user)
            if user_id is None:
                raise NotFound(f"There is no user {user!r}{did_you_mean(user, tokens.user_names(db))}")
        return [_view(record, now) for record in tokens.select(c, user_id=user_id)]


def get(db: Database, name: str, *, now: float | None = None) -> TokenView:
    """Return the token called `name`, or, where none is, the one with that id.

    Raises:
        NotFound: There is none.
        Conflict: Several users have one of that name.
    """
    return _view(_find(db, name), time.time() if now is None else now)


def change(
    local: Local, name: str, fields: Mapping[str, Any], *, rename: str | None = None, who: str, now: float | None = None
) -> TokenView:
    """Change a token; what is not said stays, and what was spent stays spent.

    Args:
        local: The database.
        name: Its name, or its id.
        fields: Values by the names of `TokenSpec`: `group`, `quota`, `unlimited`, `expires`, `models`, `allow_ips`,
            `budget`, `enabled`.
        rename: Its new name.
        who: Who does it.
        now: Unix seconds.

    Raises:
        NotFound: There is no such token, or no such group.
        Conflict: Several users have one of that name, or its owner has one of the new name.
    """
    now = time.time() if now is None else now
    with local.db.writing() as c:
        record = _find(local.db, name)
        group: str | None = fields.get("group")
        if group is not None:
            _check_group(c, group)
        if rename and rename != record.name and tokens.select(c, name=rename, user_id=record.user_id):
            raise Conflict(f"{record.user} has a token {rename!r} already")
        before = specs.decode(record.spec, TokenSpec, f"token {record.name!r}")
        after = replace(before, **fields)
        columns: dict[str, Any] = {"name": rename or record.name, "spec": specs.encode(after)}
        if "group" in fields:
            columns["group"] = after.group
        if "expires" in fields:
            columns["expires_at"] = expiry(after.expires, now)
        if "enabled" in fields:
            columns["state"] = "enabled" if after.enabled else "disabled"
        if fields.keys() & {"quota", "unlimited"}:
            columns["remaining_quota"] = quota_of(after) - (quota_of(before) - record.remaining)
            columns["unlimited"] = after.unlimited
        tokens.update(c, record.id, columns)
        audit.note(c, audit.Entry(now, who, "token.set", record.name, detail={"fields": sorted(fields)}))
        (record,) = tokens.select(c, id=record.id)
    return _view(record, now)


def rotate(local: Local, name: str, *, key: str = "", who: str, now: float | None = None) -> tuple[TokenView, Secret]:
    """Give a token another key, at once; return it and the key, which is not shown again.

    Args:
        local: The database and the vault.
        name: Its name, or its id.
        key: A reference to the key it is to have; "" makes one.
        who: Who does it.
        now: Unix seconds.

    Raises:
        NotFound: There is no such token.
        Conflict: Several users have one of that name, or the key is another token's.
        NewapiError: The reference does not resolve.
    """
    now = time.time() if now is None else now
    secret = local.vault.resolve(key) if key else Secret(new_key())
    with local.db.writing() as c:
        record = _find(local.db, name)
        columns = local.vault.columns(secret)
        if tokens.select(c, key_hash=columns["key_hash"]):
            raise Conflict("That key belongs to a token already")
        spec = specs.decode(record.spec, TokenSpec, f"token {record.name!r}")
        tokens.update(c, record.id, {**columns, "spec": specs.encode(replace(spec, key=key))})
        audit.note(c, audit.Entry(now, who, "token.rotate", record.name))
        (record,) = tokens.select(c, id=record.id)
    return _view(record, now), secret


def key_of(local: Local, name: str) -> Secret:
    """Return the key of a token, which it can show to its owner.

    Raises:
        NotFound: There is no such token, or its key is not kept (`server.keep_token_keys = false`).
        Conflict: Several users have one of that name.
    """
    record = _find(local.db, name)
    key = local.vault.open(record.key_cipher)
    if key is None:
        raise NotFound(f"The key of token {record.name!r} is not kept here: only its hash is")
    return key


def delete(db: Database, name: str, *, who: str, now: float | None = None) -> TokenView:
    """Delete the token called `name`; its records stay. Return what it was.

    Raises:
        NotFound: There is none.
        Conflict: Several users have one of that name.
    """
    now = time.time() if now is None else now
    with db.writing() as c:
        record = _find(db, name)
        tokens.delete(c, record.id)
        audit.note(c, audit.Entry(now, who, "token.delete", record.name))
    return _view(record, now)


def _check_group(c: Connection, group: str) -> None:
    known = ["default", *users.group_names(c)]
    if group not in known:
        raise NotFound(f"There is no group {group!r}{did_you_mean(group, known)}")


def _find(db: Database, name: str) -> TokenRecord:
    with db.reading() as c:
        found = tokens.select(c, name=name)
        if not found and name.isdecimal() and len(name) < 19:
            found = tokens.select(c, id=int(name))
        if not found:
            near = did_you_mean(name, [record.name for record in tokens.select(c)])
            raise NotFound(f"There is no token {name!r}{near}")
    if len(found) > 1:
        ids = ", ".join(f"{record.id} ({record.user})" for record in found)
        raise Conflict(f"Several tokens are called {name!r}: say which by its id, {ids}")
    return found[0]


def _view(record: TokenRecord, now: float) -> TokenView:
    spec = specs.decode(record.spec, TokenSpec, f"token {record.name!r}")
    state: State = "disabled"
    if record.state == "enabled":
        expired = record.expires_at and record.expires_at <= now
        exhausted = not record.unlimited and record.remaining <= 0
        state = "expired" if expired else "exhausted" if exhausted else "enabled"
    return TokenView(
        id=record.id,
        name=record.name,
        user=record.user,
        group=record.group,
        state=state,
        remaining=record.remaining,
        used=record.used,
        unlimited=record.unlimited,
        expires_at=record.expires_at,
        models=tuple(spec.models),
        allow_ips=tuple(spec.allow_ips),
        created_at=record.created_at,
        accessed_at=record.accessed_at,
        managed=record.managed,
        key_hint=record.key_hint,
    )
