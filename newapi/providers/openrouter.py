"""OpenRouter: many vendors' models behind one chat API. Source: https://openrouter.ai/docs/api-reference/overview"""

from __future__ import annotations

from typing import Any, cast

from msgspec.structs import replace

from newapi.base.body import Body
from newapi.base.errors import CallerError
from newapi.base.http import HttpCall
from newapi.formats.contract import Profile
from newapi.providers import _openai as openai
from newapi.providers.contract import Target, bearer_call, openai_compatible

_REALLY_THINKING = ("moonshotai/", "kimi-", "qwen/", "baidu/", "z-ai/", "thudm/", "arcee-ai/", "liquid/")
"""Vendors who name models `…-thinking` themselves; elsewhere the end of the name is a wish."""
_ATTRIBUTION = ("http-referer", "x-title", "x-openrouter-title")


def profile(model: str) -> Profile:
    """Return OpenRouter's dialect: `reasoning` as an object, cache marks, `reasoning_details` sent back.

    Source: https://openrouter.ai/docs/use-cases/reasoning-tokens
    """
    return Profile(
        reasoning="effort",
        reasoning_field="reasoning",
        reasoning_echo="optional",
        top_k=True,
        cache_marks=True,
        web_search=True,
        dialect="openrouter",
    )


def call(target: Target, body: bytes) -> HttpCall:
    """Return the call, with the caller's own attribution headers, or this program's name.

    Source: https://openrouter.ai/docs/app-attribution
    """
    own = tuple((k, target.headers[k]) for k in _ATTRIBUTION if target.headers.get(k))
    return bearer_call(target, body, *(own or (("x-title", "newapi"),)))


def edit(body: Body, target: Target) -> Target:
    """Ask for the usage OpenRouter's way, and tell reasoning as its `reasoning` object."""
    if target.format not in ("openai_chat", "openai_completions"):
        return target
    openai.usage_in_stream(body, wanted=False)
    if "usage" not in body:
        body.set("usage", {"include": True})
    if target.format != "openai_chat":
        return target
    effort: object = body.pop("reasoning_effort")
    model = target.model
    reasoning: dict[str, Any] = {}
    if model.endswith("-thinking") and not model.startswith(_REALLY_THINKING):
        model = model.removesuffix("-thinking")
        reasoning["enabled"] = True
    if effort == "none":
        reasoning = reasoning or {"enabled": False}
    elif effort:
        reasoning |= {"enabled": True, "effort": effort}
    if model.startswith("anthropic") and "thinking" in body:
        reasoning = _claude_thinking(body.pop("thinking")) or reasoning
    if reasoning and not body.get("reasoning"):
        body.set("reasoning", reasoning)
    return replace(target, model=model)


def _claude_thinking(value: object) -> dict[str, Any]:
    said = cast("dict[str, Any]", value) if isinstance(value, dict) else {}
    if said.get("type") != "enabled":
        return {}
    budget = said.get("budget_tokens")
    if not isinstance(budget, int):
        raise CallerError("thinking.budget_tokens is missing where thinking is enabled", param="thinking.budget_tokens")
    return {"enabled": True, "max_tokens": budget}


PROVIDER = openai_compatible(
    "openrouter",
    title="OpenRouter",
    channel_type=20,
    base_url="https://openrouter.ai/api",
    speaks={
        "chat": {**openai.CHAT, "openai_responses": "/v1/responses"},
        "embeddings": {"embeddings": "/v1/embeddings"},
    },
    docs="https://openrouter.ai/docs/api-reference/overview",
    call=call,
    profile=profile,
    edit=edit,
)
