"""A wish to think, said in one vendor's words and told in another's."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from newapi.ir.request import ReasoningWish

LADDER = ("none", "minimal", "low", "medium", "high", "xhigh", "max")
"""Every effort any vendor knows, growing."""

CLAUDE_BUDGETS: Mapping[str, int] = {
    "minimal": 1024,
    "low": 1280,
    "medium": 2048,
    "high": 4096,
    "xhigh": 16_384,
    "max": 32_000,
}
"""New API's budgets (tokens) for Claude models; what lies beyond `high` is ours."""

GEMINI_BUDGETS: Mapping[str, int] = {
    "minimal": 512,
    "low": 1024,
    "medium": 8192,
    "high": 24_576,
    "xhigh": 32_768,
    "max": 32_768,
}
"""Google's own mapping. Source: https://ai.google.dev/gemini-api/docs/openai#thinking"""


def is_off(wish: ReasoningWish) -> bool:
    """Return whether the caller wants no thinking."""
    return wish.enabled is False or wish.effort == "none" or wish.budget == 0


def effort_of(wish: ReasoningWish, accepted: Sequence[str]) -> str | None:
    """Return the effort among `accepted` that comes nearest to the wish, None when nothing was wished.

    A budget of tokens is told as an effort by Google's mapping: up to 1,280 is low, up to 8,192 medium, more is high.
    """
    if is_off(wish):
        wanted = "none"
    elif wish.effort:
        wanted = wish.effort
    elif wish.budget is not None:
        wanted = "low" if 0 < wish.budget <= 1280 else "medium" if wish.budget <= 8192 else "high"
    elif wish.enabled or wish.adaptive:
        wanted = "medium"
    else:
        return None
    if wanted in accepted or not accepted:
        return wanted if wanted in accepted else None
    if wanted not in LADDER:
        return None
    place = LADDER.index(wanted)
    return min((e for e in accepted if e in LADDER), key=lambda e: abs(LADDER.index(e) - place), default=None)


def budget_of(wish: ReasoningWish, budgets: Mapping[str, int], low: int, high: int) -> int | None:
    """Return a thinking budget in tokens within [low, high], 0 for "do not think", None when nothing was wished."""
    if is_off(wish):
        return 0
    budget = wish.budget
    if budget is None or budget < 0:
        effort = wish.effort or ("medium" if wish.enabled or wish.adaptive else None)
        budget = budgets.get(effort) if effort else None
    return None if budget is None else max(low, min(high, budget))
