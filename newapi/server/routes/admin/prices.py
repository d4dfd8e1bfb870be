"""The price list, for people and for other gateways."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from litestar.handlers import HTTPRouteHandler

from newapi.billing.price import Price
from newapi.ops import catalog
from newapi.relay.snapshot import Snapshot
from newapi.server.routes.admin import groups
from newapi.server.routes.admin.auth import Call, Door, Refused, Reply
from newapi.server.routes.admin.models import matches
from newapi.server.runtime import Runtime
from newapi.store.catalog import Entry

_CHAT = ("openai", "openai-response", "anthropic", "gemini")
"""New API's names of the four formats: a model in a chat can be called in each of them."""
_ENDPOINTS = {
    "openai": "/v1/chat/completions",
    "openai-response": "/v1/responses",
    "anthropic": "/v1/messages",
    "gemini": "/v1beta/models/{model}:generateContent",
    "embeddings": "/v1/embeddings",
    "jina-rerank": "/v1/rerank",
    "image-generation": "/v1/images/generations",
}
"""New API's name of a way to call a model -> its path."""


def routes(runtime: Runtime) -> list[HTTPRouteHandler]:
    """Return the handlers."""
    door = Door(runtime)
    return [door.get("/api/pricing", pricing), door.get("/api/ratio_config", ratios)]


def pricing(call: Call) -> Reply:
    """Return the price list, of the groups that whoever asks may use."""
    snapshot = call.runtime.gateway.snapshot
    own = call.somebody.group if call.somebody else ""
    usable = groups.usable(snapshot, own)
    extra = {
        "auto_groups": [g for g in snapshot.members("auto") if g in usable],
        "group_ratio": {g: float(snapshot.group_ratio(own, g)[0]) for g in usable},
        "usable_group": {g: groups.description(snapshot, g) for g in usable},
        "supported_endpoint": {name: {"path": path, "method": "POST"} for name, path in _ENDPOINTS.items()},
        "vendors": [
            {"id": v.id, "name": v.name, "icon": v.value["icon"], "description": v.value["description"]}
            for v in catalog.entries(call.db, "vendor")
        ],
    }
    described = catalog.entries(call.db, "model")
    served: dict[str, list[str]] = {}
    for group in usable:
        for model in snapshot.models_of(group):
            served.setdefault(model, []).append(group)
    shown: list[dict[str, Any]] = []
    for model in sorted(served):
        about = _about(described, model)
        if about.get("status", 1) == 1:
            shown.append(_priced(snapshot, model, served[model], about))
    return Reply(shown, extra=extra)


def ratios(call: Call) -> dict[str, dict[str, float]]:
    """Return the prices of all models as New API's ratios, where the administrator shows them to anybody."""
    if call.door.option("ExposeRatioEnabled") != "true":
        raise Refused("The administrator does not show the ratios")
    book = call.runtime.gateway.snapshot.prices
    tables: dict[str, dict[str, float]] = {
        "model_ratio": {},
        "completion_ratio": {},
        "cache_ratio": {},
        "create_cache_ratio": {},
        "model_price": {},
    }
    for model in sorted(book.names()):
        price = book.find(model)
        if price is None:
            continue
        if price.per_call is not None:
            tables["model_price"][model] = float(price.per_call)
            continue
        factors = _factors(price)
        for name in ("model_ratio", "completion_ratio", "cache_ratio", "create_cache_ratio"):
            tables[name][model] = factors[name]
    return tables


def _about(described: Sequence[Entry], model: str) -> Mapping[str, Any]:
    """Return what an administrator said of a model, by its name rather than by a rule."""
    found = [entry for entry in described if matches(entry, model)]
    found.sort(key=lambda entry: entry.name != model)
    return found[0].value if found else {}


def _priced(snapshot: Snapshot, model: str, enabled: list[str], about: Mapping[str, Any]) -> dict[str, Any]:
    price = snapshot.prices.find(model)
    by_call = price is not None and price.per_call is not None
    return {
        "model_name": model,
        "quota_type": int(by_call),
        "model_price": float(price.per_call) if price is not None and price.per_call is not None else 0,
        "owner_by": "",
        **{name: about[name] for name in ("description", "icon", "tags", "vendor_id") if about.get(name)},
        "enable_groups": enabled,
        "supported_endpoint_types": _endpoints(model),
        **(_factors(price) if price is not None and not by_call else _NO_FACTORS),
    }


_NO_FACTORS = {"model_ratio": 0, "completion_ratio": 0}


def _factors(price: Price) -> dict[str, float]:
    """Return a price by token in New API's form: a ratio, and factors of it."""
    rates = price.rates
    parts = {
        "completion_ratio": rates.output,
        "cache_ratio": rates.cache_read,
        "create_cache_ratio": rates.cache_write,
        "image_ratio": rates.image,
        "audio_ratio": rates.audio,
    }
    factors = {name: float(rate / rates.input) if rates.input else 1.0 for name, rate in parts.items()}
    spoken = float(rates.audio_output / rates.audio) if rates.audio else 1.0
    return {"model_ratio": float(rates.input), **factors, "audio_completion_ratio": spoken}


def _endpoints(model: str) -> list[str]:
    """Return how a model can be called, in New API's words, as far as its name says it."""
    name = model.lower()
    if "embed" in name or name.startswith(("bge-", "m3e")):
        return ["embeddings"]
    if "rerank" in name:
        return ["jina-rerank"]
    if name.startswith(("dall-e", "gpt-image", "imagen", "flux")):
        return ["image-generation"]
    return [*_CHAT]
