"""What each vendor's rules make of a request: a body in its own format, and the one that is sent."""

from __future__ import annotations

from typing import Any

import pytest

from newapi.base.errors import CallerError
from tests.providers.support import send

USAGE = {"stream_options": {"include_usage": True}}
SYSTEM = {"role": "system", "content": "S"}
DEVELOPER = {"role": "developer", "content": "S"}
USER = {"role": "user", "content": "x"}
ASK = {"messages": [USER]}
MARK = {"cache_control": {"type": "ephemeral"}}
SCHEMA = {"type": "object", "properties": {"cache_control": {"type": "string"}}}
MARKED = {
    "messages": [{**USER, **MARK}, {"role": "user", "content": [{"type": "text", "text": "x", **MARK}]}],
    "tools": [{"type": "function", "function": {"name": "f", "parameters": SCHEMA}, **MARK}],
}
UNMARKED = {
    "messages": [USER, {"role": "user", "content": [{"type": "text", "text": "x"}]}],
    "tools": [{"type": "function", "function": {"name": "f", "parameters": SCHEMA}}],
}

CHAT: list[tuple[str, dict[str, Any], dict[str, Any]]] = [
    # OpenAI's thinking models
    ("openai", {"model": "gpt-4o", "temperature": 1, "max_tokens": 5}, {"model": "gpt-4o", "temperature": 1, "max_tokens": 5}),
    ("openai", {"model": "gpt-4o-high"}, {"model": "gpt-4o-high"}),
    ("openai", {"model": "openai/gpt-5-high"}, {"model": "openai/gpt-5-high"}),
    ("openai", {"model": "o3-mini-high", "max_tokens": 7, "temperature": 0}, {"model": "o3-mini", "max_completion_tokens": 7, "reasoning_effort": "high"}),
    ("openai", {"model": "o3", "top_p": 0.5}, {"model": "o3", "top_p": 0.5}),
    ("openai", {"model": "gpt-5", "top_p": 0.5, "logprobs": True, "top_logprobs": 2, "stop": "z"}, {"model": "gpt-5", "stop": "z"}),
    ("openai", {"model": "gpt-5-nano-minimal", "reasoning_effort": "high"}, {"model": "gpt-5-nano", "reasoning_effort": "minimal"}),
    ("openai", {"model": "gpt-5.2-xhigh"}, {"model": "gpt-5.2", "reasoning_effort": "xhigh"}),
    ("openai", {"model": "o1", "max_tokens": 7, "max_completion_tokens": 9}, {"model": "o1", "max_completion_tokens": 9}),
    ("openai", {"model": "o3-high", "messages": [SYSTEM, USER, SYSTEM]}, {"model": "o3", "messages": [DEVELOPER, USER, SYSTEM], "reasoning_effort": "high"}),
    ("openai", {"model": "o1-mini-high", "messages": [SYSTEM]}, {"model": "o1-mini", "messages": [SYSTEM], "reasoning_effort": "high"}),
    ("openai", {"model": "o3", "messages": [USER, SYSTEM]}, {"model": "o3", "messages": [USER, SYSTEM]}),
    # usage of streams
    ("openai", {"model": "m", "stream": True}, {"model": "m", "stream": True, **USAGE}),
    ("openai", {"model": "m", "stream": True, "stream_options": {"include_usage": False, "x": 1}}, {"model": "m", "stream": True, "stream_options": {"include_usage": True, "x": 1}}),
    ("openai", {"model": "m", "stream": False, **USAGE}, {"model": "m", "stream": False}),
    ("openai", {"model": "m", **USAGE}, {"model": "m"}),
    ("xinference", {"model": "m", "stream": True, **USAGE}, {"model": "m", "stream": True}),
    ("ai360", {"model": "m", "stream": True}, {"model": "m", "stream": True}),
    ("submodel", {"model": "m", "stream": True}, {"model": "m", "stream": True, **USAGE}),
    ("minimax", {"model": "m", "stream": True}, {"model": "m", "stream": True, **USAGE}),
    # marks of what to cache
    ("openai", {"model": "gpt-4o", **MARKED}, {"model": "gpt-4o", **UNMARKED}),
    ("azure", {"model": "gpt-4o", **MARKED}, {"model": "gpt-4o", **UNMARKED}),
    ("openai", {"model": "claude-sonnet-5", **MARKED}, {"model": "claude-sonnet-5", **MARKED}),
    # unknown keys are the caller's business
    ("openai", {"model": "m", "made_up": {"a": 1}}, {"model": "m", "made_up": {"a": 1}}),
    # DeepSeek
    ("deepseek", {"model": "deepseek-v4-pro-none", "reasoning_effort": "high"}, {"model": "deepseek-v4-pro", "thinking": {"type": "disabled"}}),
    ("deepseek", {"model": "deepseek-v4-pro-max"}, {"model": "deepseek-v4-pro", "thinking": {"type": "enabled"}, "reasoning_effort": "max"}),
    ("deepseek", {"model": "deepseek-v4-pro-high"}, {"model": "deepseek-v4-pro-high"}),
    ("deepseek", {"model": "deepseek-chat-none"}, {"model": "deepseek-chat-none"}),
    ("deepseek", {"model": "deepseek-v4-pro", "reasoning_effort": "none"}, {"model": "deepseek-v4-pro", "thinking": {"type": "disabled"}}),
    ("deepseek", {"model": "m", "messages": [DEVELOPER, USER]}, {"model": "m", "messages": [SYSTEM, USER]}),
    # Moonshot
    ("moonshot", {"model": "Kimi-K2.6", "temperature": 0.3}, {"model": "Kimi-K2.6", "temperature": 1.0}),
    ("moonshot", {"model": "kimi-k2.6"}, {"model": "kimi-k2.6"}),
    ("moonshot", {"model": "kimi-k2.5", "temperature": 0.3}, {"model": "kimi-k2.5", "temperature": 0.3}),
    # Alibaba
    ("ali", {"model": "qwen-plus"}, {"model": "qwen-plus"}),
    ("ali", {"model": "qwen-plus", "top_p": 1}, {"model": "qwen-plus", "top_p": 0.999}),
    ("ali", {"model": "qwen-plus", "top_p": 0}, {"model": "qwen-plus", "top_p": 0.001}),
    ("ali", {"model": "qwen-plus", "top_p": 0.5}, {"model": "qwen-plus", "top_p": 0.5}),
    # OpenRouter
    ("openrouter", {"model": "m", "stream": True, **USAGE}, {"model": "m", "stream": True, "usage": {"include": True}}),
    ("openrouter", {"model": "m", "usage": {"include": False}}, {"model": "m", "usage": {"include": False}}),
    ("openrouter", {"model": "m", "reasoning_effort": "low"}, {"model": "m", "usage": {"include": True}, "reasoning": {"enabled": True, "effort": "low"}}),
    ("openrouter", {"model": "m", "reasoning_effort": "none"}, {"model": "m", "usage": {"include": True}, "reasoning": {"enabled": False}}),
    ("openrouter", {"model": "m", "reasoning_effort": "low", "reasoning": {"max_tokens": 9}}, {"model": "m", "usage": {"include": True}, "reasoning": {"max_tokens": 9}}),
    ("openrouter", {"model": "anthropic/c-thinking"}, {"model": "anthropic/c", "usage": {"include": True}, "reasoning": {"enabled": True}}),
    ("openrouter", {"model": "anthropic/c-thinking", "reasoning_effort": "high"}, {"model": "anthropic/c", "usage": {"include": True}, "reasoning": {"enabled": True, "effort": "high"}}),
    ("openrouter", {"model": "moonshotai/kimi-k2-thinking"}, {"model": "moonshotai/kimi-k2-thinking", "usage": {"include": True}}),
    ("openrouter", {"model": "anthropic/c", "thinking": {"type": "enabled", "budget_tokens": 9}}, {"model": "anthropic/c", "usage": {"include": True}, "reasoning": {"enabled": True, "max_tokens": 9}}),
    ("openrouter", {"model": "anthropic/c", "thinking": {"type": "disabled"}}, {"model": "anthropic/c", "usage": {"include": True}}),
    # xAI
    ("xai", {"model": "grok-4-search", "search_parameters": {"mode": "off"}}, {"model": "grok-4", "search_parameters": {"mode": "on"}}),
    ("xai", {"model": "grok-3-mini-low", "max_tokens": 4}, {"model": "grok-3-mini", "max_completion_tokens": 4, "reasoning_effort": "low"}),
    ("xai", {"model": "grok-4-high", "max_tokens": 4}, {"model": "grok-4-high", "max_tokens": 4}),
    # Volcengine
    ("volcengine", {"model": "deepseek-v3-1-thinking"}, {"model": "deepseek-v3-1", "thinking": {"type": "enabled"}}),
    ("volcengine", {"model": "doubao-seed-1-6-thinking"}, {"model": "doubao-seed-1-6-thinking"}),
    # Baidu
    ("baidu_v2", {"model": "ernie-search"}, {"model": "ernie", "web_search": {"enable": True, "enable_citation": True, "enable_trace": True, "enable_status": False}}),
    ("baidu_v2", {"model": "ernie-search", "web_search": {"enable": False}}, {"model": "ernie", "web_search": {"enable": False}}),
    # SiliconFlow
    ("siliconflow", {"model": "m", "suffix": "s"}, {"model": "m", "suffix": "s", "messages": [{"role": "user", "content": ""}]}),
    # Perplexity
    ("perplexity", {"model": "sonar", "tools": [1], "top_p": 1, "max_completion_tokens": 3, "seed": 1, "messages": [{**USER, "name": "n"}]}, {"model": "sonar", "top_p": 0.99, "max_tokens": 3, **ASK}),
    ("perplexity", {"model": "sonar", "reasoning_effort": "high", "search_mode": "academic", **ASK}, {"model": "sonar", "search_mode": "academic", **ASK}),
    ("perplexity", {"model": "sonar-deep-research", "reasoning_effort": "high", **ASK}, {"model": "sonar-deep-research", "reasoning_effort": "high", **ASK}),
    # Zhipu
    ("zhipu_v4", {"model": "glm-4.5", "stop": "a", "top_p": 1.0, "seed": 1, "stream": True, **USAGE, **ASK}, {"model": "glm-4.5", "stop": ["a"], "top_p": 0.99, "stream": True, **ASK}),
    ("zhipu_v4", {"model": "glm-4.5", "stop": ["a", "b"], **ASK}, {"model": "glm-4.5", "stop": ["a"], **ASK}),
    ("zhipu_v4", {"model": "glm-4.5", "reasoning_effort": "none", **ASK}, {"model": "glm-4.5", "thinking": {"type": "disabled"}, **ASK}),
    ("zhipu_v4", {"model": "glm-4.5", "response_format": {"type": "json_schema", "json_schema": {}}, **ASK}, {"model": "glm-4.5", "response_format": {"type": "json_object"}, **ASK}),
    ("zhipu_v4", {"model": "g", "messages": [{"role": "user", "content": [{"type": "image_url", "image_url": {"url": "data:image/png;base64,AAAA"}}]}]}, {"model": "g", "messages": [{"role": "user", "content": [{"type": "image_url", "image_url": {"url": "AAAA"}}]}]}),
    # Mistral
    ("mistral", {"model": "m", "seed": 4, "user": "u", "stop": ["a"], "messages": [DEVELOPER, USER]}, {"model": "m", "random_seed": 4, "stop": ["a"], "messages": [{"role": "system", "content": [{"type": "text", "text": "S"}]}, {"role": "user", "content": [{"type": "text", "text": "x"}]}]}),
    ("mistral", {"model": "m", "messages": [{"role": "assistant", "content": None, "refusal": "no"}]}, {"model": "m", "messages": [{"role": "assistant", "content": [{"type": "text", "text": "no"}]}]}),
    ("mistral", {"model": "m", "messages": [{"role": "user", "content": [{"type": "image_url", "image_url": {"url": "u", "detail": "low"}}]}]}, {"model": "m", "messages": [{"role": "user", "content": [{"type": "image_url", "image_url": "u"}]}]}),
]  # fmt: skip


@pytest.mark.parametrize(("name", "asked", "sent"), CHAT, ids=lambda v: v if isinstance(v, str) else str(v)[:60])
def test_chat(name: str, asked: dict[str, Any], sent: dict[str, Any]) -> None:
    assert send(name, asked)[1] == sent


OTHER: list[tuple[str, str, dict[str, Any], dict[str, Any]]] = [
    ("openai", "openai_responses", {"model": "gpt-5-high", "reasoning": {"summary": "auto", "effort": "low"}}, {"model": "gpt-5", "reasoning": {"summary": "auto", "effort": "high"}}),
    ("openai", "openai_responses", {"model": "mine-low", "temperature": 1}, {"model": "mine-low", "temperature": 1}),
    ("openai", "openai_completions", {"model": "m", "stream": True}, {"model": "m", "stream": True, **USAGE}),
    ("openrouter", "openai_responses", {"model": "m", "stream": True}, {"model": "m", "stream": True}),
    ("deepseek", "anthropic_messages", {"model": "deepseek-v4-pro-max", "stream": True}, {"model": "deepseek-v4-pro", "stream": True, "thinking": {"type": "enabled"}, "output_config": {"effort": "max"}}),
    ("deepseek", "anthropic_messages", {"model": "deepseek-v4-pro-none", "output_config": {"effort": "high"}}, {"model": "deepseek-v4-pro", "thinking": {"type": "disabled"}}),
    ("zhipu_v4", "anthropic_messages", {"model": "glm-4.5", "stop_sequences": ["a", "b"]}, {"model": "glm-4.5", "stop_sequences": ["a", "b"]}),
    ("moonshot", "anthropic_messages", {"model": "kimi-k2.6", "temperature": 0.2}, {"model": "kimi-k2.6", "temperature": 0.2}),
]  # fmt: skip


@pytest.mark.parametrize(("name", "format", "asked", "sent"), OTHER)
def test_other_formats(name: str, format: str, asked: dict[str, Any], sent: dict[str, Any]) -> None:
    assert send(name, asked, format=format)[1] == sent


@pytest.mark.parametrize(
    ("name", "asked", "sent"),
    [
        ("xai", {"model": "m", "prompt": "p", "size": "1x1", "n": 2}, {"model": "m", "prompt": "p", "n": 2}),
        (
            "siliconflow",
            {"model": "m", "prompt": "p", "size": "1x1", "n": 2, "seed": 3},
            {"model": "m", "prompt": "p", "image_size": "1x1", "batch_size": 2, "seed": 3},
        ),
        ("siliconflow", {"model": "m", "size": "1x1", "image_size": "2x2"}, {"model": "m", "image_size": "2x2"}),
    ],
)
def test_images(name: str, asked: dict[str, Any], sent: dict[str, Any]) -> None:
    assert send(name, asked, format="images", endpoint="images")[1] == sent


def test_a_thinking_budget_that_was_not_said_is_the_callers_mistake() -> None:
    with pytest.raises(CallerError, match="budget_tokens"):
        send("openrouter", {"model": "anthropic/c", "thinking": {"type": "enabled"}})


def test_openrouter_is_asked_for_its_price_in_a_chat_alone() -> None:
    asked = {"model": "m", "input": "x"}
    assert send("openrouter", asked, format="embeddings", endpoint="embeddings")[1] == asked


def test_mistral_ids_stay_together() -> None:
    call = {"id": "call_abc", "type": "function", "function": {"name": "f", "arguments": "{}"}}
    messages = [
        {"role": "assistant", "content": "", "tool_calls": [call, {**call, "id": "abcdef123"}]},
        {"role": "tool", "tool_call_id": "call_abc", "content": "r", "name": "f"},
    ]
    _, sent = send("mistral", {"model": "m", "messages": messages})
    said, answered = sent["messages"]
    first, second = (c["id"] for c in said["tool_calls"])
    assert said["content"] == []
    assert second == "abcdef123"
    assert first == answered["tool_call_id"]
    assert len(first) == 9
    assert first.isalnum()
    assert answered["name"] == "f"


def test_nothing_changes_where_nothing_has_to() -> None:
    """Bytes that need no edit are sent as they came."""
    call, _ = send("openai", {"model": "gpt-4o", "messages": [USER]})
    assert call.body == b'{"model":"gpt-4o","messages":[{"role":"user","content":"x"}]}'
