"""Long, many and abandoned streams, through the real commands."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from tests.support.process import background, free_port, resident, run

CONFIG = """
version = 1
[server]
listen = "127.0.0.1:PORT"
database = "sqlite:///newapi.db"
metrics = ""
[models.m]
ratio = 1
[channels.chat]
type = "openai"
base_url = "http://127.0.0.1:MOCK"
key = "env:MOCK_KEY"
models = ["m"]
[channels.claude]
type = "anthropic"
base_url = "http://127.0.0.1:MOCK"
key = "env:MOCK_KEY"
models = ["claude-sonnet-4-5"]
[models."claude-sonnet-4-5"]
ratio = 1
[tokens.t]
key = "env:TOKEN"
unlimited = true
"""
TOKEN = "sk-" + "t" * 48
HEADERS = {"authorization": f"Bearer {TOKEN}"}


class Running:
    def __init__(self, url: str, mock: str, pid: int) -> None:
        self.url, self.mock, self.pid = url, mock, pid


@pytest.fixture(scope="module")
def gateway(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    directory: Path = tmp_path_factory.mktemp("streams")
    port, mock_port = free_port(), free_port()
    config = directory / "config.toml"
    config.write_text(CONFIG.replace("PORT", str(port)).replace('MOCK"', f'{mock_port}"'))
    env = {"NEWAPI_CONFIG": str(config), "MOCK_KEY": "sk-mock", "TOKEN": TOKEN}
    done = run("apply", str(config), "--yes", env=env)
    assert done.returncode == 0, done.stderr
    with (
        background("mock", "--port", str(mock_port), port=mock_port, env=env, log=directory / "mock.log"),
        background("serve", port=port, env=env, log=directory / "serve.log") as process,
    ):
        yield Running(f"http://127.0.0.1:{port}", f"http://127.0.0.1:{mock_port}", process.pid)


def ask(text: str, model: str = "m") -> dict[str, object]:
    return {
        "model": model,
        "stream": True,
        "stream_options": {"include_usage": True},
        "messages": [{"role": "user", "content": text}],
    }


@pytest.mark.parametrize("model", ["m", "claude-sonnet-4-5"], ids=["verbatim", "converted"])
def test_a_hundred_thousand_events_in_flat_memory(gateway: Running, model: str) -> None:
    early = late = 0
    words = 0
    with (
        httpx.Client(timeout=120) as http,
        http.stream(
            "POST", f"{gateway.url}/v1/chat/completions", json=ask("mock:long=100000", model), headers=HEADERS
        ) as reply,
    ):
        assert reply.status_code == 200
        for line in reply.iter_lines():
            if '"content":"word' in line:
                words += 1
                if words == 20_000:
                    early = resident(gateway.pid)
                if words == 99_000:
                    late = resident(gateway.pid)
    assert words == 100_000
    assert late - early < 8 * 1024 * 1024


def test_a_client_that_hangs_up_stops_the_upstream_and_pays_for_what_it_got(gateway: Running) -> None:
    with httpx.Client(timeout=30) as http:
        with http.stream(
            "POST", f"{gateway.url}/v1/chat/completions", json=ask("mock:long=1000000"), headers=HEADERS
        ) as reply:
            request_id = reply.headers["x-oneapi-request-id"]
            got = 0
            for line in reply.iter_lines():
                got += '"content":"word' in line
                if got == 500:
                    break
        hung_up = time.monotonic()
        row = log_row(http, gateway, request_id)
        took = time.monotonic() - hung_up
    other = json.loads(row["other"])
    assert other["end_reason"] == "client_gone"
    assert row["completion_tokens"] >= 500
    assert row["completion_tokens"] < 200_000  # far from the million that was asked for
    assert row["quota"] > 0
    assert took < 5


def log_row(http: httpx.Client, gateway: Running, request_id: str) -> dict:
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline:
        for row in http.get(f"{gateway.url}/api/log/token", headers=HEADERS).json()["data"]:
            if row["request_id"] == request_id:
                return row
        time.sleep(0.05)
    raise AssertionError("no log row")


async def test_a_thousand_streams_at_once(gateway: Running) -> None:
    limits = httpx.Limits(max_connections=None)

    async def one(http: httpx.AsyncClient) -> int:
        reply = await http.post(
            f"{gateway.url}/v1/chat/completions", json=ask("mock:long=10 mock:gap=1"), headers=HEADERS
        )
        assert reply.status_code == 200
        assert reply.text.endswith("data: [DONE]\n\n")
        return reply.text.count('"content":"word')

    async with httpx.AsyncClient(timeout=120, limits=limits) as http:
        counts = await asyncio.gather(*(one(http) for _ in range(1000)))
    assert counts == [10] * 1000
