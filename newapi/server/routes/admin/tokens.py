"""Tokens of whoever asks: made, listed, shown, changed, deleted."""

from __future__ import annotations

import re
from typing import Any

from litestar.handlers import HTTPRouteHandler
from msgspec import Struct

from newapi.base.errors import CallerError
from newapi.ops import own_tokens
from newapi.ops.options import AUTO
from newapi.ops.own_tokens import Owner, OwnToken, Wanted
from newapi.server.routes.admin.auth import Call, Door
from newapi.server.routes.admin.groups import usable
from newapi.server.runtime import Runtime

STATUS = {"enabled": 1, "disabled": 2, "expired": 3, "exhausted": 4}
MAX_BATCH = 100


def routes(runtime: Runtime) -> list[HTTPRouteHandler]:
    """Return the handlers."""
    door = Door(runtime)
    return [
        door.get("/api/token", list_all, "user", query="p page_size ps size"),
        door.get("/api/token/search", search, "user", query="p page_size ps size keyword token"),
        door.get("/api/token/{id:str}", show, "user"),
        door.post("/api/token/{id:str}/key", key, "user"),
        door.post("/api/token", create, "user", body=_Token),
        door.put("/api/token", change, "user", query="status_only", body=_Token),
        door.delete("/api/token/{id:str}", delete, "user"),
        door.post("/api/token/batch", delete_many, "user", body=_Ids),
        door.post("/api/token/batch/keys", keys, "user", body=_Ids),
    ]


class _Token(Struct):
    id: int = 0
    name: str | None = None
    status: int | None = None
    remain_quota: int | None = None
    unlimited_quota: bool | None = None
    expired_time: int | None = None
    model_limits_enabled: bool | None = None
    model_limits: str | None = None
    allow_ips: str | None = None
    group: str | None = None


class _Ids(Struct):
    ids: list[int]


def list_all(call: Call) -> dict[str, Any]:
    """Return a page of the tokens of whoever asks, the latest first."""
    return _page(call)


def search(call: Call) -> dict[str, Any]:
    """Return a page of the tokens with `keyword` in their name, or with the key `token`."""
    keyword = call.query.get("keyword", "").strip("%")
    return _page(call, keyword=keyword, key=call.query.get("token", "").strip("%"))


def show(call: Call) -> dict[str, Any]:
    """Return one token."""
    return _row(own_tokens.get(call.runtime.local, call.asker.id, call.id(), now=call.now))


def key(call: Call) -> dict[str, str]:
    """Return a token's whole key, without `sk-`."""
    id = call.id()
    return {"key": own_tokens.keys(call.runtime.local, call.asker.id, [id])[id].reveal()}


def keys(call: Call) -> dict[str, Any]:
    """Return the whole keys of several tokens, without `sk-`."""
    ids = call.read(_Ids).ids
    if len(ids) > MAX_BATCH:
        raise CallerError(f"At most {MAX_BATCH} keys at once")
    found = own_tokens.keys(call.runtime.local, call.asker.id, ids)
    return {"keys": {str(id): secret.reveal() for id, secret in found.items()}}


def create(call: Call) -> None:
    """Make a token; its key is asked for afterwards."""
    limit = call.door.option("token_setting.max_user_tokens")
    own_tokens.create(
        call.runtime.local,
        _owner(call),
        _wanted(call.read(_Token)),
        limit=int(limit) if limit.isdecimal() else own_tokens.MAX_TOKENS,
        now=call.now,
    )


def change(call: Call) -> dict[str, Any]:
    """Change a token, what is left out stays; with `status_only` turn it on or off, and nothing else."""
    body, local, owner = call.read(_Token), call.runtime.local, _owner(call)
    if call.query.get("status_only"):
        if body.status not in (STATUS["enabled"], STATUS["disabled"]):
            raise CallerError("Invalid parameters: status is 1 or 2")
        enabled = body.status == STATUS["enabled"]
        return _row(own_tokens.set_enabled(local, owner, body.id, enabled, now=call.now))
    return _row(own_tokens.change(local, owner, body.id, _wanted(body), now=call.now))


def delete(call: Call) -> None:
    """Delete a token; its lines in the log stay."""
    if not own_tokens.delete(call.runtime.local, _owner(call), [call.id()], now=call.now):
        raise CallerError("There is no such token")


def delete_many(call: Call) -> int:
    """Delete several tokens, and return how many there were."""
    return own_tokens.delete(call.runtime.local, _owner(call), call.read(_Ids).ids, now=call.now)


def _page(call: Call, *, keyword: str = "", key: str = "") -> dict[str, Any]:
    page = call.page()
    found, total = own_tokens.page(
        call.runtime.local,
        call.asker.id,
        keyword=keyword,
        key=key,
        limit=page.size,
        offset=page.offset,
        now=call.now,
    )
    return page.of([_row(token) for token in found], total)


def _owner(call: Call) -> Owner:
    snapshot = call.runtime.gateway.snapshot
    groups = {"default", *snapshot.groups} if call.asker.role == "root" else usable(snapshot, call.asker.group)
    return Owner(call.asker.id, call.asker.name, call.asker.group, groups)


def _wanted(body: _Token) -> Wanted:
    models = None
    if body.model_limits_enabled is False:
        models = ()
    elif body.model_limits is not None and body.model_limits_enabled:
        models = tuple(m.strip() for m in body.model_limits.split(",") if m.strip())
        if not models:
            # New API would let such a token call nothing, and an empty list allows everything here.
            raise CallerError("model_limits names no model: name some, or send model_limits_enabled false")
    addresses = None if body.allow_ips is None else tuple(a for a in re.split(r"[\s,]+", body.allow_ips) if a)
    return Wanted(
        name=body.name,
        remaining=body.remain_quota,
        unlimited=body.unlimited_quota,
        expires_at=None if body.expired_time is None else max(body.expired_time, 0),
        models=models,
        allow_ips=addresses,
        group=body.group,
    )


def _row(token: OwnToken) -> dict[str, Any]:
    return {
        "id": token.id,
        "user_id": token.user_id,
        "key": token.masked_key,
        "status": STATUS[token.state],
        "name": token.name,
        "created_time": int(token.created_at),
        "accessed_time": int(token.accessed_at or token.created_at),
        "expired_time": int(token.expires_at) if token.expires_at else -1,
        "remain_quota": token.remaining,
        "unlimited_quota": token.unlimited,
        "model_limits_enabled": bool(token.models),
        "model_limits": ",".join(token.models),
        "allow_ips": "\n".join(token.allow_ips),
        "used_quota": token.used,
        "group": token.group,
        "cross_group_retry": token.group == AUTO,  # a list of groups always goes on to the next
        "DeletedAt": None,
    }
