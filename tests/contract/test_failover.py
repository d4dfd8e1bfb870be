"""A channel that fails is invisible to callers, and after a while it is not asked any more."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from tests.support.process import refusing_port
from tests.support.stack import Stack, stack

CONFIG = """
[server]
listen = "127.0.0.1:0"
[health]
failures = 3
[models.m]
ratio = 1
[channels.broken]
type = "openai"
base_url = "http://127.0.0.1:CLOSED"
key = "env:MOCK_KEY"
models = ["m"]
priority = 10
[channels.mock]
type = "openai"
base_url = "MOCK_URL"
key = "env:MOCK_KEY"
models = ["m"]
[tokens.t]
unlimited = true
key = "env:TOKEN_T"
"""
KEY = "sk-" + "f" * 48


@pytest.fixture
def gateway(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Stack]:
    monkeypatch.setenv("MOCK_KEY", "sk-mock")
    monkeypatch.setenv("TOKEN_T", KEY)
    with refusing_port() as port, stack(tmp_path, CONFIG.replace("CLOSED", str(port))) as running:
        yield running


@pytest.mark.parametrize("stream", [False, True])
def test_failures_are_answered_by_the_next_channel_and_then_the_first_rests(gateway: Stack, stream: bool) -> None:
    body = {"model": "m", "stream": stream, "messages": [{"role": "user", "content": "hi"}]}
    for _ in range(5):
        reply = httpx.post(
            f"{gateway.url}/v1/chat/completions", json=body, headers={"authorization": f"Bearer {KEY}"}, trust_env=False
        )
        assert reply.status_code == 200
    tries = [[(t["channel"], t.get("kind", "")) for t in json.loads(row.tries)] for row in gateway.rows()]
    both = [("broken", "connect"), ("mock", "")]
    assert tries == [both, both, both, [("mock", "")], [("mock", "")]]
    assert [row.channel_name for row in gateway.rows()] == ["mock"] * 5
