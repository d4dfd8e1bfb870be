"""Volcengine Ark (Doubao): chat, Responses. Source: https://www.volcengine.com/docs/82379/1494384"""

from __future__ import annotations

from msgspec.structs import replace

from newapi.base.body import Body
from newapi.base.http import HttpCall
from newapi.formats.contract import Profile
from newapi.providers import _openai as openai
from newapi.providers._plans import PLANS, planned_call
from newapi.providers.contract import Speaks, Target, openai_compatible

_CHAT = "/api/v3/chat/completions"


def profile(model: str) -> Profile:
    """Return where Ark departs from OpenAI: Doubao Seed 1.6 and later take an effort, `minimal` is no thinking.

    Source: https://www.volcengine.com/docs/82379/1449737
    """
    seed = model.startswith(("doubao-seed-1-6", "doubao-seed-1-8", "doubao-seed-2"))
    return Profile(
        reasoning="effort" if seed else "none",
        efforts=("minimal", "low", "medium", "high"),
        reasoning_echo="optional",
    )


def call(target: Target, body: bytes) -> HttpCall:
    """Return the call; bots (`bot-…`) have a path of their own, `doubao-coding-plan` is the coding subscription."""
    if target.path == _CHAT and target.model.startswith("bot"):
        target = replace(target, path="/api/v3/bots/chat/completions")
    return planned_call(target, body, "/api/v3")


def edit(body: Body, target: Target) -> Target:
    """Ask for the usage of a stream; `deepseek-…-thinking` is DeepSeek with thinking turned on."""
    if target.format != "openai_chat":
        return target
    openai.usage_in_stream(body)
    if target.model.startswith("deepseek") and target.model.endswith("-thinking"):
        body.set("thinking", {"type": "enabled"})
        return replace(target, model=target.model.removesuffix("-thinking"))
    return target


_SPEAKS: Speaks = {
    "chat": {"openai_chat": _CHAT, "openai_responses": "/api/v3/responses"},
    "embeddings": {"embeddings": "/api/v3/embeddings"},
    "images": {"images": "/api/v3/images/generations"},
}
_PLAN: Speaks = {"chat": {"openai_chat": _CHAT, "anthropic_messages": "/v1/messages"}}


def speaks_for(model: str, base_url: str) -> Speaks:
    """Return what can be asked under `base_url`: the coding subscription speaks Anthropic's format, Ark does not."""
    return _PLAN if base_url in PLANS else _SPEAKS


PROVIDER = openai_compatible(
    "volcengine",
    title="Volcengine Ark (Doubao)",
    channel_type=45,
    base_url="https://ark.cn-beijing.volces.com",
    speaks={**_SPEAKS, "chat": {**_SPEAKS["chat"], **_PLAN["chat"]}},
    docs="https://www.volcengine.com/docs/82379/1494384",
    call=call,
    profile=profile,
    edit=edit,
    models_path="/api/v3/models",
    speaks_for=speaks_for,
)
