"""Coding plans: subscriptions with URLs of their own, which a channel names by a word in place of its base URL."""

from __future__ import annotations

from collections.abc import Mapping

from msgspec.structs import replace

from newapi.base.http import HttpCall
from newapi.providers.contract import Target, bearer_call

PLANS: Mapping[str, tuple[str, str]] = {
    "glm-coding-plan": ("https://open.bigmodel.cn/api/anthropic", "https://open.bigmodel.cn/api/coding/paas/v4"),
    "glm-coding-plan-international": ("https://api.z.ai/api/anthropic", "https://api.z.ai/api/coding/paas/v4"),
    "kimi-coding-plan": ("https://api.kimi.com/coding", "https://api.kimi.com/coding/v1"),
    "doubao-coding-plan": (
        "https://ark.cn-beijing.volces.com/api/coding",
        "https://ark.cn-beijing.volces.com/api/coding/v3",
    ),
}
"""New API's words: where Anthropic Messages are spoken, and where OpenAI's formats."""


def planned_call(target: Target, body: bytes, cut: str) -> HttpCall:
    """Return a bearer call; under a plan's URL where the base URL is one of `PLANS`.

    Args:
        target: The attempt.
        body: Its body.
        cut: What the provider's own paths begin with, where the plan's do not (`/api/paas/v4`, `/v1`).
    """
    plan = PLANS.get(target.base_url)
    if plan is None:
        return bearer_call(target, body)
    if target.format == "anthropic_messages":
        return bearer_call(replace(target, base_url=plan[0], path="/v1/messages"), body)
    return bearer_call(replace(target, base_url=plan[1], path=target.path.removeprefix(cut)), body)
