"""The live stream over real sockets: who comes late, who comes back, who does not read, and several processes."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import aclosing
from pathlib import Path
from typing import Any

import httpx
import pytest

from newapi.base.errors import CallerError
from newapi.base.secret import Secret
from newapi.ir.usage import Usage
from newapi.ops import users
from newapi.ops.live import Channels, Hello, Link, Logs, Stats, System, Told
from newapi.ops.live_client import Blocks, watch
from newapi.ops.live_hub import Hub
from newapi.ops.metrics import Totals
from newapi.ops.remote_gateway import RemoteGateway
from newapi.relay.bus import LocalBus
from newapi.relay.gateway import Gateway
from newapi.server import live as live_module
from newapi.server.live import Live
from newapi.store import series
from tests.relay.test_tally import record
from tests.server.conftest import Server
from tests.support.stack import KEY, Stack, stack

CONFIG = """
version = 1
[server]
metrics = ""
[models.m]
input = "$1"
output = "$2"
[channels.good]
type = "openai"
base_url = "MOCK_URL"
key = "env:UP"
models = ["m"]
[channels.off]
type = "openai"
key = "env:UP"
models = ["m"]
enabled = false
[tokens.t]
key = "env:KEY"
unlimited = true
"""


@pytest.fixture
def gateway(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Stack]:
    monkeypatch.setenv("KEY", KEY)
    monkeypatch.setenv("UP", "x")
    with stack(tmp_path, CONFIG) as running:
        yield running


@pytest.fixture
def root(gateway: Stack) -> Secret:
    """Root's access token."""
    db = gateway.runtime.local.db
    return users.new_access_token(db, users.root(db).id, who="test")


async def ask(gateway: Stack, times: int = 1, *, key: str = KEY) -> None:
    body = {"model": "m", "stream": True, "messages": [{"role": "user", "content": "tell nobody"}]}
    async with httpx.AsyncClient(base_url=gateway.url, headers={"authorization": f"Bearer {key}"}) as http:
        for _ in range(times):
            await http.post("/v1/chat/completions", json=body)


async def until(events: AsyncIterator[Told], enough: Callable[[list[Told]], Any]) -> list[Told]:
    """Gather what is told until it is enough."""
    got: list[Told] = []
    async with asyncio.timeout(30):
        async for told in events:
            got.append(told)
            if enough(got):
                return got
    raise AssertionError(got)


def of(kind: type[Any], got: list[Told]) -> list[Any]:
    return [t.event for t in got if isinstance(t.event, kind)]


def requests(got: list[Told]) -> int:
    return sum(e.requests for e in of(Stats, got))


async def test_what_happens_is_told_and_nothing_of_what_was_said(gateway: Stack, root: Secret) -> None:
    async with aclosing(watch(gateway.url, root)) as events:
        first = await until(events, lambda got: of(Hello, got))
        hello = of(Hello, first)[0]
        assert [(c.name, c.state) for c in hello.channels] == [("good", "up"), ("off", "disabled")]
        assert len(hello.history) == 900
        asked = asyncio.create_task(ask(gateway, 3))
        refused = asyncio.create_task(ask(gateway, 2, key="sk-wrong"))
        got = await until(
            events,
            lambda got: (
                requests(got) == 3
                and sum(e.rejected for e in of(Stats, got)) == 2
                and len([r for e in of(Logs, got) for r in e.rows]) == 3
                and of(System, got)
            ),
        )
        await asyncio.gather(asked, refused)
    stats = [e for e in of(Stats, got) if e.requests]
    assert {m.name for e in stats for m in e.models} == {"m"}
    assert {m.name for e in stats for m in e.tokens} == {"t"}
    assert {m.name for e in stats for m in e.channels} == {"good"}
    assert sum(e.tokens_out for e in stats) > 0
    assert stats[-1].today == stats[-1].month == sum(e.quota for e in stats) > 0
    row = of(Logs, got)[0].rows[0]
    assert (row.token, row.user, row.model, row.channel, row.status, row.tries) == ("t", "root", "m", "good", 200, 1)
    assert row.stream
    assert row.tokens_in > 0
    assert any(r.name == "good" and r.requests_per_second for e in of(Channels, got) for r in e.rows)
    process = of(System, got)[-1].processes[0]
    assert (process.viewers, process.ledger_failures) == (1, 0)
    assert process.memory > 1_000_000
    assert "tell nobody" not in str(got)


async def test_who_comes_late_gets_the_picture_and_only_what_it_asked_for(gateway: Stack, root: Secret) -> None:
    await ask(gateway, 2)
    async with aclosing(watch(gateway.url, root)) as events:  # the first one sees when it is over
        await until(events, lambda got: requests(got) + sum(len(h.logs) for h in of(Hello, got)) >= 2)
    async with aclosing(watch(gateway.url, root, topics=("logs",), range="1h")) as events:
        hello = of(Hello, await until(events, lambda got: of(Hello, got)))[0]
    assert [row.model for row in hello.logs] == ["m", "m"]
    assert sum(hello.history.requests) == 2
    assert (hello.history.range, len(hello.history)) == ("1h", 60)
    assert hello.tops.tokens[0].name == "t"
    assert sum(hello.tops.tokens[0].spark) == 2
    assert (hello.channels, hello.alerts) == ((), ())


async def raw(gateway: Stack, root: Secret, last: str = "", query: str = "") -> list[tuple[str, str, bytes]]:
    """Return the first events of a new connection."""
    headers = {"authorization": f"Bearer {root.reveal()}"} | ({"last-event-id": last} if last else {})
    blocks = Blocks()
    async with (
        httpx.AsyncClient(base_url=gateway.url) as http,
        http.stream("GET", f"/api/stream{query}", headers=headers) as reply,
    ):
        assert reply.headers["content-type"].startswith("text/event-stream")
        async for piece in reply.aiter_bytes():
            if got := blocks.feed(piece):
                return got
    raise AssertionError


async def test_who_comes_back_goes_on_where_it_was(gateway: Stack, root: Secret) -> None:
    async with aclosing(watch(gateway.url, root)) as events:
        before = await until(events, lambda got: len(of(Stats, got)) == 2)
    last = before[-1].id
    (id, name, _), *_ = await raw(gateway, root, last)
    assert name in ("stats", "channels", "system", "alerts")
    boot, _, number = last.partition(".")
    assert id == f"{boot}.{int(number) + 1}"


@pytest.mark.parametrize(
    ("last", "reason"),
    [("00000000.5", "restart"), ("nonsense", "restart"), ("BOOT.999999999", "old"), ("BOOT." + "9" * 30, "restart")],
)
async def test_who_was_elsewhere_or_away_too_long_begins_anew(
    gateway: Stack, root: Secret, last: str, reason: str
) -> None:
    boot = gateway.runtime.live.id.rpartition(".")[2]
    gap, hello, *_ = await raw(gateway, root, last.replace("BOOT", boot))
    assert gap[1:] == ("gap", b'{"reason":"%s"}' % reason.encode())
    assert hello[1] == "hello"


async def test_who_does_not_read_is_told_of_a_gap_and_nothing_grows(
    gateway: Stack, root: Secret, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(live_module, "RING_EVENTS", 3)
    live = gateway.runtime.live
    async with aclosing(live.follow(("stats",), "5m")) as events:  # what stands behind a connection that takes nothing
        first = Blocks().feed(await anext(events))
        assert [name for _, name, _ in first] == ["hello"]
        for _ in range(9):
            live._append(Stats(at=1))
        assert len(live._ring) <= 3
        got = Blocks().feed(await anext(events))
    assert [name for _, name, _ in got] == ["gap", "hello"]
    assert b'"slow","missed":' in got[0][2]


async def test_a_watcher_that_stops_reading_does_not_stop_the_others(gateway: Stack, root: Secret) -> None:
    address = httpx.URL(gateway.url)
    stuck = socket.create_connection((address.host, address.port))
    head = f"GET /api/stream HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {root.reveal()}\r\n\r\n"
    stuck.sendall(head.encode())
    async with aclosing(watch(gateway.url, root)) as events:
        await until(events, lambda got: len(of(Stats, got)) == 2)
    stuck.close()


@pytest.mark.parametrize("query", ["?topics=stats,orders", "?range=9m", "?topics=,"])
async def test_what_there_is_not_is_told(gateway: Stack, root: Secret, query: str) -> None:
    async with httpx.AsyncClient(base_url=gateway.url) as http:
        reply = await http.get(f"/api/stream{query}", headers={"authorization": f"Bearer {root.reveal()}"})
    assert reply.status_code == 400
    assert "There is no" in reply.json()["message"]


async def test_it_is_for_administrators(server: Server) -> None:
    server.runtime.live.end()
    root = await server.signed_in("root")
    assert "privileges" in (await (await server.user("ann")).ask("GET", "/api/stream")).json()["message"]
    assert (await server.browser().ask("GET", "/api/stream")).status_code == 401
    assert "event: hello" in (await (await server.user("bea", role="admin")).ask("GET", "/api/stream")).text
    assert len((await root.do("GET", "/api/stream/series", params={"range": "24h"}))["requests"]) == 1440


async def test_who_may_not_watch_any_more_is_shown_out(
    gateway: Stack, root: Secret, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("newapi.server.routes.admin.stream.CHECK_SECONDS", 0.0)
    db = gateway.runtime.local.db

    async def slept(_: float) -> None:
        return

    async with aclosing(watch(gateway.url, root, sleep=slept)) as events:
        await until(events, lambda got: of(Stats, got))
        users.new_access_token(db, users.root(db).id, who="test")  # the one that was shown is not valid any more
        with pytest.raises(CallerError, match="access token"):
            await until(events, lambda got: False)


async def test_a_gateway_behind_a_server_is_watched(gateway: Stack, root: Secret) -> None:
    there = RemoteGateway(gateway.url, root)
    async with aclosing(there.watch(("stats",), "24h")) as events:
        hello = of(Hello, await until(events, lambda got: of(Hello, got)))[0]
    assert (await asyncio.to_thread(there.series, "24h")).range == hello.history.range == "24h"


async def test_a_server_that_ends_lets_go_of_those_who_watch(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KEY", KEY)
    monkeypatch.setenv("UP", "x")
    with stack(tmp_path, CONFIG) as running:
        db = running.runtime.local.db
        token = users.new_access_token(db, users.root(db).id, who="test")
        events = watch(running.url, token)
        await until(events, lambda got: of(Hello, got))
        running.runtime.drain()
        got = await until(events, lambda got: any(link.state == "lost" for link in of(Link, got)))
        assert "ended" in of(Link, got)[-1].message
        await events.aclose()
    assert series.read(db, "minute", 0)
    assert series.read(db, "mover", 0)


# -- several processes -----------------------------------------------------------------------


class Clock:
    """Moves when it is told."""

    def __init__(self) -> None:
        self.now = 1_790_000_000.5

    def __call__(self) -> float:
        return self.now


@pytest.fixture
async def two(server: Server) -> tuple[list[Live], Clock]:
    """Two processes of one gateway, which share the bus and a clock; nothing ticks by itself."""
    clock, bus = Clock(), LocalBus()
    lives: list[Live] = []
    runtime = server.runtime
    for _ in range(2):
        gateway = Gateway(runtime.gateway.snapshot, runtime.ledger, runtime.gateway.limits, clock=clock, bus=bus)
        live = Live(lambda: runtime.local, gateway, lambda: runtime._declared)
        bus.subscribe("tick", live._heard)
        bus.subscribe("picture", live._shown)
        live._last = int(clock.now) - 1
        lives.append(live)
        clock.now += 0.001
    return lives, clock


def second(lives: list[Live], clock: Clock) -> None:
    clock.now += 1
    for live in lives:
        live.beat()
    for live in lives:
        live.close()


async def test_the_ticks_of_all_processes_are_one_picture(two: tuple[list[Live], Clock]) -> None:
    lives, clock = two
    second(lives, clock)
    for number, live in enumerate(lives):
        live._gateway.in_flight = number + 1
        live._gateway.tally.note(record(number, quota=10, duration_ms=100), Usage(input=5, output=2), 1, "ok")
    second(lives, clock)
    for live in lives:
        stats = live.hub._stats
        assert (stats.requests, stats.quota, stats.tokens_in, stats.in_flight) == (2, 20, 10, 3)
        assert len(live.hub.processes()) == 2
        assert 'newapi_relay_requests_total{endpoint="chat",model="m",channel="c",group="g",outcome="ok"} 2' in (
            await live.metrics()
        )
    for _ in range(7):  # the second one is killed
        second(lives[:1], clock)
    assert [p.id for p in lives[0].hub.processes()] == [lives[0].id]
    assert lives[0].hub._stats.in_flight == 1


async def test_a_picture_of_another_version_is_passed_over(two: tuple[list[Live], Clock]) -> None:
    (old, new), clock = two
    new._gateway.tally.note(record(1, quota=10), Usage(input=5), 1, "ok")
    second([old, new], clock)
    before = new.totals
    new._shown(b"\x01")
    assert new.totals is before
    assert sum(new.series("5m").requests) == 1


async def test_a_new_process_takes_over_what_the_oldest_remembers(two: tuple[list[Live], Clock]) -> None:
    (old, new), clock = two
    for number in range(5):
        old._gateway.tally.note(record(number, quota=10), Usage(input=5), 1, "ok")
        clock.now += 1
        old.beat()
        old.close()
    new.hub, new.totals = Hub(), Totals()  # it did not hear them
    second([old, new], clock)
    assert sum(new.series("5m").requests) == sum(old.series("5m").requests) == 5
    assert new.hub.last_rows() == old.hub.last_rows()
    assert new.totals == old.totals
    assert new.hub.hour.tops(int(clock.now)) == old.hub.hour.tops(int(clock.now))
