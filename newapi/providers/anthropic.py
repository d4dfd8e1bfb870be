"""Anthropic's API.

Suffixes of a model's name are instructions: `-thinking`, and for Claude Opus 4.6 to 4.8 an effort (`-low` to `-max`).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from msgspec.structs import replace

from newapi.base.body import Body
from newapi.base.http import HttpCall
from newapi.formats._anthropic_read_request import DEFAULT_MAX_OUTPUT
from newapi.formats._anthropic_seals import drop_foreign_thoughts, think_no_more
from newapi.formats.contract import Profile
from newapi.providers.contract import Provider, Target, url

VERSION = "2023-06-01"
"""The version sent for callers of other formats: the last one that takes temperature, top_p and top_k."""

_MODEL = re.compile(r"claude-(?:(?P<family>[a-z]+)-)?(?P<major>\d{1,2})(?:[-.](?P<minor>\d{1,2}))?(?!\d)")
_EFFORTS = ("max", "xhigh", "high", "medium", "low", "minimal")
_ADAPTIVE_ONLY = ("claude-opus-4-7", "claude-opus-4-8")
_WITH_EFFORT = ("claude-opus-4-6", *_ADAPTIVE_ONLY)
_SHARE = 0.8
"""Part of `max_tokens` that `-thinking` may think with: New API's."""
_ROOM = 1280
"""The least `max_tokens` for which that share is a budget Anthropic takes."""
_BETA = ("beta", "true")
_SAMPLING = ("temperature", "top_p", "top_k")


def generation(model: str) -> tuple[str, int, int] | None:
    """Return (family, major, minor) of a Claude model's name, None when it names none.

    The name may stand inside a cloud's id (`anthropic.claude-opus-4-6-v1`, `anthropic/claude-sonnet-4.5`); a date is
    no minor version.
    """
    found = _MODEL.search(model)
    if found is None:
        return None
    family = found["family"] or next((f for f in ("opus", "sonnet", "haiku") if f in model), "")
    return family, int(found["major"]), int(found["minor"] or 0)


def profile(model: str) -> Profile:
    """Return how a model is told to think, and what it takes.

    Sources: https://platform.claude.com/docs/en/build-with-claude/thinking#configuring-thinking,
    https://platform.claude.com/docs/en/build-with-claude/effort,
    https://platform.claude.com/docs/en/build-with-claude/structured-outputs. A budget is at most half of what a model
    can put out, so that budget and answer fit together.
    """
    found = generation(model)
    if found is None:
        if "claude-mythos" in model or "claude-fable" in model:
            return _adaptive_only("mythos", 5, 0)
        return Profile(json_schema=False)
    family, major, minor = found
    version = (major, minor)
    if version < (3, 7):
        return Profile(json_schema=False)
    if version >= (4, 7):
        return _adaptive_only(family, major, minor)
    if version == (4, 6):
        efforts = ("low", "medium", "high", "max")
        return Profile(reasoning="adaptive", efforts=efforts, top_p_beside_temperature=False)
    return Profile(
        reasoning="budget",
        budget_max=16_000 if family == "opus" and version < (4, 5) else 32_000,
        json_schema=version >= (4, 5),
        top_p_beside_temperature=version < (4, 1),
    )


def _adaptive_only(family: str, major: int, minor: int) -> Profile:
    """Models that think as they see fit, and take neither a budget nor sampling."""
    always = family in ("fable", "mythos") or (family in ("opus", "sonnet") and (major, minor) >= (5, 5))
    return Profile(
        reasoning="adaptive",
        efforts=("low", "medium", "high", "xhigh", "max"),
        can_disable=not always,
        sampling=False,
        top_p_beside_temperature=False,
    )


def suffix(model: str) -> tuple[str, str]:
    """Return a model's name without its suffix, and the suffix: an effort, `thinking`, or "" when it has none."""
    base, _, last = model.rpartition("-")
    if last in _EFFORTS and base.startswith(_WITH_EFFORT):
        return base, last
    return (base, last) if last == "thinking" and base else (model, "")


def _edit(body: Body, target: Target) -> Target:
    """Do what the model's suffix says, and fill in what Anthropic demands."""
    model, said = suffix(target.model)
    target = replace(target, model=model)
    native = target.entry == target.format
    if native:
        drop_foreign_thoughts(body)
        think_no_more(body)
    if target.endpoint != "chat":
        return target
    if body.get("max_tokens") is None:
        body.set("max_tokens", DEFAULT_MAX_OUTPUT)
    if said == "thinking":
        _think(body, target, native)
    elif said:
        _try_hard(body, target, said, native)
    return target


def _try_hard(body: Body, target: Target, effort: str, native: bool) -> None:
    thinking: dict[str, Any] = {"type": "adaptive"}
    body.set("output_config", _with_effort(body, effort))
    if target.model.startswith(_ADAPTIVE_ONLY):
        thinking["display"] = "summarized"
        body.drop(*_SAMPLING)
    else:
        _no_sampling(body, target, native)
    if not _forces_a_call(body):
        body.set("thinking", thinking)


def _think(body: Body, target: Target, native: bool) -> None:
    if (body.get("thinking") is not None and native) or _forces_a_call(body):
        return
    if profile(target.model).sampling is False:
        _try_hard(body, replace(target, model=_ADAPTIVE_ONLY[0]), "high", native)
        return
    limit = body.get("max_tokens")
    limit = max(limit, _ROOM) if isinstance(limit, int) else DEFAULT_MAX_OUTPUT
    body.set("max_tokens", limit)
    body.set("thinking", {"type": "enabled", "budget_tokens": int(limit * _SHARE)})
    _no_sampling(body, target, native)


def _forces_a_call(body: Body) -> bool:
    """Thinking and a forced call exclude each other; the call is what the caller asked for in so many words."""
    choice: object = body.get("tool_choice")
    return isinstance(choice, dict) and choice.get("type") in ("any", "tool")  # pyright: ignore[reportUnknownMemberType]  # JSON


def _with_effort(body: Body, effort: str) -> dict[str, Any]:
    config: object = body.get("output_config")
    return {**(config if isinstance(config, dict) else {}), "effort": effort}  # pyright: ignore[reportUnknownVariableType]  # JSON


def _no_sampling(body: Body, target: Target, native: bool) -> None:
    """Take out what Anthropic refuses while a model thinks, and set what New API sets."""
    top_p: object = body.get("top_p")
    if not native or (isinstance(top_p, int | float) and top_p < 0.95):
        body.drop("top_p")
    body.drop("top_k")
    if native and _version(target.headers) > VERSION:
        # Later versions refuse it even where it says the default.
        body.drop("temperature")
    else:
        body.set("temperature", 1.0)


def _version(headers: Mapping[str, str]) -> str:
    return headers.get("anthropic-version") or VERSION


def _call(target: Target, body: bytes) -> HttpCall:
    native = target.entry == target.format
    headers = [
        ("x-api-key", target.key.reveal()),
        ("anthropic-version", _version(target.headers) if native else VERSION),
        ("content-type", target.content_type),
        ("accept", target.headers.get("accept") or ("text/event-stream" if target.stream else "application/json")),
    ]
    if beta := target.headers.get("anthropic-beta"):
        headers.append(("anthropic-beta", beta))
    query = target.query if native else tuple(q for q in target.query if q == _BETA)
    if target.options.get("claude_beta_query") and _BETA not in query:
        query = (*query, _BETA)
    return HttpCall("POST", url(target, query), tuple(headers), body)


PROVIDER = Provider(
    name="anthropic",
    title="Anthropic Claude",
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
    docs="https://docs.claude.com/en/api",
)
