"""Upstreams that say nothing for a while: callers are kept alive in their own dialect; those that stay silent are given
up, and that is told. Seconds here are minutes in the default configuration."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.support.process import background, free_port, run

CONFIG = """
version = 1
[server]
listen = "127.0.0.1:PORT"
database = "sqlite:///newapi.db"
metrics = ""
[limits]
first_byte_timeout = "20s"
stream_idle_timeout = "5s"
keepalive = "1s"
[routing]
retries = 0
[tokens.t]
key = "env:TOKEN"
unlimited = true
"""
CHANNEL = """
[models."{model}"]
ratio = 1
[channels."{model}"]
type = "{type}"
base_url = "http://127.0.0.1:{port}"
key = "env:MOCK_KEY"
models = ["{model}"]
auto_disable = false
"""
TYPES = ("openai", "anthropic", "gemini")
TOKEN = "sk-" + "s" * 48
MARKS = {
    "chat": (": keepalive\n\n", "data: [DONE]\n\n"),
    "responses": (": keepalive\n\n", '"type":"response.completed"'),
    "messages": ("event: ping\n", '"type":"message_stop"'),
    "gemini": ('"parts":[{"text":""}]', '"finishReason":"STOP"'),
}
"""What keeps a caller of a format alive, and what a whole stream of it has at its end."""


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    directory: Path = tmp_path_factory.mktemp("silence")
    port, prompt, late = free_port(), free_port(), free_port()
    text = CONFIG.replace("PORT", str(port))
    for type in TYPES:
        text += CHANNEL.format(model=type, type=type, port=prompt)
        text += CHANNEL.format(model=f"late-{type}", type=type, port=late)
    config = directory / "config.toml"
    config.write_text(text)
    env = {"NEWAPI_CONFIG": str(config), "MOCK_KEY": "sk-mock", "TOKEN": TOKEN}
    done = run("apply", str(config), "--yes", env=env)
    assert done.returncode == 0, done.stderr
    with (
        background("mock", "--port", str(prompt), port=prompt, env=env, log=directory / "mock.log"),
        background("mock", "--port", str(late), "--latency", "3.5", port=late, env=env, log=directory / "late.log"),
        background("serve", port=port, env=env, log=directory / "serve.log"),
    ):
        yield f"http://127.0.0.1:{port}"


def asked(format: str, model: str, text: str) -> tuple[str, dict[str, Any]]:
    messages = [{"role": "user", "content": text}]
    match format:
        case "chat":
            return "/v1/chat/completions", {"model": model, "stream": True, "messages": messages}
        case "responses":
            return "/v1/responses", {"model": model, "stream": True, "input": text}
        case "messages":
            return "/v1/messages", {"model": model, "stream": True, "max_tokens": 99, "messages": messages}
        case _:
            contents = [{"role": "user", "parts": [{"text": text}]}]
            return f"/v1beta/models/{model}:streamGenerateContent?alt=sse", {"contents": contents}


async def streams(url: str, text: str, prefix: str = "") -> dict[tuple[str, str], str]:
    """Return what every format is told by every kind of upstream; all are asked at once."""

    async def one(http: httpx.AsyncClient, format: str, type: str) -> tuple[tuple[str, str], str]:
        path, body = asked(format, f"{prefix}{type}", text)
        reply = await http.post(url + path, json=body, headers={"authorization": f"Bearer {TOKEN}"})
        assert reply.status_code == 200, reply.text
        return (format, type), reply.text

    async with httpx.AsyncClient(timeout=60) as http:
        return dict(await asyncio.gather(*(one(http, format, type) for format in MARKS for type in TYPES)))


async def test_a_stream_that_is_silent_for_a_while_arrives_whole(url: str) -> None:
    for (format, type), told in (await streams(url, "mock:long=9 mock:gap=3.5")).items():
        alive, end = MARKS[format]
        assert [told.count(f"word{i} ") > 0 for i in range(9)] == [True] * 9, (format, type, told)
        assert alive in told, (format, type, told)
        assert end in told, (format, type, told)
        assert '"error":{' not in told, (format, type, told)


async def test_callers_are_kept_alive_before_the_first_byte(url: str) -> None:
    for (format, type), told in (await streams(url, "mock:long=9", "late-")).items():
        alive, end = MARKS[format]
        assert alive in told[: told.index("word0")], (format, type, told)
        assert end in told, (format, type, told)


async def test_a_stream_that_stays_silent_ends_with_an_error(url: str) -> None:
    for (format, type), told in (await streams(url, "mock:long=9 mock:gap=30")).items():
        assert "was silent for 5 seconds" in told, (format, type, told)
        assert "word8" not in told
        assert MARKS[format][0] in told, (format, type, told)
        assert format == "chat" or MARKS[format][1] not in told, (format, type, told)
