"""Google's Gemini API.

Suffixes of a model's name are instructions: `-thinking`, `-thinking-2048`, `-nothinking`, and an effort (`-low`).
"""

from __future__ import annotations

import re
from typing import Any, cast
from urllib.parse import urlencode

from msgspec import Struct
from msgspec.structs import replace

from newapi.base.body import Body
from newapi.base.http import HttpCall
from newapi.formats._gemini_seals import drop_foreign_signatures
from newapi.formats._gemini_write_request import thinking_config
from newapi.formats.contract import Profile
from newapi.ir.request import ReasoningWish
from newapi.providers.contract import Provider, Target, fill

_EFFORTS = ("max", "xhigh", "high", "medium", "low", "minimal")
_SUFFIX = re.compile(
    rf"(?P<model>gemini-.+?)-(?:thinking-(?P<budget>\d+)|(?P<word>thinking|nothinking|{'|'.join(_EFFORTS)}))"
)
_IMAGE_MODELS = frozenset(("gemini-2.0-flash-exp",))
_SHARE = 0.6
"""Part of the output that `-thinking` may think with, where the caller limits the output: New API's."""


class Suffix(Struct, frozen=True):
    """A model's name without its suffix, and what the suffix says: a budget in tokens, or a word."""

    model: str
    budget: int | None = None
    word: str = ""


def suffix(name: str) -> Suffix:
    """Return the parts of `name`; models that cannot be told how to think keep their whole name."""
    found = _SUFFIX.fullmatch(name)
    if found is None or _family(found["model"]).reasoning == "none":
        return Suffix(name)
    return Suffix(found["model"], int(found["budget"]) if found["budget"] else None, found["word"] or "")


def profile(model: str) -> Profile:
    """Return how a model is told to think, and whether it answers with pictures.

    Source: https://ai.google.dev/gemini-api/docs/thinking#set-budget
    """
    return _family(suffix(model).model)


def _family(model: str) -> Profile:
    if model in _IMAGE_MODELS or "-image" in model:
        return Profile(image_output=True)
    if "-tts" in model or "embedding" in model:
        return Profile()
    if model.startswith("gemini-2.5-flash-lite"):
        return Profile(reasoning="budget", budget_min=512, budget_max=24_576)
    if model.startswith("gemini-2.5-flash"):
        return Profile(reasoning="budget", budget_min=1, budget_max=24_576)
    if model.startswith("gemini-2.5-pro"):
        return Profile(reasoning="budget", budget_min=128, budget_max=32_768, can_disable=False)
    if model.startswith(("gemini-flash-lite-latest", "gemini-flash-latest", "gemini-pro-latest")):
        return Profile(reasoning="budget", budget_min=512, budget_max=24_576, can_disable="pro" not in model)
    if re.match(r"gemini-[3-9]", model):
        if model.startswith("gemini-3-pro"):
            return Profile(reasoning="level", efforts=("low", "high"), can_disable=False)
        if "flash" in model:
            return Profile(reasoning="level", efforts=("minimal", "low", "medium", "high"), can_disable=False)
        return Profile(reasoning="level", efforts=("low", "medium", "high"), can_disable=False)
    return Profile()


def _edit(body: Body, target: Target) -> Target:
    if target.entry == target.format:
        drop_foreign_signatures(body)
    said = suffix(target.model)
    if said.model == target.model:
        return target
    target = replace(target, model=said.model)
    if target.endpoint != "chat":
        return target
    key = "generation_config" if "generation_config" in body else "generationConfig"
    said_config = body.get(key)
    config = cast("dict[str, Any]", said_config) if isinstance(said_config, dict) else {}
    if "thinkingConfig" in config or "thinking_config" in config:
        # What the caller says itself counts.
        return target
    thinking = _thinking(said, config)
    if thinking:
        body.set(key, {**config, "thinkingConfig": thinking})
    return target


def _thinking(said: Suffix, config: dict[str, Any]) -> dict[str, Any] | None:
    its = _family(said.model)
    if said.word == "nothinking":
        return thinking_config(ReasoningWish(enabled=False), its)
    if said.word == "thinking":
        limit = config.get("maxOutputTokens") or config.get("max_output_tokens")
        if its.reasoning == "level" or not isinstance(limit, int):
            return {"includeThoughts": True}
        return thinking_config(ReasoningWish(enabled=True, budget=int(limit * _SHARE), show=True), its)
    if said.budget is not None:
        return thinking_config(ReasoningWish(enabled=said.budget > 0, budget=said.budget, show=said.budget > 0), its)
    return thinking_config(ReasoningWish(effort=said.word, show=True), its)


def _call(target: Target, body: bytes) -> HttpCall:
    action = "streamGenerateContent" if target.stream else "generateContent"
    if target.format == "gemini_embeddings":
        edited = Body(body)
        action = "batchEmbedContents" if "requests" in edited else "embedContent"
        if action == "embedContent":
            # Google wants the resource's name here, the relay's `model` is the bare one.
            edited.set("model", f"models/{target.model}")
            body = edited.encode()
    path = fill(target.path, target).replace("{action}", action)
    if target.model.startswith("gemini-1.0-pro"):
        path = path.replace("/v1beta/", "/v1/", 1)
    query = [(k, v) for k, v in target.query if k != "alt"] if target.entry == target.format else []
    if target.stream:
        query.append(("alt", "sse"))
    url = target.base_url + path + (f"?{urlencode(query)}" if query else "")
    headers = (("x-goog-api-key", target.key.reveal()), ("content-type", target.content_type))
    return HttpCall("POST", url, headers, body)


PROVIDER = Provider(
    name="gemini",
    title="Google Gemini",
    channel_type=24,
    base_url="https://generativelanguage.googleapis.com",
    speaks={
        "chat": {"gemini": "/v1beta/models/{model}:{action}"},
        "embeddings": {"gemini_embeddings": "/v1beta/models/{model}:{action}"},
        "images": {"gemini_imagen": "/v1beta/models/{model}:predict"},
        "count_tokens": {"gemini_count_tokens": "/v1beta/models/{model}:countTokens"},
    },
    call=_call,
    profile=profile,
    edit=_edit,
    models_path="",
    docs="https://ai.google.dev/api",
)
