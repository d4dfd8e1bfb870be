"""Perplexity (Sonar): chat with a search behind it. Source: https://docs.perplexity.ai/api-reference/chat-completions-post"""

from __future__ import annotations

from newapi.base.body import Body
from newapi.formats.contract import Profile
from newapi.providers import _openai as openai
from newapi.providers.contract import Target, openai_compatible

_TAKEN = (
    "model",
    "messages",
    "stream",
    "max_tokens",
    "temperature",
    "top_p",
    "top_k",
    "presence_penalty",
    "frequency_penalty",
    "response_format",
    "search_mode",
    "search_domain_filter",
    "search_recency_filter",
    "search_after_date_filter",
    "search_before_date_filter",
    "last_updated_after_filter",
    "last_updated_before_filter",
    "search_language_filter",
    "language_preference",
    "return_images",
    "return_related_questions",
    "disable_search",
    "enable_search_classifier",
    "web_search_options",
    "media_response",
)
_EFFORTS = ("sonar-deep-research",)
"""Models that take `reasoning_effort`."""


def profile(model: str) -> Profile:
    """Return what Sonar takes: `top_k`, and an effort for deep research."""
    return Profile(reasoning="effort" if model.startswith(_EFFORTS) else "none", top_k=True, web_search=True)


def edit(body: Body, target: Target) -> Target:
    """Leave in the request what Perplexity takes; tools are not among it."""
    if target.format != "openai_chat":
        return target
    openai.limit_as_max(body)
    openai.lower_top_p(body, 0.99)
    body.keep(*_TAKEN, *(("reasoning_effort",) if target.model.startswith(_EFFORTS) else ()))
    openai.developer_as_system(body)
    body.set("messages", [{k: m[k] for k in ("role", "content") if k in m} for m in openai.messages(body)])
    return target


PROVIDER = openai_compatible(
    "perplexity",
    title="Perplexity",
    channel_type=27,
    base_url="https://api.perplexity.ai",
    speaks={"chat": {"openai_chat": "/chat/completions", "openai_responses": "/v1/responses"}},
    docs="https://docs.perplexity.ai/api-reference/chat-completions-post",
    profile=profile,
    edit=edit,
    models_path="",
)
