"""Four workers, 64 requests at once, channels that fail at random, workers that are killed, configurations applied.

No caller sees an error that another channel could have answered: that is every error but those of a stream that broke
after its first word. A connection to a worker that is killed is cut, which a caller sees as that (never as an end) and
asks again; it happens at no other time. Afterwards the money agrees to the unit: what the lines of the log cost is what
balances have lost; every answer that a caller saw whole is in the log once and at its price; and of what the upstreams
served, nothing is missing in the log but what was under way in a worker as it was killed.

`NEWAPI_CHAOS_REQUESTS` says how many requests are made.
"""

from __future__ import annotations

import asyncio
import os
import signal
import time
from collections import Counter
from contextlib import AsyncExitStack
from pathlib import Path
from random import Random
from typing import Any

import httpx
import pytest

from newapi.store.database import open_database
from newapi.store.models import Channel, Record, Token, User
from tests.support.chaos import PROMPT, Caller, Cut, Failed, Upstreams
from tests.support.process import background, free_port, refusing_port, run
from tests.support.upstream import serving

REQUESTS = int(os.environ.get("NEWAPI_CHAOS_REQUESTS", "2000"))
AT_ONCE = 64
WORKERS = 4
KILL_SECONDS = 3.0
APPLY_SECONDS = 5.0
NOTICED_SECONDS = 0.25
"""A request may be sent on a connection whose worker was killed so shortly before that the caller did not notice."""
SEED = 7
TOKEN = "sk-" + "c" * 48
QUOTA = 5_000_000 * 500_000
CONFIG = """
version = 1
[server]
listen = "127.0.0.1:PORT"
database = "env:DATABASE"
workers = 4
metrics = ""
[limits]
first_byte_timeout = "5s"
stream_idle_timeout = "5s"
[routing]
retries = 12
[health]
failures = 20
window = "2s"
cooldown = "500ms"
probe_every = ""
[models.m]
input = "$2"
output = "$2"
CHANNELS
[tokens.t]
key = "env:TOKEN"
user = "ann"
quota = "$5000000"
"""
CHANNEL = """
[channels."{name}"]
type = "openai"
base_url = "{url}"
key = "env:KEY"
models = ["m"]
priority = {priority}
weight = {weight}
"""


class Chaos:
    """The gateway, and what is done to it."""

    def __init__(self, directory: Path, url: str, pid: int, env: dict[str, str], upstreams: Upstreams) -> None:
        self.directory, self.pid, self.env, self.upstreams = directory, pid, env, upstreams
        self.caller = Caller(url, TOKEN)
        self.kills: list[float] = []
        self.applied = 0
        self.answered: dict[str, int] = {}
        """By the id of the request, its number."""
        self.cuts: Counter[int] = Counter()
        self.told: Counter[int] = Counter()
        """Errors that were told because a stream broke."""
        self._left = iter(range(REQUESTS))

    async def run(self) -> None:
        """Ask for every number, while workers are killed and configurations applied."""
        disturbing = [asyncio.create_task(self._kill()), asyncio.create_task(self._apply())]
        try:
            async with asyncio.TaskGroup() as group:
                for _ in range(AT_ONCE):
                    group.create_task(self._ask())
        finally:
            for task in disturbing:
                task.cancel()
            await asyncio.wait(disturbing)
            await self.caller.close()
        for task in disturbing:
            if not task.cancelled():
                task.result()

    async def _ask(self) -> None:
        for n in self._left:
            while True:
                try:
                    id = await self.caller.ask(n)
                except Cut as cut:
                    self.cuts[n] += 1
                    if not any(cut.began - NOTICED_SECONDS <= at <= cut.ended for at in self.kills):
                        raise AssertionError(f"{n} was cut off although no worker was killed") from cut
                except Failed as failed:
                    self.told[n] += 1
                    if self.told[n] > self.upstreams.broke[n]:
                        raise AssertionError(f"another channel could have answered {n}") from failed
                else:
                    assert id not in self.answered
                    self.answered[id] = n
                    break

    async def _kill(self) -> None:
        rng = Random(SEED)
        loop = asyncio.get_running_loop()
        while True:
            await asyncio.sleep(KILL_SECONDS)
            try:
                serving = [
                    w["pid"] for w in await asyncio.to_thread(workers, self.directory) if w["state"] == "serving"
                ]
            except httpx.TransportError:  # who was asked is the one that was killed
                continue
            if len(serving) == WORKERS:
                self.kills.append(loop.time())
                os.kill(rng.choice(serving), signal.SIGKILL)

    async def _apply(self) -> None:
        config = self.directory / "config.toml"
        text = config.read_text()
        while True:
            weight = 50 + self.applied % 2 * 50
            config.write_text(text.replace("weight = 100", f"weight = {weight}") + f"\n[groups.g{self.applied}]\n")
            done = await asyncio.to_thread(run, "apply", str(config), "--yes", env=self.env)
            if done.returncode:  # it asks a worker too, which may be killed at that
                assert "does not answer" in done.stderr
            else:
                self.applied += 1
            await asyncio.sleep(APPLY_SECONDS)


def workers(directory: Path) -> list[dict[str, Any]]:
    """Return the workers, as one of them knows them."""
    with httpx.Client(transport=httpx.HTTPTransport(uds=str(directory / "newapi.sock")), timeout=60) as http:
        return http.get("http://gateway/api/manage/workers").json()["data"]["workers"]


def set_aside(directory: Path) -> bool:
    """Return whether any worker has requests under way, or quota set aside for them, as they said last."""
    return any(worker["in_flight"] or worker["reserved"] for worker in workers(directory))


@pytest.mark.slow
async def test_nothing_is_lost_and_nothing_is_wrong(tmp_path: Path, database_url: str) -> None:
    upstreams = Upstreams(SEED)
    handlers = {
        "429": upstreams.refusing(429, 0.5),
        "500": upstreams.refusing(500, 0.5),
        "cutting": upstreams.cutting(0.5),
        "silent": upstreams.silent(0.05),
        "good": upstreams.good(),
    }
    async with AsyncExitStack() as exits:
        urls = {name: (await exits.enter_async_context(serving(handler))).url for name, handler in handlers.items()}
        urls["refused"] = f"http://127.0.0.1:{exits.enter_context(refusing_port())}"
        channels = "".join(
            CHANNEL.format(name=name, url=url, priority=int(name != "good"), weight=100) for name, url in urls.items()
        )
        port = free_port()
        config = tmp_path / "config.toml"
        config.write_text(CONFIG.replace("CHANNELS", channels).replace("PORT", str(port)))
        env = {"NEWAPI_CONFIG": str(config), "KEY": "sk-up", "TOKEN": TOKEN, "DATABASE": database_url}
        env["PYTHONDONTWRITEBYTECODE"] = ""  # workers start as fast as those of users
        for command in (["user", "create", "ann", "--quota", "$5000000"], ["apply", str(config), "--yes"]):
            done = await asyncio.to_thread(run, *command, env=env)
            assert done.returncode == 0, done.stderr
        with background("serve", port=port, env=env, log=tmp_path / "serve.log") as process:
            while len(await asyncio.to_thread(workers, tmp_path)) < WORKERS:  # noqa: ASYNC110  (nobody tells when)
                await asyncio.sleep(0.1)
            chaos = Chaos(tmp_path, f"http://127.0.0.1:{port}", process.pid, env, upstreams)
            await chaos.run()
            deadline = time.monotonic() + 30
            while await asyncio.to_thread(set_aside, tmp_path):
                assert time.monotonic() < deadline, "something stays set aside"
                await asyncio.sleep(0.1)
            process.send_signal(signal.SIGTERM)
            await asyncio.to_thread(process.wait, 60)
    check(chaos, database_url)
    assert list((tmp_path / "journal").rglob("*.journal")) == []
    assert chaos.kills
    print(
        f"{REQUESTS} requests, {len(chaos.kills)} workers killed, {chaos.applied} configurations applied; "
        f"{chaos.cuts.total()} connections cut, {chaos.told.total()} broken streams told; "
        f"upstreams served {upstreams.served.total()} and failed {dict(upstreams.failed)}"
    )


def check(chaos: Chaos, database_url: str) -> None:
    """Compare what callers saw, what upstreams did and what the database says."""
    db = open_database(database_url)
    with db.reading() as c:
        rows: list[dict[str, Any]] = list(Record.select().where(Record.token_name == "t").dicts().execute(c))
        token = next(iter(Token.select().where(Token.name == "t").dicts().execute(c)))
        user = next(iter(User.select().where(User.name == "ann").dicts().execute(c)))
        channels = {row["id"]: row["used_quota"] for row in Channel.select().dicts().execute(c)}
    db.close()
    spent = sum(row["quota"] for row in rows)
    assert max(Counter(row["request_id"] for row in rows).values()) == 1
    assert (token["used_quota"], QUOTA - token["remaining_quota"]) == (spent, spent)
    assert (user["used_quota"], QUOTA - user["quota"], user["requests"]) == (spent, spent, len(rows))
    by_channel: Counter[int] = Counter()
    for row in rows:
        by_channel[row["channel_id"]] += row["quota"]
    assert channels == {id: by_channel[id] for id in channels}

    logged = {row["request_id"]: row for row in rows}
    for id, n in chaos.answered.items():
        row = logged[id]
        assert (row["status"], row["end_reason"], row["prompt_tokens"], row["completion_tokens"], row["quota"]) == (
            200,
            "done",
            PROMPT + n,
            1,
            PROMPT + n + 1,
        )
    whole = Counter(row["prompt_tokens"] - PROMPT for row in rows if row["end_reason"] == "done")
    for n in range(REQUESTS):
        lost = chaos.upstreams.served[n] - whole[n]
        assert 0 <= lost <= chaos.cuts[n], f"{n} was served {chaos.upstreams.served[n]} times, logged {whole[n]} times"
    others = [row for row in rows if row["end_reason"] not in ("done", "upstream_broken")]
    assert not others, others[0]
