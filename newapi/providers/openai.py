"""OpenAI: chat, Responses, and the rest. Source: https://platform.openai.com/docs/api-reference"""

from __future__ import annotations

from msgspec.structs import replace

from newapi.base.body import Body
from newapi.base.http import HttpCall
from newapi.providers import _openai as openai
from newapi.providers.contract import Speaks, Target, bearer_call, openai_compatible

BASE_URL = "https://api.openai.com"


def call(target: Target, body: bytes) -> HttpCall:
    """Return the call, with the channel's `organization`; Cloudflare's AI Gateway has paths without `/v1`."""
    organization = target.options.get("organization")
    extra = (("openai-organization", str(organization)),) if organization else ()
    if target.base_url.startswith("https://gateway.ai.cloudflare.com"):
        target = replace(target, path=target.path.removeprefix("/v1"))
    return bearer_call(target, body, *extra)


def edit(body: Body, target: Target) -> Target:
    """Put the request right for the models that think, and ask for the usage of a stream."""
    if target.format in ("openai_chat", "openai_completions"):
        openai.usage_in_stream(body)
        openai.drop_cache_marks(body, target.model)
    return openai.reasoner_rules(body, target)


def speaks_for(model: str, base_url: str) -> Speaks:
    """Return what a model is asked by: GPT-6 calls tools while it thinks by the Responses API alone.

    Source: https://developers.openai.com/api/docs/guides/deployment-checklist (read 2026-11-24).
    """
    if base_url != BASE_URL or not model.startswith("gpt-6"):
        return openai.FULL
    return {**openai.FULL, "chat": {"openai_responses": "/v1/responses", **openai.CHAT}}


PROVIDER = openai_compatible(
    "openai",
    title="OpenAI",
    channel_type=1,
    base_url=BASE_URL,
    speaks=openai.FULL,
    docs="https://platform.openai.com/docs/api-reference",
    call=call,
    profile=openai.own_profile,
    edit=edit,
    speaks_for=speaks_for,
)
