"""Where models depart from their format."""

from __future__ import annotations

from typing import Any

import pytest

from newapi import providers

PROFILES: list[tuple[str, str, dict[str, Any]]] = [
    ("openai", "gpt-4o", {"reasoning": "none", "sampling": True, "max_tokens_field": "max_tokens", "system_role": "system"}),
    ("openai", "o1-mini", {"reasoning": "none", "sampling": False, "system_role": "system"}),
    ("openai", "o3-mini-high", {"reasoning": "effort", "efforts": ("low", "medium", "high"), "system_role": "developer", "max_tokens_field": "max_completion_tokens"}),
    ("openai", "gpt-5", {"efforts": ("minimal", "low", "medium", "high")}),
    ("openai", "gpt-4o", {"custom_tools": True, "max_stop": 4}),
    ("azure", "gpt-4o", {"custom_tools": True, "max_stop": 4}),
    ("xinference", "gpt-4o", {"custom_tools": False, "max_stop": 0}),
    ("openai", "gpt-5.1", {"efforts": ("none", "low", "medium", "high")}),
    ("openai", "gpt-5.2-high", {"efforts": ("none", "low", "medium", "high", "xhigh")}),
    ("openai", "gpt-5-pro", {"efforts": ("high",)}),
    ("openai", "gpt-5.2-pro", {"efforts": ("medium", "high", "xhigh")}),
    ("openai", "gpt-5-codex", {"efforts": ("low", "medium", "high")}),
    ("openai", "gpt-5.1-codex", {"efforts": ("low", "medium", "high")}),
    ("openai", "gpt-5.1-codex-max", {"efforts": ("low", "medium", "high", "xhigh")}),
    ("openai", "gpt-5.3-codex", {"efforts": ("low", "medium", "high", "xhigh")}),
    ("openai", "gpt-5-chat-latest", {"reasoning": "none"}),
    ("deepseek", "deepseek-chat", {"reasoning": "none", "reasoning_echo": "optional", "json_schema": False}),
    ("deepseek", "deepseek-reasoner", {"reasoning_echo": "required"}),
    ("moonshot", "kimi-k2-thinking-turbo", {"reasoning_echo": "required"}),
    ("moonshot", "kimi-k2-0711-preview", {"reasoning_echo": "optional"}),
    ("openrouter", "a/b", {"dialect": "openrouter", "cache_marks": True, "top_k": True, "reasoning_field": "reasoning"}),
    ("mistral", "m", {"tool_call_id": "nine", "reasoning_field": ""}),
    ("xai", "grok-3-mini", {"reasoning": "effort", "efforts": ("low", "high")}),
    ("xai", "grok-4", {"reasoning": "none"}),
    ("volcengine", "doubao-seed-1-6-250615", {"reasoning": "effort"}),
    ("volcengine", "doubao-pro-32k", {"reasoning": "none"}),
    ("zhipu_v4", "glm-4.6", {"reasoning": "effort", "json_schema": False}),
    ("zhipu_v4", "glm-4-plus", {"reasoning": "none"}),
    ("perplexity", "sonar-deep-research", {"reasoning": "effort"}),
    ("minimax", "MiniMax-M2", {"reasoning_echo": "optional"}),
]  # fmt: skip


@pytest.mark.parametrize(("name", "model", "wanted"), PROFILES)
def test_profile(name: str, model: str, wanted: dict[str, Any]) -> None:
    profile = providers.get(name).profile(model)
    assert {k: getattr(profile, k) for k in wanted} == wanted
