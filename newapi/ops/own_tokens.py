"""A user's own tokens by their ids, as the management API keeps them: balances in quota, keys shown again."""

from __future__ import annotations

import ipaddress
from collections.abc import Collection, Sequence
from datetime import UTC, datetime
from decimal import Decimal
from typing import Literal

from msgspec import Struct
from msgspec.structs import replace

from newapi.base.errors import CallerError, NotFound
from newapi.base.secret import Secret
from newapi.base.units import QUOTA_PER_USD
from newapi.config.schema import TokenSpec
from newapi.ops.local import Local
from newapi.ops.users import MAX_QUOTA
from newapi.store import audit, specs
from newapi.store import tokens as store
from newapi.store.database import Connection
from newapi.store.keys import hash_key, new_key
from newapi.store.tokens import TokenRecord

State = Literal["enabled", "disabled", "expired", "exhausted"]
MAX_NAME = 50
MAX_TOKENS = 1000
"""Tokens of one user: New API's `token_setting.max_user_tokens`."""
_VISIBLE = 4


class OwnToken(Struct, frozen=True):
    """A token for its owner.

    Attributes:
        masked_key: Its first and last characters, the others as stars; without the `sk-`.
        group: "" is its owner's.
        remaining, used: Quota; 500,000 are one US dollar. What an unlimited token has left means nothing.
        expires_at, created_at, accessed_at: Unix seconds; 0 is never.
        models, allow_ips: Empty allows all.
    """

    id: int
    user_id: int
    name: str
    masked_key: str
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


class Wanted(Struct, frozen=True, kw_only=True):
    """What a token is to be; None leaves it as it is, or as a new one is: limited to nothing, for ever, for all models.

    Attributes:
        expires_at: Unix seconds; 0 is never.
        models, allow_ips: Empty allows all.
    """

    name: str | None = None
    remaining: int | None = None
    unlimited: bool | None = None
    expires_at: float | None = None
    models: tuple[str, ...] | None = None
    allow_ips: tuple[str, ...] | None = None
    group: str | None = None


class Owner(Struct, frozen=True):
    """Whose tokens they are: `group` is the owner's, `groups` are those that may be chosen for them."""

    id: int
    name: str
    group: str
    groups: Collection[str]


def page(
    local: Local, owner_id: int, *, keyword: str = "", key: str = "", limit: int, offset: int = 0, now: float
) -> tuple[list[OwnToken], int]:
    """Return a part of a user's tokens, the latest first, and how many there are.

    Args:
        local: The database and the vault.
        owner_id: The user.
        keyword: A part of the name.
        key: The whole key of the one that is wanted.
        limit: How many at most.
        offset: How many before.
        now: Unix seconds.
    """
    with local.db.reading() as c:
        hashed = hash_key(key) if key else None
        found, total = store.owned(c, owner_id, keyword=keyword, key_hash=hashed, limit=limit, offset=offset)
    return [_view(local, record, now) for record in found], total


def get(local: Local, owner_id: int, id: int, *, now: float) -> OwnToken:
    """Return one token.

    Raises:
        NotFound: The user has none with that id.
    """
    with local.db.reading() as c:
        return _view(local, _mine(c, owner_id, id), now)


def keys(local: Local, owner_id: int, ids: Sequence[int]) -> dict[int, Secret]:
    """Return the keys of those of the tokens that are the user's, without the `sk-`.

    Raises:
        NotFound: None of them is.
        CallerError: A key was not kept (`server.keep_token_keys = false`).
    """
    with local.db.reading() as c:
        records = [r for id in ids for r in store.select(c, id=id, user_id=owner_id)]
    if not records:
        raise NotFound("There is no such token")
    found: dict[int, Secret] = {}
    for record in records:
        key = local.vault.open(record.key_cipher)
        if key is None:
            raise CallerError(f"The key of token {record.name!r} is not kept here: only its hash is")
        found[record.id] = Secret(key.reveal().removeprefix("sk-"))
    return found


def create(local: Local, owner: Owner, wanted: Wanted, *, limit: int = MAX_TOKENS, now: float) -> OwnToken:
    """Make a token.

    Raises:
        CallerError: A value that makes no sense, a group that the owner may not use, or too many tokens.
    """
    wanted = replace(wanted, name=wanted.name or "", group=wanted.group or "", unlimited=bool(wanted.unlimited))
    _check(owner, wanted)
    key = Secret(new_key())
    remaining, expires_at = wanted.remaining or 0, wanted.expires_at or 0.0
    spec = TokenSpec(
        user=owner.name,
        group=wanted.group or owner.group,
        models=wanted.models or (),
        allow_ips=wanted.allow_ips or (),
        unlimited=bool(wanted.unlimited),
        quota=None if wanted.unlimited else _dollars(remaining),
        expires=_moment(expires_at),
    )
    columns = {
        "name": wanted.name,
        "user_id": owner.id,
        "group": wanted.group,
        "spec": specs.encode(spec),
        "remaining_quota": remaining,
        "unlimited": wanted.unlimited,
        "expires_at": expires_at,
        "created_at": now,
        **local.vault.columns(key),
    }
    with local.db.writing() as c:
        if store.owned(c, owner.id, limit=1)[1] >= limit:
            raise CallerError(f"A user has at most {limit} tokens")
        id = store.insert(c, columns)
        audit.note(c, audit.Entry(now, owner.name, "token.create", wanted.name or ""))
        return _view(local, _mine(c, owner.id, id), now)


def change(local: Local, owner: Owner, id: int, wanted: Wanted, *, now: float) -> OwnToken:
    """Change a token; what is None stays.

    Raises:
        NotFound: The owner has none with that id.
        CallerError: A value that makes no sense, or a group that the owner may not use.
    """
    with local.db.writing() as c:
        record = _mine(c, owner.id, id)
        if wanted.group == record.group:
            wanted = replace(wanted, group=None)  # it may keep what it has
        _check(owner, wanted)
        spec = specs.decode(record.spec, TokenSpec, f"token {record.name!r}")
        changed = {k: v for k in ("models", "allow_ips", "unlimited") if (v := getattr(wanted, k)) is not None}
        if wanted.group is not None:
            changed["group"] = wanted.group or owner.group
        if changed.get("unlimited", record.unlimited):
            changed["quota"] = None
        elif wanted.remaining is not None or record.unlimited:
            changed["quota"] = _dollars(record.remaining if wanted.remaining is None else wanted.remaining)
        if wanted.expires_at is not None:
            changed["expires"] = _moment(wanted.expires_at)
        columns = {
            "name": wanted.name,
            "group": wanted.group,
            "remaining_quota": wanted.remaining,
            "unlimited": wanted.unlimited,
            "expires_at": wanted.expires_at,
        }
        columns = {k: v for k, v in columns.items() if v is not None}
        store.update(c, id, {**columns, "spec": specs.encode(replace(spec, **changed))})
        audit.note(c, audit.Entry(now, owner.name, "token.set", record.name))
        return _view(local, _mine(c, owner.id, id), now)


def set_enabled(local: Local, owner: Owner, id: int, enabled: bool, *, now: float) -> OwnToken:
    """Turn a token on or off.

    Raises:
        NotFound: The owner has none with that id.
        CallerError: One that has expired, or has nothing left, is to be turned on.
    """
    with local.db.writing() as c:
        record = _mine(c, owner.id, id)
        why = _spent(record, now)
        if enabled and why:
            raise CallerError(f"Token {record.name!r} is {why}: give it more first, then turn it on")
        spec = specs.decode(record.spec, TokenSpec, f"token {record.name!r}")
        state = "enabled" if enabled else "disabled"
        store.update(c, id, {"state": state, "spec": specs.encode(replace(spec, enabled=enabled))})
        audit.note(c, audit.Entry(now, owner.name, "token.set", record.name, detail={"state": state}))
        return _view(local, _mine(c, owner.id, id), now)


def delete(local: Local, owner: Owner, ids: Sequence[int], *, now: float) -> int:
    """Delete those of the tokens that are the owner's; return how many."""
    with local.db.writing() as c:
        records = [r for id in dict.fromkeys(ids) for r in store.select(c, id=id, user_id=owner.id)]
        for record in records:
            store.delete(c, record.id)
            audit.note(c, audit.Entry(now, owner.name, "token.delete", record.name))
    return len(records)


def _mine(c: Connection, owner_id: int, id: int) -> TokenRecord:
    found = store.select(c, id=id, user_id=owner_id)
    if not found:
        raise NotFound(f"There is no token {id}")
    return found[0]


def _check(owner: Owner, wanted: Wanted) -> None:
    if wanted.name is not None and len(wanted.name) > MAX_NAME:
        raise CallerError(f"A token's name has at most {MAX_NAME} characters")
    if wanted.remaining is not None and not wanted.unlimited and not 0 <= wanted.remaining <= MAX_QUOTA:
        raise CallerError(f"remain_quota is 0 to {MAX_QUOTA}")
    if wanted.group and wanted.group not in owner.groups:
        raise CallerError(f"There is no group {wanted.group!r}, or you may not use it")
    for address in wanted.allow_ips or ():
        try:
            ipaddress.ip_network(address, strict=False)
        except ValueError:
            raise CallerError(f"{address!r} is no address or network") from None


def _spent(record: TokenRecord, now: float) -> Literal["expired", "exhausted"] | None:
    if record.expires_at and record.expires_at <= now:
        return "expired"
    return "exhausted" if not record.unlimited and record.remaining <= 0 else None


def _dollars(quota: int) -> Decimal:
    return Decimal(quota) / QUOTA_PER_USD


def _moment(at: float) -> datetime | None:
    return datetime.fromtimestamp(at, UTC) if at else None


def _view(local: Local, record: TokenRecord, now: float) -> OwnToken:
    spec = specs.decode(record.spec, TokenSpec, f"token {record.name!r}")
    enabled = record.state == "enabled"
    return OwnToken(
        id=record.id,
        user_id=record.user_id,
        name=record.name,
        masked_key=_masked(local.vault.open(record.key_cipher), record.key_hint),
        group=record.group,
        state=(_spent(record, now) or "enabled") if enabled else "disabled",
        remaining=record.remaining,
        used=record.used,
        unlimited=record.unlimited,
        expires_at=record.expires_at,
        models=tuple(spec.models),
        allow_ips=tuple(spec.allow_ips),
        created_at=record.created_at,
        accessed_at=record.accessed_at,
    )


def _masked(key: Secret | None, hint: str) -> str:
    bare = key.reveal().removeprefix("sk-") if key else ""
    first, last = (bare[:_VISIBLE], bare[-_VISIBLE:]) if len(bare) > 4 * _VISIBLE else ("", hint)
    return f"{first}**********{last}"
