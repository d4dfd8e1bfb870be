"""Moonshot AI (Kimi): OpenAI chat and Anthropic Messages. Source: https://platform.moonshot.cn/docs/api/chat"""

from __future__ import annotations

from newapi.base.body import Body
from newapi.base.http import HttpCall
from newapi.formats.contract import Profile
from newapi.providers import _openai as openai
from newapi.providers._plans import planned_call
from newapi.providers.contract import Target, openai_compatible

_THINKS = ("kimi-k2-thinking", "kimi-k2.5", "kimi-k2.6")


def profile(model: str) -> Profile:
    """Return where Kimi departs from OpenAI: a model that thinks wants to see what it thought before it called tools.

    Source: https://platform.moonshot.cn/docs/guide/use-kimi-k2-thinking-model
    """
    return Profile(reasoning_echo="required" if model.startswith(_THINKS) else "optional")


def call(target: Target, body: bytes) -> HttpCall:
    """Return the call; the base URL `kimi-coding-plan` is the coding subscription."""
    return planned_call(target, body, "/v1")


def edit(body: Body, target: Target) -> Target:
    """Ask for the usage of a stream; Kimi K2.6 takes no temperature but 1."""
    if target.format in ("openai_chat", "openai_completions"):
        openai.usage_in_stream(body)
        openai.developer_as_system(body)
        temperature: object = body.get("temperature")
        if target.model.lower() == "kimi-k2.6" and temperature is not None and temperature != 1:
            body.set("temperature", 1.0)
    return target


PROVIDER = openai_compatible(
    "moonshot",
    title="Moonshot AI (Kimi)",
    channel_type=25,
    base_url="https://api.moonshot.cn",
    speaks=openai.only("embeddings", "rerank", anthropic_messages="/anthropic/v1/messages"),
    docs="https://platform.moonshot.cn/docs/api/chat",
    call=call,
    profile=profile,
    edit=edit,
)
