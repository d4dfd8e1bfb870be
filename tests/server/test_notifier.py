"""What is told to whom, over real sockets; and that what is looked at on a schedule is told."""

from __future__ import annotations

import logging
from typing import Any

import msgspec
import pytest
from msgspec.structs import replace

from newapi.config.schema import ChannelSpec, Config, NoticesSpec
from newapi.ops import apply, channels
from newapi.ops.local import Local
from newapi.ops.notices import Notice
from newapi.server.notifier import Notifier
from newapi.server.runtime import Runtime
from tests.server.conftest import Server
from tests.support.process import refusing_port
from tests.support.receiver import Heard, receiver

NEWS = Notice("models", "a", "News", "gpt-9")
DOWN = Notice("channel_tripped", "a", "Down", "401", "error")


def titles(heard: list[Heard]) -> list[str]:
    return [msgspec.json.decode(one.body)["title"] for one in heard]


def notifier(server: Server, now: list[float], **told: NoticesSpec) -> Notifier:
    local = replace(server.runtime.local, config=Config(notices=told))
    return Notifier(lambda: local, lambda: now[0])


def hook(url: str, **values: Any) -> NoticesSpec:
    return NoticesSpec(via="webhook", url=url, **values)


async def test_each_is_told_what_it_wants_to_know(server: Server) -> None:
    with receiver() as (all, heard_all), receiver() as (some, heard_some):
        told = notifier(server, [0.0], all=hook(all), some=hook(some, level="error"))
        told.tell([NEWS, DOWN])
    assert (titles(heard_all), titles(heard_some)) == (["News", "Down"], ["Down"])


async def test_what_was_told_often_enough_waits(server: Server) -> None:
    now = [0.0]
    with receiver() as (url, heard):
        told = notifier(server, now, ops=hook(url, most=1, window=60.0))
        told.tell([DOWN, DOWN, NEWS])
        now[0] = 61.0
        told.tell([DOWN])
    assert titles(heard) == ["Down", "News", "Down"]


async def test_one_that_does_not_arrive_keeps_nobody_back(server: Server, caplog: pytest.LogCaptureFixture) -> None:
    with receiver() as (url, heard), refusing_port() as port, caplog.at_level(logging.WARNING, "newapi"):
        nobody = f"http://127.0.0.1:{port}/SECRET"
        lost = hook(url, secret="env:NOT_SET_ANYWHERE")
        notifier(server, [0.0], a=hook(nobody), b=lost, c=hook(url)).tell([DOWN])
    assert titles(heard) == ["Down"]
    assert len(caplog.messages) == 2
    assert "webhook of [notices.a]: no connection" in caplog.messages[0]
    assert "NOT_SET_ANYWHERE" in caplog.messages[1]
    assert "SECRET" not in caplog.messages[0].replace("NOT_SET", "")


def with_upstream(local: Local, upstream: str, told: str) -> Local:
    """Declare a channel whose upstream is at `upstream`, and somebody at `told`."""
    spec = ChannelSpec(type="openai", base_url=upstream, key="env:HOME", models=("m",))
    apply.apply(local, Config(channels={"a": spec}, groups=local.config.groups), who="test")
    return replace(local, config=replace(local.config, notices={"ops": hook(told)}))


async def test_what_is_looked_at_on_a_schedule_is_told(server: Server) -> None:
    runtime: Runtime = server.runtime
    jobs = {job.name: job for job in runtime.jobs.all}
    with receiver(500) as (upstream, _), receiver() as (told, heard):
        runtime.local = with_upstream(runtime.local, upstream, told)
        runtime.refresh()
        jobs["testing channels"].do()
    assert titles(heard) == ["A test of channel a failed"]
    assert channels.get(server.db, "a").tested_at > 0
    assert jobs["asking for balances"].every() == 0
