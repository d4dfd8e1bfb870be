"""Zhipu AI (GLM): OpenAI-like chat and Anthropic Messages. Source: https://docs.bigmodel.cn/api-reference"""

from __future__ import annotations

import re
from typing import Any, cast

from newapi.base.body import Body
from newapi.base.http import HttpCall
from newapi.formats.contract import Profile
from newapi.providers import _openai as openai
from newapi.providers._plans import planned_call
from newapi.providers.contract import Target, openai_compatible

_TAKEN = (
    "model",
    "messages",
    "stream",
    "temperature",
    "top_p",
    "max_tokens",
    "stop",
    "tools",
    "tool_choice",
    "tool_stream",
    "thinking",
    "do_sample",
    "response_format",
    "request_id",
    "user_id",
)
_OF_MESSAGES = ("role", "content", "tool_calls", "tool_call_id", "reasoning_content")
_DATA_URL = re.compile(r"data:image/[^,;]+;base64,")


def profile(model: str) -> Profile:
    """Return where GLM departs from OpenAI: an answer's schema cannot be given, thinking is on or off.

    Source: https://docs.bigmodel.cn/cn/guide/capabilities/thinking
    """
    thinks = model.startswith(("glm-4.5", "glm-4.6", "glm-4.7", "glm-5"))
    return Profile(
        reasoning="effort" if thinks else "none",
        efforts=("none", "high"),
        reasoning_echo="optional",
        json_schema=False,
    )


def call(target: Target, body: bytes) -> HttpCall:
    """Return the call; the base URLs `glm-coding-plan` and `glm-coding-plan-international` are subscriptions."""
    return planned_call(target, body, "/api/paas/v4")


def edit(body: Body, target: Target) -> Target:
    """Leave in the request what GLM takes, in its own words; it states its usage unasked."""
    if target.format != "openai_chat":
        return target
    if body.get("reasoning_effort") == "none" and "thinking" not in body:
        body.set("thinking", {"type": "disabled"})
    openai.limit_as_max(body)
    openai.lower_top_p(body, 0.99)
    body.keep(*_TAKEN)
    stop: object = body.get("stop")
    if isinstance(stop, str):
        body.set("stop", [stop])
    elif isinstance(stop, list):
        # One stop word is all it takes.
        body.set("stop", cast("list[Any]", stop)[:1])
    form: object = body.get("response_format")
    if isinstance(form, dict) and cast("dict[str, Any]", form).get("type") == "json_schema":
        body.set("response_format", {"type": "json_object"})
    openai.developer_as_system(body)
    body.set("messages", [_message(m) for m in openai.messages(body)])
    return target


def _message(message: dict[str, Any]) -> dict[str, Any]:
    out = {k: message[k] for k in _OF_MESSAGES if k in message}
    content: object = out.get("content")
    if isinstance(content, list):
        out["content"] = [_part(p) for p in cast("list[object]", content)]
    return out


def _part(part: object) -> object:
    """Return a part; a picture in it as bare base64."""
    if not isinstance(part, dict):
        return part
    said = cast("dict[str, Any]", part)
    image: object = said.get("image_url")
    if said.get("type") != "image_url" or not isinstance(image, dict):
        return said
    picture = cast("dict[str, Any]", image)
    return {**said, "image_url": {**picture, "url": _DATA_URL.sub("", str(picture.get("url")), count=1)}}


PROVIDER = openai_compatible(
    "zhipu_v4",
    title="Zhipu AI (GLM)",
    channel_type=26,
    base_url="https://open.bigmodel.cn",
    speaks={
        "chat": {
            "openai_chat": "/api/paas/v4/chat/completions",
            "anthropic_messages": "/api/anthropic/v1/messages",
        },
        "embeddings": {"embeddings": "/api/paas/v4/embeddings"},
        "images": {"images": "/api/paas/v4/images/generations"},
    },
    docs="https://docs.bigmodel.cn/api-reference",
    call=call,
    profile=profile,
    edit=edit,
    models_path="/api/paas/v4/models",
)
