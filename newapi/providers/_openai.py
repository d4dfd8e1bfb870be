"""What OpenAI's own models and those who copy its API have in common: paths, and rules for the request."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, cast

from msgspec.structs import replace

from newapi.base.body import Body
from newapi.formats.contract import Endpoint, Profile
from newapi.providers.contract import Speaks, Target

CHAT: Mapping[str, str] = {"openai_chat": "/v1/chat/completions", "openai_completions": "/v1/completions"}

SPEAKS: Speaks = {
    "chat": CHAT,
    "embeddings": {"embeddings": "/v1/embeddings"},
    "rerank": {"rerank": "/v1/rerank"},
    "images": {"images": "/v1/images/generations"},
    "image_edits": {"image_edits": "/v1/images/edits"},
    "speech": {"speech": "/v1/audio/speech"},
    "transcription": {"transcriptions": "/v1/audio/transcriptions"},
    "translation": {"translations": "/v1/audio/translations"},
    "moderation": {"moderations": "/v1/moderations"},
}
"""What New API asks of any OpenAI-compatible upstream."""

FULL: Speaks = {
    **SPEAKS,
    "chat": {**CHAT, "openai_responses": "/v1/responses"},
    "compact": {"openai_compact": "/v1/responses/compact"},
}
"""The same with the Responses API."""


def only(*endpoints: Endpoint, **chat: str) -> Speaks:
    """Return the usual paths of `chat` and `endpoints`, and chat formats at paths of their own."""
    spoken: dict[Endpoint, Mapping[str, str]] = {"chat": {**CHAT, **chat}}
    for endpoint in endpoints:
        spoken[endpoint] = SPEAKS[endpoint]
    return spoken


# -- rules for chat bodies ------------------------------------------------------------------

SUFFIXES = ("-high", "-minimal", "-low", "-medium", "-none", "-xhigh")
"""Ends of a model's name that say an effort, as New API reads them."""

_REASONERS = ("o1", "o3", "o4", "gpt-5", "gpt-6")
_OWN = ("gpt-", "chatgpt-", "o1", "o3", "o4")
_NO_EFFORT = ("o1-mini", "o1-preview", "gpt-5-chat")
_NO_DEVELOPER = ("o1-mini", "o1-preview")


def usage_in_stream(body: Body, *, wanted: bool = True) -> None:
    """Ask a streaming upstream for its usage; or take `stream_options` out where the vendor does not take them.

    The bill depends on the usage, so it is asked for whatever the caller said; the relay hides it from those who did
    not want it. `stream_options` without `stream` is refused by OpenAI, so there it is taken out.
    """
    if not wanted or not body.get("stream"):
        body.drop("stream_options")
        return
    options: object = body.get("stream_options")
    said = cast("dict[str, Any]", options) if isinstance(options, dict) else {}
    if said.get("include_usage") is not True:
        body.set("stream_options", {**said, "include_usage": True})


def drop_cache_marks(body: Body, model: str) -> None:
    """Take `cache_control` out of a chat request for one of OpenAI's models: they cache by themselves, and refuse it.

    Clients say it of models that they think are Claude's, by the name they asked for (opencode).
    """
    if not model.startswith(_OWN):
        return
    for key in ("messages", "tools"):
        raw = body.raw(key)
        if raw is not None and b'"cache_control"' in raw:
            body.set(key, _unmarked(body.get(key)))


def _unmarked(value: object) -> object:
    """Return messages, parts or tools without their marks; what tools are given and answer stays as it is."""
    if isinstance(value, list):
        return [_unmarked(v) for v in cast("list[object]", value)]
    if not isinstance(value, dict):
        return value
    said = {k: v for k, v in cast("dict[str, Any]", value).items() if k != "cache_control"}
    return {**said, "content": _unmarked(said["content"])} if isinstance(said.get("content"), list) else said


def effort_suffix(model: str, suffixes: tuple[str, ...] = SUFFIXES) -> tuple[str, str]:
    """Return (model, effort) of a name that ends with an effort, (`model`, "") of any other."""
    for suffix in suffixes:
        if model.endswith(suffix):
            return model.removesuffix(suffix), suffix[1:]
    return model, ""


def is_reasoner(model: str) -> bool:
    """Return whether `model` is one of OpenAI's that think: the o series, GPT-5 and GPT-6.

    Source: https://platform.openai.com/docs/guides/reasoning
    """
    return model.startswith(_REASONERS)


def reasoner_rules(body: Body, target: Target) -> Target:
    """Put a chat or Responses request right for OpenAI's thinking models; return the target without an effort suffix.

    They take `max_completion_tokens`, no `temperature`; GPT-5 and GPT-6 neither `top_p` nor `logprobs`; the first
    system message is the developer's. An effort at the end of the name (`o3-mini-high`) is told in the request.
    Source: https://platform.openai.com/docs/guides/latest-model
    """
    if not is_reasoner(target.model):
        return target
    model, effort = effort_suffix(target.model)
    if target.format == "openai_responses":
        if effort:
            reasoning: object = body.get("reasoning")
            said = cast("dict[str, Any]", reasoning) if isinstance(reasoning, dict) else {}
            body.set("reasoning", {**said, "effort": effort})
        return replace(target, model=model)
    if target.format != "openai_chat":
        return target
    limit_as_completion(body)
    body.drop("temperature")
    if model.startswith(("gpt-5", "gpt-6")):
        # `top_logprobs` alone is refused.
        body.drop("top_p", "logprobs", "top_logprobs")
    if effort:
        body.set("reasoning_effort", effort)
    if not model.startswith(_NO_DEVELOPER):
        _first_system(body, "developer")
    return replace(target, model=model)


def limit_as_completion(body: Body) -> None:
    """Say the limit of the answer as `max_completion_tokens` alone."""
    limit = body.get("max_tokens")
    if limit and not body.get("max_completion_tokens"):
        body.set("max_completion_tokens", limit)
    if "max_completion_tokens" in body:
        body.drop("max_tokens")


def limit_as_max(body: Body) -> None:
    """Say the limit of the answer as `max_tokens` alone, for vendors who know no other word."""
    if limit := body.pop("max_completion_tokens"):
        body.set("max_tokens", limit)


def _first_system(body: Body, role: str) -> None:
    messages: object = body.get("messages")
    if isinstance(messages, list) and messages:
        first = cast("list[Any]", messages)[0]
        if isinstance(first, dict) and cast("dict[str, Any]", first).get("role") == "system":
            body.set("messages", [{**cast("dict[str, Any]", first), "role": role}, *cast("list[Any]", messages)[1:]])


def messages(body: Body) -> list[dict[str, Any]]:
    """Return the messages of a chat request that are objects; changing them needs a `set`."""
    found: object = body.get("messages")
    if not isinstance(found, list):
        return []
    return [cast("dict[str, Any]", m) for m in cast("list[object]", found) if isinstance(m, dict)]


def developer_as_system(body: Body) -> None:
    """Call the developer's messages the system's, for vendors who refuse the newer word."""
    raw = body.raw("messages")
    if raw is None or b'"developer"' not in raw:
        return
    body.set("messages", [{**m, "role": "system"} if m.get("role") == "developer" else m for m in messages(body)])


def lower_top_p(body: Body, below: float) -> None:
    """Say `below` in place of a `top_p` of 1 or more, for vendors whose bound excludes 1."""
    top_p: object = body.get("top_p")
    if isinstance(top_p, int | float) and top_p >= 1:
        body.set("top_p", below)


# -- profiles -------------------------------------------------------------------------------


def own_profile(model: str) -> Profile:
    """Return what OpenAI's own API takes, beyond what those who copy it take.

    Sources: https://platform.openai.com/docs/guides/function-calling#custom-tools,
    https://platform.openai.com/docs/api-reference/chat/create#chat-create-stop
    """
    return replace(profile(model), custom_tools=True, max_stop=4)


def profile(model: str) -> Profile:
    """Return what OpenAI's models take; one that does not think takes everything.

    Efforts by model: https://platform.openai.com/docs/api-reference/chat/create#chat-create-reasoning_effort
    """
    if model.startswith("gpt-oss"):
        return Profile(reasoning="effort")
    if not is_reasoner(model):
        return Profile(web_search="search" in model)
    name, _ = effort_suffix(model)
    return Profile(
        reasoning="none" if name.startswith(_NO_EFFORT) else "effort",
        efforts=_efforts(name),
        sampling=False,
        web_search="search" in name,
        max_tokens_field="max_completion_tokens",
        system_role="system" if name.startswith(_NO_DEVELOPER) else "developer",
    )


def _efforts(model: str) -> tuple[str, ...]:
    if model.startswith(("gpt-6", "gpt-5.6")):
        return ("none", "low", "medium", "high", "xhigh", "max")
    if not model.startswith("gpt-5"):
        return ("low", "medium", "high")
    first = not model.startswith("gpt-5.")
    if "-pro" in model:
        return ("high",) if first else ("medium", "high", "xhigh")
    if "codex" in model:
        weaker = first or (model.startswith("gpt-5.1") and "codex-max" not in model)
        return ("low", "medium", "high") if weaker else ("low", "medium", "high", "xhigh")
    if first:
        return ("minimal", "low", "medium", "high")
    return ("none", "low", "medium", "high") + (() if model.startswith("gpt-5.1") else ("xhigh",))
