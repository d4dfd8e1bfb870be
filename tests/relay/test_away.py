"""What processes share goes away and comes back: nobody is turned away for that, and it is said once."""

from __future__ import annotations

import logging
import sys
import tempfile
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from newapi.net.valkey import MissingDriver
from newapi.relay.escrow import Away, Known
from newapi.relay.hub import serve_hub
from newapi.relay.hub_client import HubClient
from newapi.relay.limits import Limit, LimitReached
from newapi.relay.valkey_client import ValkeyClient
from tests.relay.sharing import until
from tests.support import valkey

KEY = ("token", 1, "")


class Place:
    """Where processes share, which can go away and come back."""

    def __init__(self, process: Callable[[str], Any], go: Callable[[], Any], come: Callable[[], Any]) -> None:
        self.process, self.go, self.come = process, go, come


@asynccontextmanager
async def hub_place(directory: Path) -> AsyncIterator[Place]:
    with tempfile.TemporaryDirectory(prefix="hub") as short:
        path = Path(short) / "hub"
        exits: list[AsyncExitStack] = []

        async def come() -> None:
            exits.append(AsyncExitStack())
            await exits[0].enter_async_context(serve_hub(path))

        async def go() -> None:
            await exits.pop().aclose()

        yield Place(lambda owner: HubClient(path, owner), go, come)
        while exits:
            await go()


@asynccontextmanager
async def valkey_place(directory: Path) -> AsyncIterator[Place]:
    server = valkey.Server(directory)

    async def come() -> None:
        server.start()

    async def go() -> None:
        server.kill()

    yield Place(lambda owner: ValkeyClient(server.url, owner), go, come)
    server.kill()


@pytest.fixture(params=["hub", "valkey"])
async def place(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Place]:
    async with {"hub": hub_place, "valkey": valkey_place}[request.param](tmp_path) as made:
        yield made


async def passes(process: Any, ticket: str, limit: Limit) -> bool:
    try:
        await process.enter(ticket, [(KEY, limit)], 1, 1)
    except LimitReached:
        return False
    return True


async def test_it_goes_and_comes_back(place: Place, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, logger="newapi")
    await place.come()
    one, other = place.process("p1"), place.process("p2")
    told: list[bool] = []
    one.changed = told.append
    heard: list[bytes] = []
    one.subscribe("topic", heard.append)
    await one.start()
    await other.start()
    limit = Limit(at_once=1)
    assert await passes(one, "a", limit)
    assert not await passes(other, "b", limit)

    await place.go()
    await until(lambda: told == [False] and not other.connected)
    assert await passes(other, "b", limit)  # each counts for itself
    assert not await passes(other, "c", limit)
    assert await passes(one, "d", limit)
    one.leave("d", 1, 1)
    assert await passes(one, "e", limit)
    one.leave("a", 1, 1)  # it entered where nobody is any more
    with pytest.raises(Away):
        await one.lend("t1", Known(10, 0, 1), 1)
    with pytest.raises(Away):
        one.spend(["p1-1"], {"t1": 1}, first=True)
    one.publish("topic", b"alone")
    assert heard == [b"alone"]

    await place.come()
    await until(lambda: told == [False, True] and other.connected)
    one.leave("e", 1, 1)
    assert await passes(one, "f", limit)
    assert not await passes(other, "g", limit)
    assert (await one.lend("t1", Known(10, 0, 1), 1)).amount == 1
    other.publish("topic", b"together")
    await until(lambda: heard == [b"alone", b"together"])
    assert sum("alone" in r.getMessage() for r in caplog.records) == 2  # once a process
    await one.stop()
    await other.stop()


async def test_a_process_starts_without_it(place: Place) -> None:
    one = place.process("p1")
    told: list[bool] = []
    one.changed = told.append
    await one.start()
    assert not one.connected
    assert await passes(one, "a", Limit(at_once=1))
    assert not await passes(one, "b", Limit(at_once=1))
    await place.come()
    await until(lambda: told == [True])
    assert await passes(one, "b", Limit(at_once=1))
    await one.stop()


def test_a_missing_driver_is_named_with_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "redis.asyncio", None)
    with pytest.raises(MissingDriver, match=r"pip install 'newapi\[valkey\]'"):
        ValkeyClient("valkey://127.0.0.1", "p1")
