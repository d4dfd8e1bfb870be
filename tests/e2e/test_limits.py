"""Limits, balances and budgets hold exactly: of several workers, and of several nodes; whoever is asked or killed."""

from __future__ import annotations

import asyncio
import os
import signal
import sqlite3
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import httpx
import msgspec
import pytest

from newapi.billing.estimate import count_body_fast
from tests.support import valkey
from tests.support.process import background, free_port, run
from tests.support.stack import on_a_port

WORKERS = 4
CLIENTS = 200
PRICE = 5000
"""Quota a request costs: $0.01."""
CONFIG = """
version = 1
[server]
listen = "127.0.0.1:PORT"
database = "sqlite:///newapi.db"
metrics = ""
HOW
[models.m]
price = "$0.01"
[models.t]
ratio = 0
[groups.crowd]
requests_per_minute = 40
[channels.c]
type = "openai"
base_url = "UPSTREAM"
key = "env:UPSTREAM_KEY"
models = ["m", "t"]
groups = ["default", "crowd"]
"""
LIMITS = {
    "requests": "requests_per_minute = 60",
    "tokens": "tokens_per_minute = 10_000",
    "at_once": "concurrency = 30",
    "balance": 'quota = "$0.50"',
    "budget": 'budget = { day = "$0.37", month = "$5" }',
    "group": 'group = "crowd"',
    "killed": "concurrency = 20",
}
BODY = msgspec.json.encode(
    {"model": "m", "max_tokens": 500, "messages": [{"role": "user", "content": "What is the limit?"}]}
)
PASSES = {
    "requests": 60,
    "tokens": 10_000 // (count_body_fast(BODY) + 500),
    "at_once": 30,
    "balance": 50,
    "budget": 37,
    "group": 40,
}


def key(token: str) -> str:
    return "sk-" + token.ljust(48, "x").replace("_", "x")


class Upstream:
    """Answers nobody before it is told to."""

    def __init__(self) -> None:
        self.open = False
        self.asked = 0

    async def __call__(self, scope: Any, receive: Callable[[], Awaitable[Any]], send: Callable[[Any], Any]) -> None:
        while (await receive()).get("more_body"):
            pass
        self.asked += 1
        while not self.open:  # noqa: ASYNC110  (set in another thread)
            await asyncio.sleep(0.01)
        body = msgspec.json.encode(
            {
                "id": "x",
                "object": "chat.completion",
                "created": 1,
                "model": "m",
                "choices": [
                    {"index": 0, "message": {"role": "assistant", "content": "This."}, "finish_reason": "stop"}
                ],
                "usage": {"prompt_tokens": 10, "completion_tokens": 5, "total_tokens": 15},
            }
        )
        headers = [(b"content-type", b"application/json"), (b"content-length", str(len(body)).encode())]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": body})


class Running:
    def __init__(self, urls: list[str], upstream: Upstream, pid: int, directory: Path) -> None:
        self.urls, self.upstream, self.pid, self.directory = urls, upstream, pid, directory

    def workers(self) -> list[int]:
        return [int(pid) for pid in Path(f"/proc/{self.pid}/task/{self.pid}/children").read_text().split()]

    def charged(self, token: str) -> tuple[int, int, int]:
        """Return what a token was charged, what the log says, and in how many lines: once all is written."""
        with sqlite3.connect(self.directory / "newapi.db") as db:
            (used,) = db.execute("SELECT used_quota FROM tokens WHERE name = ?", (token,)).fetchone()
            lines, quota = db.execute(
                "SELECT COUNT(*), COALESCE(SUM(quota), 0) FROM records WHERE token_name = ? AND kind = 'consume'",
                (token,),
            ).fetchone()
        db.close()
        return used, quota, lines


@contextmanager
def running(directory: Path, how: str, nodes: int) -> Iterator[Running]:
    """Serve by `nodes` processes that `newapi serve` starts, on one database."""
    upstream = Upstream()
    env = {"UPSTREAM_KEY": "sk-upstream", **{f"KEY_{name}": key(name) for name in LIMITS}}
    ports = [free_port() for _ in range(nodes)]
    with ExitStack() as exits:
        url = exits.enter_context(on_a_port(upstream))
        pid = 0
        for node, port in enumerate(ports):
            text = CONFIG.replace("PORT", str(port)).replace('UPSTREAM"', f'{url}"').replace("HOW", how)
            for name, limit in LIMITS.items():
                unlimited = "" if "quota" in limit else "unlimited = true\n"
                text += f'[tokens.{name}]\nkey = "env:KEY_{name}"\n{unlimited}{limit}\n'
            config = directory / f"node{node}.toml"
            config.write_text(text)
            env["NEWAPI_CONFIG"] = str(config)
            if not node:
                done = run("apply", str(config), "--yes", env=env)
                assert done.returncode == 0, done.stderr
            log = directory / f"serve{node}.log"
            pid = exits.enter_context(background("serve", port=port, env=env, log=log)).pid
            wait_for(lambda log=log: "newapi serves" in log.read_text())
        yield Running([f"http://127.0.0.1:{port}" for port in ports], upstream, pid, directory)


@pytest.fixture(scope="module")
def workers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    with running(tmp_path_factory.mktemp("workers"), "workers = 4", 1) as made:
        yield made


@pytest.fixture(scope="module")
def nodes(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    how = f'cache = "{valkey.empty(tmp_path_factory)}"\nadmin_socket = ""'
    with running(tmp_path_factory.mktemp("nodes"), how, 2) as made:
        yield made


def wait_for(met: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 30
    while not met():
        assert time.monotonic() < deadline
        time.sleep(0.02)


async def crowd(gateway: Running, token: str, passing: int) -> list[httpx.Response]:
    """Ask as many at once, nobody being answered before everyone else is refused; return the answers."""
    gateway.upstream.open, gateway.upstream.asked = False, 0
    headers = {"authorization": f"Bearer {key(token)}", "content-type": "application/json"}
    limits = httpx.Limits(max_connections=None)
    async with httpx.AsyncClient(limits=limits, timeout=60) as client:
        refused = 0

        async def ask(number: int) -> httpx.Response:
            nonlocal refused
            url = gateway.urls[number % len(gateway.urls)]
            answer = await client.post(f"{url}/v1/chat/completions", headers=headers, content=BODY)
            refused += answer.status_code != 200
            return answer

        asking = [asyncio.create_task(ask(number)) for number in range(CLIENTS)]
        async with asyncio.timeout(30):
            while refused + gateway.upstream.asked < CLIENTS:  # noqa: ASYNC110  (the other half is in another thread)
                await asyncio.sleep(0.01)
        assert gateway.upstream.asked == passing
        gateway.upstream.open = True
        return await asyncio.gather(*asking)


@pytest.mark.parametrize("token", PASSES)
async def test_of_two_hundred_at_once_on_four_workers_the_limit_passes(workers: Running, token: str) -> None:
    assert len(workers.workers()) == WORKERS
    await limit_passes(workers, token)


@pytest.mark.parametrize("token", PASSES)
async def test_of_two_hundred_at_once_on_two_nodes_the_limit_passes(nodes: Running, token: str) -> None:
    await limit_passes(nodes, token)


async def limit_passes(gateway: Running, token: str) -> None:
    answers = await crowd(gateway, token, PASSES[token])
    statuses = Counter(a.status_code for a in answers)
    assert statuses == {200: PASSES[token], 403 if token == "balance" else 429: CLIENTS - PASSES[token]}
    if token == "requests":
        one = next(a for a in answers if a.status_code == 429)
        assert one.json()["error"]["code"] == "rate_limit_exceeded"
        assert 1 <= int(one.headers["retry-after"]) <= 60
        assert one.headers["x-ratelimit-limit-requests"] == "60"
        assert one.headers["x-ratelimit-remaining-requests"] == "0"
        left = [int(a.headers["x-ratelimit-remaining-requests"]) for a in answers if a.status_code == 200]
        assert sorted(left) == list(range(60))
    wait_for(lambda: gateway.charged(token)[2] == PASSES[token])
    expected = PASSES[token] * PRICE
    assert gateway.charged(token) == (expected, expected, PASSES[token])
    if token in ("balance", "budget"):  # all of it is spent, and nobody has any left
        gateway.upstream.open = True
        async with httpx.AsyncClient() as client:
            headers = {"authorization": f"Bearer {key(token)}"}
            answer = await client.post(f"{gateway.urls[0]}/v1/chat/completions", headers=headers, content=BODY)
        assert answer.status_code == (401 if token == "balance" else 429), answer.text


async def test_a_worker_that_is_killed_leaves_no_place_taken(workers: Running) -> None:
    gateway = workers
    gateway.upstream.open, gateway.upstream.asked = False, 0
    headers = {"authorization": f"Bearer {key('killed')}", "content-type": "application/json"}
    async with httpx.AsyncClient(limits=httpx.Limits(max_connections=None), timeout=60) as client:

        def ask() -> asyncio.Task[httpx.Response]:
            return asyncio.create_task(
                client.post(f"{gateway.urls[0]}/v1/chat/completions", headers=headers, content=BODY)
            )

        first = [ask() for _ in range(20)]
        async with asyncio.timeout(30):
            while gateway.upstream.asked < 20:  # noqa: ASYNC110
                await asyncio.sleep(0.01)
        assert (await ask()).status_code == 429
        killed = gateway.workers()[0]
        os.kill(killed, signal.SIGKILL)
        lost = await asyncio.gather(*(asyncio.wait({task}, timeout=2) for task in first))
        gone = sum(bool(done) and next(iter(done)).exception() is not None for done, _ in lost)
        answers: list[asyncio.Task[httpx.Response]] = []
        async with asyncio.timeout(30):
            while len(answers) < gone:  # as many as were lost may come in their places, and no more
                task = ask()
                before = gateway.upstream.asked
                while not task.done() and gateway.upstream.asked == before:  # noqa: ASYNC110
                    await asyncio.sleep(0.01)
                if not task.done():
                    answers.append(task)
        assert (await ask()).status_code == 429
        gateway.upstream.open = True
        after = await asyncio.gather(*answers)
        assert [a.status_code for a in after] == [200] * gone
        await asyncio.gather(*first, return_exceptions=True)
    wait_for(lambda: len(gateway.workers()) == WORKERS)
    wait_for(lambda: gateway.charged("killed")[2] == 20)
    assert gateway.charged("killed") == (20 * PRICE, 20 * PRICE, 20)
