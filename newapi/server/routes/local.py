"""What is answered without an upstream: the list of models in three shapes, the account of the token that asks."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import unquote

import msgspec
from msgspec import Struct

from newapi import formats
from newapi.base.errors import CallerError, NewapiError
from newapi.base.units import QUOTA_PER_USD
from newapi.relay.admit import admit
from newapi.relay.gateway import Gateway
from newapi.relay.snapshot import Channel
from newapi.relay.values import Caller

_NOT_BUILT = (
    "/v1/files",
    "/v1/fine-tunes",
    "/v1/fine_tuning",
    "/v1/images/variations",
    "/v1/assistants",
    "/v1/threads",
    "/v1/batches",
    "/v1/vector_stores",
)
_CREATED = 1626777600
"""New API's date for every model, 2021-07-20: vendors' own dates are not known here."""


class Asked(Struct, frozen=True):
    """A request that no upstream is asked for. `known`: the path exists, for another method."""

    method: str
    path: str
    query: Mapping[str, str]
    headers: Mapping[str, str]
    peer: str
    request_id: str
    known: bool = False


def answer(asked: Asked, gateway: Gateway) -> tuple[int, bytes]:
    """Return status and JSON body."""
    try:
        return 200, msgspec.json.encode(_answer(asked, gateway))
    except NewapiError as error:
        return error.status, formats.get(_format_of(asked)).write_error(error, asked.request_id)


def _answer(asked: Asked, gateway: Gateway) -> Any:
    path = asked.path
    if asked.method == "GET" and (found := _find(path)) is not None:
        handler, model = found
        caller = admit(gateway.snapshot, asked.headers, asked.query.get("key", ""), asked.peer, gateway.clock())
        return handler(asked, gateway, caller, model)
    if path.startswith(_NOT_BUILT):
        raise NewapiError("API not implemented", status=501, code="api_not_implemented", type="new_api_error")
    if asked.known:
        raise CallerError(f"{asked.method} is not allowed at {path}", status=405, code="method_not_allowed")
    raise CallerError(f"Invalid URL ({asked.method} {path})", status=404, code="not_found")


Handler = Callable[[Asked, Gateway, Caller, str], Any]


def _find(path: str) -> tuple[Handler, str] | None:
    if handler := _HANDLERS.get(path):
        return handler, ""
    for prefix, handler in _PREFIXES:
        if path.startswith(prefix):
            return handler, unquote(path.removeprefix(prefix))
    return None


def _format_of(asked: Asked) -> str:
    if asked.path.startswith("/v1beta/") and not asked.path.startswith("/v1beta/openai"):
        return "gemini"
    if "anthropic-version" in asked.headers:
        return "anthropic_messages"
    return "gemini" if "x-goog-api-key" in asked.headers else "openai_chat"


def _names(gateway: Gateway, caller: Caller) -> list[str]:
    snapshot, allowed = gateway.snapshot, caller.token.models
    names = sorted({name for c in caller.in_groups() for name in snapshot.models_of(c.group)})
    if allowed is not None:
        names = [n for n in names if n in allowed]
    return [n for n in names if snapshot.prices.find(n) is not None]


# -- models ---------------------------------------------------------------------------------


def _models(asked: Asked, gateway: Gateway, caller: Caller, model: str) -> Any:
    names = _names(gateway, caller)
    match _format_of(asked):
        case "anthropic_messages":
            return {
                "data": [_anthropic(n) for n in names],
                "first_id": names[0] if names else None,
                "last_id": names[-1] if names else None,
                "has_more": False,
            }
        case "gemini":
            return {"models": [_gemini(n) for n in names]}
        case _:
            return {"object": "list", "data": [_openai(n, gateway, caller) for n in names]}


def _model(asked: Asked, gateway: Gateway, caller: Caller, model: str) -> Any:
    snapshot, allowed = gateway.snapshot, caller.token.models
    denied = allowed is not None and model not in allowed
    if denied or not _tiers(gateway, caller, model) or snapshot.prices.find(model) is None:
        raise CallerError(f"The model {model!r} does not exist", status=404, code="model_not_found", param="model")
    match _format_of(asked):
        case "anthropic_messages":
            return _anthropic(model)
        case "gemini":
            return _gemini(model)
        case _:
            return _openai(model, gateway, caller)


def _openai(name: str, gateway: Gateway, caller: Caller) -> dict[str, Any]:
    tiers = _tiers(gateway, caller, name)
    owner = tiers[0][0].provider.name if tiers else "custom"
    return {"id": name, "object": "model", "created": _CREATED, "owned_by": owner}


def _tiers(gateway: Gateway, caller: Caller, model: str) -> tuple[tuple[Channel, ...], ...]:
    """Return the channels that serve a model to a caller, of the first of its groups that has any."""
    found = (gateway.snapshot.route(c.group, model) for c in caller.in_groups())
    return next((tiers for tiers in found if tiers), ())


def _anthropic(name: str) -> dict[str, Any]:
    return {"type": "model", "id": name, "display_name": name, "created_at": "2021-07-20T10:40:00Z"}


def _gemini(name: str) -> dict[str, Any]:
    return {
        "name": f"models/{name}",
        "displayName": name,
        "supportedGenerationMethods": ["generateContent", "streamGenerateContent", "countTokens"],
    }


# -- the account -----------------------------------------------------------------------------


def _subscription(asked: Asked, gateway: Gateway, caller: Caller, model: str) -> Any:
    left, used = gateway.ledger.account(caller.token.id)
    limit = 100_000_000 if left is None else (left + used) / QUOTA_PER_USD
    return {
        "object": "billing_subscription",
        "has_payment_method": True,
        "soft_limit_usd": limit,
        "hard_limit_usd": limit,
        "system_hard_limit_usd": limit,
        "access_until": int(caller.token.expires_at),
    }


def _usage(asked: Asked, gateway: Gateway, caller: Caller, model: str) -> Any:
    _, used = gateway.ledger.account(caller.token.id)
    return {"object": "list", "total_usage": used * 100 / QUOTA_PER_USD}


_HANDLERS: dict[str, Handler] = {
    "/v1/models": _models,
    "/v1beta/models": _models,
    "/v1beta/openai/models": _models,
    "/v1/dashboard/billing/subscription": _subscription,
    "/v1/dashboard/billing/usage": _usage,
    "/dashboard/billing/subscription": _subscription,
    "/dashboard/billing/usage": _usage,
}
_PREFIXES: tuple[tuple[str, Handler], ...] = (
    ("/v1/models/", _model),
    ("/v1beta/models/", _model),
    ("/v1beta/openai/models/", _model),
)
