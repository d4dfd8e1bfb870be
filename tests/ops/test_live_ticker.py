from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import msgspec
import pytest

from newapi.base.errors import UpstreamError
from newapi.config.schema import ChannelSpec, HealthSpec
from newapi.ir.usage import Usage
from newapi.ops.live import Process
from newapi.ops.live_ticker import FULL_EVERY, Ticker
from newapi.relay.gateway import Gateway
from newapi.store.snapshot import StoredChannel
from tests.relay.test_tally import record
from tests.relay.world import NOW, World, channel, snapshot

FAILURE = UpstreamError("no", kind="status", upstream_status=500)


def stored(id: int, state: str = "enabled", keys: int = 1, reason: str = "", **spec: object) -> StoredChannel:
    said = msgspec.convert({"type": "openai", "keys": [f"env:K{i}" for i in range(keys)], **spec}, ChannelSpec)
    return StoredChannel(id, f"c{id}", said, state, reason)


class Moved:
    """A gateway of two channels whose clock a test moves."""

    def __init__(self, gateway: Gateway) -> None:
        self.now = NOW
        gateway.clock = lambda: self.now
        self.gateway = gateway
        self.one, self.two = gateway.snapshot.channels
        self.ticker = Ticker(gateway)
        self.declared = [stored(1), stored(2, keys=len(self.two.keys))]

    def fail(self, channel: int, key: int, error: UpstreamError, times: int = 1) -> None:
        for _ in range(times):
            spec = HealthSpec(failures=3, cooldown=30.0, window=60.0)
            self.gateway.health.failed((self.one, self.two)[channel - 1], key, "gpt-4o", error, spec, self.now)

    def states(self) -> dict[int, tuple[str, int]]:
        self.ticker._number = 0  # all of them
        tick = self.ticker.tick(Process("p"), self.declared)
        return {c.id: (c.state, c.keys_up) for c in tick.channels}


@pytest.fixture
async def moved(tmp_path: Path) -> AsyncIterator[Moved]:
    world = World(tmp_path, snapshot([channel(1), channel(2, keys=("a", "b"))]))
    yield Moved(world.gateway)
    await world.close()


async def test_a_channel_rests_when_all_its_keys_do_and_half_opens_when_one_may_be_tried(moved: Moved) -> None:
    assert moved.states() == {1: ("up", 1), 2: ("up", 2)}
    moved.fail(1, 0, FAILURE, 3)
    moved.fail(2, 0, FAILURE, 3)
    assert moved.states() == {1: ("resting", 0), 2: ("up", 1)}
    moved.now += 3600.0
    assert moved.states()[1] == ("half_open", 0)
    moved.gateway.health.succeeded(moved.one, 0, "gpt-4o", moved.now)
    assert moved.states()[1] == ("up", 1)


async def test_a_channel_that_rests_for_one_of_its_models_is_up(tmp_path: Path) -> None:
    world = World(tmp_path, snapshot([channel(1, models=["gpt-4o", "gpt-5"]), channel(2, models=["gpt-*"])]))
    moved = Moved(world.gateway)
    for place in (1, 2):
        moved.fail(place, 0, FAILURE, 3)
    assert moved.states() == {1: ("up", 1), 2: ("up", 1)}
    await world.close()


@pytest.mark.parametrize(
    ("channel", "state", "reason"),
    [
        (stored(3, "disabled"), "disabled", ""),
        (stored(3, enabled=False), "disabled", ""),
        (stored(3, "tripped", reason="no money"), "tripped", "no money"),
        (stored(3), "tripped", "none of its keys can be read"),
    ],
)
async def test_a_channel_that_is_not_served_says_why(
    moved: Moved, channel: StoredChannel, state: str, reason: str
) -> None:
    moved.declared.append(channel)
    tick = moved.ticker.tick(Process("p"), moved.declared)
    told = tick.channels[-1]
    assert (told.state, told.keys_up, told.reason) == (state, 0, reason)


async def test_a_channel_whose_keys_all_rest_says_why(moved: Moved) -> None:
    moved.fail(1, 0, FAILURE, 3)
    moved.fail(2, 0, FAILURE, 3)
    tick = moved.ticker.tick(Process("p"), moved.declared)
    assert [(c.state, c.reason) for c in tick.channels] == [("resting", "500: no"), ("up", "")]


async def test_only_what_changed_is_told_but_for_now_and_then(moved: Moved) -> None:
    told: list[int] = []
    for number in range(FULL_EVERY + 1):
        if number == 3:
            moved.gateway.figures.began(2)
        told.append(len(moved.ticker.tick(Process("p"), moved.declared).channels))
    assert told == [2, 0, 0, 1, *[0] * (FULL_EVERY - 4), 2]
    moved.declared.pop()
    assert moved.ticker.tick(Process("p"), moved.declared).full


async def test_what_was_counted_is_told_once(moved: Moved) -> None:
    moved.gateway.tally.note(record(1, duration_ms=40, first_token_ms=7, quota=3), Usage(input=2, output=1), 2, "ok")
    moved.gateway.tally.attempted(1, "timeout", "x" * 500, NOW)
    first, second = (moved.ticker.tick(Process("p"), moved.declared) for _ in range(2))
    (cell,) = first.cells
    assert (cell.requests, cell.tokens_in, cell.tokens_out, cell.duration_ms, cell.first_ms) == (1, 2, 1, 40, 7)
    assert (cell.durations, cell.firsts) == ({3: 1}, {1: 1})
    assert len(first.lanes[0].error) == 160
    assert [r.tries for r in first.rows] == [2]
    assert (second.cells, second.lanes, second.rows, second.settled) == ([], [], [], 0)
