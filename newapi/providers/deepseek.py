"""DeepSeek: OpenAI chat and Anthropic Messages. Source: https://api-docs.deepseek.com"""

from __future__ import annotations

from typing import Any, cast

from msgspec.structs import replace

from newapi.base.body import Body
from newapi.base.http import HttpCall
from newapi.formats.contract import Profile
from newapi.providers import _openai as openai
from newapi.providers.contract import Target, bearer_call, openai_compatible


def profile(model: str) -> Profile:
    """Return where DeepSeek departs from the formats it speaks.

    While it thinks, an assistant turn that called tools is refused without its reasoning.
    Source: https://api-docs.deepseek.com/guides/thinking_mode
    """
    thinks = model.startswith(("deepseek-reasoner", "deepseek-v4-"))
    return Profile(
        reasoning="effort" if model.startswith("deepseek-v4-") else "none",
        efforts=("none", "high", "max"),
        reasoning_echo="required" if thinks else "optional",
        json_schema=False,
    )


def call(target: Target, body: bytes) -> HttpCall:
    """Return the call; completions (fill in the middle) are in beta, whose base URL some channels name."""
    if target.path.startswith("/beta/"):
        target = replace(target, base_url=target.base_url.removesuffix("/beta"))
    return bearer_call(target, body)


def edit(body: Body, target: Target) -> Target:
    """Tell what the end of a V4 name says, `-none` or `-max`, and ask for the usage of a stream."""
    chat = target.format == "openai_chat"
    if chat or target.format == "openai_completions":
        openai.usage_in_stream(body)
    if chat:
        openai.developer_as_system(body)
        if body.get("reasoning_effort") == "none":
            body.drop("reasoning_effort")
            body.set("thinking", {"type": "disabled"})
    if not target.model.startswith("deepseek-v4-") or target.format not in ("openai_chat", "anthropic_messages"):
        return target
    model, said = openai.effort_suffix(target.model, ("-none", "-max"))
    if said == "none":
        body.set("thinking", {"type": "disabled"})
        body.drop("reasoning_effort")
        _effort_of_claude(body, "")
    elif said == "max":
        body.set("thinking", {"type": "enabled"})
        if chat:
            body.set("reasoning_effort", "max")
        else:
            _effort_of_claude(body, "max")
    return replace(target, model=model)


def _effort_of_claude(body: Body, effort: str) -> None:
    found: object = body.get("output_config")
    said = {k: v for k, v in cast("dict[str, Any]", found).items() if k != "effort"} if isinstance(found, dict) else {}
    if effort:
        said["effort"] = effort
    if said:
        body.set("output_config", said)
    else:
        body.drop("output_config")


PROVIDER = openai_compatible(
    "deepseek",
    title="DeepSeek",
    channel_type=43,
    base_url="https://api.deepseek.com",
    speaks={
        "chat": {
            "openai_chat": "/v1/chat/completions",
            "anthropic_messages": "/anthropic/v1/messages",
            "openai_completions": "/beta/completions",
        }
    },
    docs="https://api-docs.deepseek.com",
    call=call,
    profile=profile,
    edit=edit,
)
