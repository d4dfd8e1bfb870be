"""xAI (Grok): OpenAI chat and Responses. Source: https://docs.x.ai/docs/api-reference"""

from __future__ import annotations

from msgspec.structs import replace

from newapi.base.body import Body
from newapi.formats.contract import Profile
from newapi.providers import _openai as openai
from newapi.providers.contract import Target, openai_compatible


def profile(model: str) -> Profile:
    """Return what Grok takes: only Grok 3 mini takes an effort, `low` or `high`.

    Source: https://docs.x.ai/docs/guides/reasoning
    """
    if model.startswith("grok-3-mini"):
        return Profile(reasoning="effort", efforts=("low", "high"), max_tokens_field="max_completion_tokens")
    return Profile()


def edit(body: Body, target: Target) -> Target:
    """Ask for the usage of a stream; tell what the end of the name says: `-search`, and `-high` or `-low` at 3 mini."""
    if target.endpoint == "images":
        body.keep("model", "prompt", "n", "response_format", "aspect_ratio", "resolution", "user")
        return target
    if target.format in ("openai_chat", "openai_completions"):
        openai.usage_in_stream(body)
    if target.format != "openai_chat":
        return target
    model = target.model
    if model.endswith("-search"):
        body.set("search_parameters", {"mode": "on"})
        return replace(target, model=model.removesuffix("-search"))
    if not model.startswith("grok-3-mini"):
        return target
    openai.limit_as_completion(body)
    model, effort = openai.effort_suffix(model, ("-high", "-low"))
    if effort:
        body.set("reasoning_effort", effort)
    return replace(target, model=model)


PROVIDER = openai_compatible(
    "xai",
    title="xAI (Grok)",
    channel_type=48,
    base_url="https://api.x.ai",
    speaks={
        "chat": {**openai.CHAT, "openai_responses": "/v1/responses"},
        "images": {"images": "/v1/images/generations"},
    },
    docs="https://docs.x.ai/docs/api-reference",
    profile=profile,
    edit=edit,
)
