"""Where each vendor is asked, and with which headers."""

from __future__ import annotations

from typing import Any

import pytest

from newapi import providers
from newapi.base.errors import UpstreamError
from tests.providers.support import send

URLS: list[tuple[str, dict[str, Any], str]] = [
    ("openai", {}, "https://up/v1/chat/completions"),
    ("openai", {"query": (("a", "b c"),)}, "https://up/v1/chat/completions?a=b+c"),
    ("openai", {"query": (("beta", "true"),), "entry": "anthropic_messages"}, "https://up/v1/chat/completions"),
    ("openai", {"base_url": "https://gateway.ai.cloudflare.com/v1/a/g/openai"}, "https://gateway.ai.cloudflare.com/v1/a/g/openai/chat/completions"),
    ("openai", {"format": "openai_responses"}, "https://up/v1/responses"),
    ("azure", {"model": "gpt-4.1"}, "https://up/openai/deployments/gpt-4.1/chat/completions?api-version=2025-04-01-preview"),
    ("azure", {"model": "gpt-4.1", "options": {"strip_dots": True}}, "https://up/openai/deployments/gpt-41/chat/completions?api-version=2025-04-01-preview"),
    ("azure", {"model": "m", "options": {"api_version": "V"}}, "https://up/openai/deployments/m/chat/completions?api-version=V"),
    ("azure", {"model": "m", "options": {"api_version": "V"}, "query": (("api-version", "W"), ("x", "y"))}, "https://up/openai/deployments/m/chat/completions?api-version=W"),
    ("azure", {"model": "o3-high"}, "https://up/openai/deployments/o3/chat/completions?api-version=2025-04-01-preview"),
    ("azure", {"format": "openai_responses", "options": {"api_version": "V"}}, "https://up/openai/v1/responses?api-version=preview"),
    ("azure", {"format": "openai_responses", "options": {"responses_version": "R"}}, "https://up/openai/v1/responses?api-version=R"),
    ("azure", {"format": "openai_responses", "base_url": "https://a.cognitiveservices.azure.com", "options": {"api_version": "V"}}, "https://a.cognitiveservices.azure.com/openai/responses?api-version=V"),
    ("custom", {"base_url": "https://h/v1/chat", "model": "a b"}, "https://h/v1/chat"),
    ("custom", {"base_url": "https://h/{model}/go?x=1", "model": "a b", "query": (("q", "1"),)}, "https://h/a%20b/go?x=1&q=1"),
    ("cloudflare", {"options": {"account_id": "a/c"}}, "https://up/client/v4/accounts/a%2Fc/ai/v1/chat/completions"),
    ("deepseek", {"format": "openai_completions"}, "https://up/beta/completions"),
    ("deepseek", {"format": "openai_completions", "base_url": "https://up/beta"}, "https://up/beta/completions"),
    ("deepseek", {"format": "anthropic_messages"}, "https://up/anthropic/v1/messages"),
    ("volcengine", {"model": "bot-1"}, "https://up/api/v3/bots/chat/completions"),
    ("volcengine", {"base_url": "doubao-coding-plan"}, "https://ark.cn-beijing.volces.com/api/coding/v3/chat/completions"),
    ("volcengine", {"base_url": "doubao-coding-plan", "format": "anthropic_messages"}, "https://ark.cn-beijing.volces.com/api/coding/v1/messages"),
    ("zhipu_v4", {"base_url": "glm-coding-plan"}, "https://open.bigmodel.cn/api/coding/paas/v4/chat/completions"),
    ("zhipu_v4", {"base_url": "glm-coding-plan-international", "format": "anthropic_messages"}, "https://api.z.ai/api/anthropic/v1/messages"),
    ("moonshot", {"base_url": "kimi-coding-plan"}, "https://api.kimi.com/coding/v1/chat/completions"),
    ("moonshot", {"base_url": "kimi-coding-plan", "format": "anthropic_messages"}, "https://api.kimi.com/coding/v1/messages"),
    ("minimax", {}, "https://up/v1/text/chatcompletion_v2"),
    ("perplexity", {}, "https://up/chat/completions"),
]  # fmt: skip


@pytest.mark.parametrize(("name", "said", "url"), URLS)
def test_url(name: str, said: dict[str, Any], url: str) -> None:
    said = dict(said)
    body = {"model": said.pop("model", "m")}
    assert send(name, body, **said)[0].url == url


HEADERS: list[tuple[str, dict[str, Any], dict[str, str]]] = [
    ("openai", {}, {"authorization": "Bearer k", "accept": "application/json"}),
    ("openai", {"stream": True}, {"accept": "text/event-stream"}),
    ("openai", {"headers": {"accept": "x/y"}}, {"accept": "x/y"}),
    ("openai", {"options": {"organization": "org-1"}}, {"openai-organization": "org-1"}),
    ("azure", {}, {"api-key": "k"}),
    ("baidu_v2", {"key": "t|app"}, {"authorization": "Bearer t", "appid": "app"}),
    ("baidu_v2", {"key": "t"}, {"authorization": "Bearer t"}),
    ("ali", {"stream": True, "options": {"plugin": "p"}}, {"x-dashscope-sse": "enable", "x-dashscope-plugin": "p"}),
    ("openrouter", {}, {"x-title": "newapi"}),
    ("openrouter", {"headers": {"http-referer": "https://mine"}}, {"http-referer": "https://mine"}),
]


@pytest.mark.parametrize(("name", "said", "headers"), HEADERS)
def test_headers(name: str, said: dict[str, Any], headers: dict[str, str]) -> None:
    sent = dict(send(name, {"model": "m"}, **said)[0].headers)
    assert {k: sent.get(k) for k in headers} == headers


@pytest.mark.parametrize(
    ("name", "said", "absent"),
    [
        ("azure", {}, "authorization"),
        ("openai", {}, "openai-organization"),
        ("openai", {"options": {"organization": ""}}, "openai-organization"),
        ("ali", {}, "x-dashscope-sse"),
        ("baidu_v2", {}, "appid"),
        ("openrouter", {"headers": {"http-referer": "https://mine"}}, "x-title"),
    ],
)
def test_headers_that_are_not_sent(name: str, said: dict[str, Any], absent: str) -> None:
    assert absent not in dict(send(name, {"model": "m"}, **said)[0].headers)


def test_cloudflare_needs_an_account() -> None:
    with pytest.raises(UpstreamError, match="account_id"):
        send("cloudflare", {"model": "m"})


@pytest.mark.parametrize(
    ("name", "model", "base_url", "claude"),
    [
        ("ali", "Qwen3-max", "", True),
        ("ali", "deepseek-v4-pro", "", True),
        ("ali", "deepseek-r1", "", False),
        ("volcengine", "m", "https://ark.cn-beijing.volces.com", False),
        ("volcengine", "m", "doubao-coding-plan", True),
    ],
)
def test_who_speaks_anthropics_format(name: str, model: str, base_url: str, claude: bool) -> None:
    provider = providers.get(name)
    assert provider.speaks_for is not None
    assert ("anthropic_messages" in provider.speaks_for(model, base_url)["chat"]) is claude


@pytest.mark.parametrize("name", [n for n in providers.names() if providers.get(n).speaks_for])
def test_speaks_is_all_of_it(name: str) -> None:
    provider = providers.get(name)
    assert provider.speaks_for is not None
    for model, base_url in (("qwen", ""), ("x", ""), ("x", "doubao-coding-plan")):
        for endpoint, spoken in provider.speaks_for(model, base_url).items():
            assert set(spoken) <= set(provider.speaks[endpoint])
