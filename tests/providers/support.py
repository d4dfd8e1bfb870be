"""One request through a provider, as the relay sends it."""

from __future__ import annotations

from typing import Any

import msgspec
from msgspec.structs import replace

from newapi import providers
from newapi.base.body import Body
from newapi.base.http import HttpCall
from newapi.base.secret import Secret
from newapi.formats.contract import Endpoint
from newapi.providers.contract import Target


def send(
    name: str,
    body: dict[str, Any],
    *,
    format: str = "openai_chat",
    endpoint: Endpoint = "chat",
    base_url: str = "https://up",
    key: str = "k",
    **changes: Any,
) -> tuple[HttpCall, dict[str, Any]]:
    """Return the call a provider makes of a body in its format, and the body it sends."""
    provider = providers.get(name)
    model: str = body.get("model", "m")
    spoken = provider.speaks_for(model, base_url) if provider.speaks_for else provider.speaks
    target = Target(
        base_url=base_url,
        key=Secret(key),
        model=model,
        asked_model=model,
        endpoint=endpoint,
        format=format,
        entry=format,
        path=spoken[endpoint][format],
        stream=bool(body.get("stream")),
    )
    target = replace(target, **changes)
    edited = Body(msgspec.json.encode(body))
    if provider.edit:
        target = provider.edit(edited, target)
        if edited.get("model") != target.model:
            edited.set("model", target.model)
    call = provider.call(target, edited.encode())
    return call, msgspec.json.decode(call.body)
