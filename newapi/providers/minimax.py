"""MiniMax: chat at a path of its own, and Anthropic Messages. Source: https://platform.minimaxi.com/docs/api-reference/text-openai-api"""

from __future__ import annotations

from newapi.formats.contract import Profile
from newapi.providers._compatible import edit_with_usage
from newapi.providers.contract import openai_compatible


def profile(model: str) -> Profile:
    """Return where MiniMax departs from OpenAI: M2's reasoning may be sent back."""
    return Profile(reasoning_echo="optional" if model.startswith("MiniMax-M") else "never")


PROVIDER = openai_compatible(
    "minimax",
    title="MiniMax",
    channel_type=35,
    base_url="https://api.minimax.chat",
    speaks={
        "chat": {
            "openai_chat": "/v1/text/chatcompletion_v2",
            "anthropic_messages": "/anthropic/v1/messages",
        }
    },
    docs="https://platform.minimaxi.com/docs/api-reference/text-openai-api",
    profile=profile,
    edit=edit_with_usage,
)
