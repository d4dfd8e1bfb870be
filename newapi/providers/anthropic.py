"""Anthropic's Claude API. Source: https://docs.claude.com/en/api/overview

Suffixes of a model's name are instructions: `-thinking`, and for Opus 4.6 and later an effort (`-high`).
"""

from __future__ import annotations

import re
from typing import Any

from msgspec.structs import replace

from newapi.base.body import Body
from newapi.base.http import HttpCall
from newapi.formats.contract import Profile
from newapi.providers.contract import Provider, Target, url

VERSION = "2023-06-01"
_EFFORTS = ("max", "xhigh", "high", "medium", "low", "minimal")
_SHARE = 0.8
"""Part of the output that `-thinking` may think with: New API's."""
_FIRST_BUDGET = 1280
"""Tokens of output that `-thinking` needs at least, so that its share is a budget Anthropic takes."""
_VERSIONED = re.compile(r"claude-(?:opus|sonnet|haiku)-(\d+)(?:-(\d{1,2}))?(?!\d)")
_KEEPS_SUFFIX = ("kimi-k2-thinking", "moonshotai/kimi-k2-thinking")


def _version(model: str) -> tuple[int, int]:
    """Return (major, minor) of a Claude 4 or later, (3, 0) of a Claude 3, (0, 0) of others."""
    if found := _VERSIONED.search(model):
        return int(found[1]), int(found[2] or 0)
    return (3, 7) if "claude-3-7" in model else (3, 0) if "claude-3" in model else (0, 0)


def profile(model: str) -> Profile:
    """Return how a Claude is told to think, and whether it takes an output schema.

    Sources: https://docs.claude.com/en/docs/build-with-claude/extended-thinking,
    https://docs.claude.com/en/docs/build-with-claude/structured-outputs
    """
    version = _version(model)
    schema = version >= (4, 5) or (version == (4, 1) and "opus" in model)
    if version >= (4, 6) and "haiku" not in model:
        efforts = ("low", "medium", "high", "xhigh", "max") if version >= (4, 7) else ("low", "medium", "high", "max")
        return Profile(reasoning="adaptive", efforts=efforts, json_schema=schema)
    if version >= (3, 7):
        return Profile(reasoning="budget", budget_min=1024, budget_max=128_000, json_schema=schema)
    return Profile(json_schema=schema)


def _edit(body: Body, target: Target) -> Target:
    model = target.model
    if "max_tokens" not in body and target.endpoint == "chat":
        body.set("max_tokens", profile(model).default_max_output)
    effort = next((e for e in _EFFORTS if model.endswith(f"-{e}")), "")
    if effort and model.startswith(("claude-opus-4-6", "claude-opus-4-7", "claude-opus-4-8")):
        model = model.removesuffix(f"-{effort}")
        _think_adaptively(body, model, effort, native=target.entry == target.format)
    elif model.endswith("-thinking") and model not in _KEEPS_SUFFIX:
        model = model.removesuffix("-thinking")
        if model.startswith(("claude-opus-4-7", "claude-opus-4-8")):
            _think_adaptively(body, model, "high", native=target.entry == target.format)
        elif not body.get("thinking"):
            _think_with_budget(body)
    return replace(target, model=model)


def _think_adaptively(body: Body, model: str, effort: str, *, native: bool) -> None:
    thinking: dict[str, Any] = {"type": "adaptive"}
    if model.startswith(("claude-opus-4-7", "claude-opus-4-8")):
        thinking["display"] = "summarized"
        body.drop("temperature", "top_p", "top_k")
    else:
        body.set("temperature", 1.0)
        if not native or (body.get("top_p") or 1) < 0.95:
            body.drop("top_p")
    body.set("thinking", thinking)
    body.set("output_config", {**(body.get("output_config") or {}), "effort": effort})


def _think_with_budget(body: Body) -> None:
    limit = max(_FIRST_BUDGET, int(body.get("max_tokens") or 0))
    body.set("max_tokens", limit)
    body.set("thinking", {"type": "enabled", "budget_tokens": int(limit * _SHARE)})
    body.set("temperature", 1.0)
    body.drop("top_p", "top_k")


def _call(target: Target, body: bytes) -> HttpCall:
    headers = [
        ("x-api-key", target.key.reveal()),
        ("anthropic-version", target.headers.get("anthropic-version") or VERSION),
        ("content-type", target.content_type),
        ("accept", target.headers.get("accept") or ("text/event-stream" if target.stream else "application/json")),
    ]
    if beta := target.headers.get("anthropic-beta"):
        headers.append(("anthropic-beta", beta))
    wants_beta = ("beta", "true") in target.query or bool(target.options.get("claude_beta_query"))
    return HttpCall("POST", url(target, (("beta", "true"),) if wants_beta else ()), tuple(headers), body)


PROVIDER = Provider(
    name="anthropic",
    title="Anthropic",
    channel_type=14,
    base_url="https://api.anthropic.com",
    speaks={
        "chat": {"anthropic_messages": "/v1/messages"},
        "count_tokens": {"anthropic_count_tokens": "/v1/messages/count_tokens"},
    },
    call=_call,
    profile=profile,
    edit=_edit,
    options=("claude_beta_query",),
    docs="https://docs.claude.com/en/api/overview",
)
