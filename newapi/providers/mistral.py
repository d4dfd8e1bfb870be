"""Mistral: OpenAI-like chat that refuses what it does not know. Source: https://docs.mistral.ai/api/endpoint/chat"""

from __future__ import annotations

import re
from hashlib import sha256
from typing import Any, cast

from newapi.base.body import Body
from newapi.formats.contract import Profile
from newapi.providers import _openai as openai
from newapi.providers.contract import Target, openai_compatible

_TAKEN = (
    "model",
    "messages",
    "stream",
    "temperature",
    "top_p",
    "max_tokens",
    "stop",
    "random_seed",
    "n",
    "presence_penalty",
    "frequency_penalty",
    "response_format",
    "tools",
    "tool_choice",
    "parallel_tool_calls",
    "prediction",
    "prompt_mode",
    "safe_prompt",
)
"""What the API's schema has; anything else is answered with 422."""
_NINE = re.compile(r"[A-Za-z0-9]{9}")


def profile(model: str) -> Profile:
    """Return Mistral's dialect: ids of tool calls have nine letters or digits, earlier reasoning is not sent back."""
    return Profile(tool_call_id="nine", reasoning_field="", dialect="mistral")


def edit(body: Body, target: Target) -> Target:
    """Leave in the request what Mistral takes, in its own words."""
    if target.format != "openai_chat":
        return target
    openai.limit_as_max(body)
    if (seed := body.pop("seed")) is not None:
        body.set("random_seed", seed)
    body.keep(*_TAKEN)
    body.set("messages", [_message(m) for m in openai.messages(body)])
    return target


def _message(message: dict[str, Any]) -> dict[str, Any]:
    role = "system" if message.get("role") == "developer" else message.get("role")
    # Mistral has no word for a refusal.
    out: dict[str, Any] = {"role": role, "content": _content(message.get("content") or message.get("refusal"))}
    calls: object = message.get("tool_calls")
    if isinstance(calls, list) and calls:
        out["tool_calls"] = [_call(c) for c in cast("list[Any]", calls)]
        out["content"] = out["content"] or []
    if id := message.get("tool_call_id"):
        out["tool_call_id"] = nine(str(id))
    for key in ("prefix", "name") if role in ("assistant", "tool") else ():
        if key in message and (key == "prefix") == (role == "assistant"):
            out[key] = message[key]
    return out


def _content(content: object) -> object:
    """Return a list of parts, images as their URL alone."""
    if isinstance(content, str):
        return [{"type": "text", "text": content}] if content else []
    if not isinstance(content, list):
        return content
    return [_part(p) for p in cast("list[object]", content)]


def _part(part: object) -> object:
    if not isinstance(part, dict):
        return part
    said = cast("dict[str, Any]", part)
    image: object = said.get("image_url")
    if said.get("type") == "image_url" and isinstance(image, dict):
        return {"type": "image_url", "image_url": cast("dict[str, Any]", image).get("url")}
    return {k: v for k, v in said.items() if k != "cache_control"}


def _call(call: object) -> object:
    if not isinstance(call, dict):
        return call
    said = cast("dict[str, Any]", call)
    return {k: v for k, v in said.items() if k in ("type", "function", "index")} | {"id": nine(str(said.get("id")))}


def nine(id: str) -> str:
    """Return nine letters or digits that stand for `id`: itself where it is so already, else always the same."""
    return id if _NINE.fullmatch(id) else sha256(id.encode()).hexdigest()[:9]


PROVIDER = openai_compatible(
    "mistral",
    title="Mistral AI",
    channel_type=42,
    base_url="https://api.mistral.ai",
    speaks={
        "chat": {"openai_chat": "/v1/chat/completions"},
        "embeddings": {"embeddings": "/v1/embeddings"},
        "moderation": {"moderations": "/v1/moderations"},
    },
    docs="https://docs.mistral.ai/api/endpoint/chat",
    profile=profile,
    edit=edit,
)
