"""Limits of tokens and groups, over a real port, in each format's words."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.support.stack import Stack, stack

CONFIG = """
[server]
listen = "127.0.0.1:0"
[routing]
retries = 0
[models.m]
ratio = 1
[groups.few]
requests_per_minute = 2
[channels.mock]
type = "openai"
base_url = "MOCK_URL"
key = "env:MOCK_KEY"
models = ["m"]
groups = ["default", "few"]
[tokens.three]
requests_per_minute = 3
unlimited = true
key = "env:TOKEN_THREE"
[tokens.group]
group = "few"
unlimited = true
key = "env:TOKEN_GROUP"
[tokens.poor]
budget = { day = "$0.01" }
unlimited = true
key = "env:TOKEN_POOR"
"""


def key(name: str) -> str:
    return f"sk-{name}" + "l" * 44


@pytest.fixture
def gateway(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Stack]:
    monkeypatch.setenv("MOCK_KEY", "sk-mock")
    for name in ("three", "group", "poor"):
        monkeypatch.setenv(f"TOKEN_{name.upper()}", key(name))
    with stack(tmp_path, CONFIG) as running:
        yield running


TURN = [{"role": "user", "content": "hi"}]
ASKS: dict[str, tuple[str, dict[str, Any]]] = {
    "chat": ("/v1/chat/completions", {"model": "m", "messages": TURN}),
    "responses": ("/v1/responses", {"model": "m", "input": "hi"}),
    "messages": ("/v1/messages", {"model": "m", "max_tokens": 20, "messages": TURN}),
    "gemini": ("/v1beta/models/m:generateContent", {"contents": [{"parts": [{"text": "hi"}]}]}),
}


def ask(gateway: Stack, entry: str, token: str) -> httpx.Response:
    path, body = ASKS[entry]
    return httpx.post(gateway.url + path, json=body, headers={"authorization": f"Bearer {key(token)}"}, trust_env=False)


def said(entry: str, body: dict[str, Any]) -> bool:
    """Whether a refusal is in its format's words."""
    error = body["error"]
    if entry == "messages":
        return body["type"] == "error" and error["type"] == "rate_limit_error"
    if entry == "gemini":
        return (error["code"], error["status"]) == (429, "RESOURCE_EXHAUSTED")
    return (error["type"], error["code"]) == ("rate_limit_error", "rate_limit_exceeded")


@pytest.mark.parametrize("entry", ASKS)
def test_the_fourth_of_three_is_refused(gateway: Stack, entry: str) -> None:
    assert [ask(gateway, "chat", "three").status_code for _ in range(3)] == [200, 200, 200]
    refused = ask(gateway, entry, "three")
    assert refused.status_code == 429
    assert 1 <= int(refused.headers["retry-after"]) <= 60
    assert said(entry, refused.json())
    assert gateway.mock.requests == 3


def test_a_group_s_limit_is_its_users(gateway: Stack) -> None:
    assert [ask(gateway, "chat", "group").status_code for _ in range(3)] == [200, 200, 429]


def test_a_budget_is_hard(gateway: Stack) -> None:
    # $0.01 is 5,000 quota; a request sets 500 aside and takes 16 in the end.
    statuses = [ask(gateway, "chat", "poor").status_code for _ in range(40)]
    assert statuses == [200] * 40
    body = {"model": "m", "max_tokens": 6000, "messages": TURN}
    headers = {"authorization": f"Bearer {key('poor')}"}
    refused = httpx.post(f"{gateway.url}/v1/chat/completions", json=body, headers=headers, trust_env=False)
    assert refused.status_code == 429
    assert refused.json()["error"]["code"] == "budget_exceeded"
    assert sum(row.quota for row in gateway.rows()) < 5000
