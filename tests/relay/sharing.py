"""What processes share, in one process: a hub on a socket and its clients, whose time is the test's."""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any, Protocol

from newapi.relay.escrow import HOLD_SECONDS
from newapi.relay.hub import Hub, serve_hub
from newapi.relay.hub_client import HubClient
from newapi.relay.shared import Shared
from newapi.relay.valkey_client import LEASE_SECONDS, ValkeyClient

NOON = 1_764_072_000.0
"""2025-11-25 12:00 UTC, a Tuesday."""


async def until(met: Callable[[], bool]) -> None:
    """Wait for a condition."""
    async with asyncio.timeout(10):
        while not met():  # noqa: ASYNC110  (of another's state, which tells nobody)
            await asyncio.sleep(0.001)


class World(Protocol):
    """Somewhere processes share."""

    now: float

    async def process(self, owner: str) -> Any:
        """Return a process's side, connected."""
        ...

    async def kill(self, process: Any) -> None:
        """End a process as `kill -9` does, and wait until that is noticed."""
        ...

    async def settled(self, process: Shared) -> None:
        """Wait until what `process` said has arrived."""
        ...

    async def swept(self) -> None:
        """Wait until those who died long ago are given up."""
        ...


class HubWorld:
    """A hub, and processes connected to it."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.now = NOON
        self.hub = Hub(lambda: self.now)
        self.processes: list[HubClient] = []

    async def process(self, owner: str) -> HubClient:
        client = HubClient(self.path, owner, clock=lambda: self.now)
        self.processes.append(client)
        await client.start()
        await until(lambda: owner in self.hub.peers)
        return client

    async def kill(self, process: HubClient) -> None:
        assert process._link is not None
        assert process._link._transport is not None
        assert process._task is not None
        process._task.cancel()
        process._link._transport.abort()
        await until(lambda: process._owner not in self.hub.peers)
        self.now += 0.001

    async def settled(self, process: HubClient) -> None:
        await asyncio.to_thread(process.spend, (), {}, first=False)  # answered after what was said before

    async def swept(self) -> None:
        self.hub.sweep()

    async def given_up(self) -> None:
        """Wait until nobody waits for the dead any more: their successors say what they left."""


@asynccontextmanager
async def hub_world() -> AsyncIterator[HubWorld]:
    with tempfile.TemporaryDirectory(prefix="hub") as directory:  # short: a socket's path has 107 bytes at the most
        world = HubWorld(Path(directory) / "hub.sock")
        async with AsyncExitStack() as exits:
            await exits.enter_async_context(serve_hub(world.path, world.hub))
            yield world
            for process in world.processes:
                await process.stop()


class ValkeyWorld:
    """A server of Valkey (or Redis), and processes connected to it."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.now = NOON
        self.processes: list[ValkeyClient] = []

    async def process(self, owner: str) -> ValkeyClient:
        client = ValkeyClient(self.url, owner, clock=lambda: self.now)
        self.processes.append(client)
        await client.start()
        assert client.connected
        return client

    async def kill(self, process: ValkeyClient) -> None:
        self.processes.remove(process)
        await process._abandon()
        self.now += LEASE_SECONDS + 1
        await self._beat()

    async def settled(self, process: ValkeyClient) -> None:
        await process._ask("learn", {"key": "nobody", "spent": []})  # answered after what was said before

    async def swept(self) -> None:
        await self._beat()

    async def given_up(self) -> None:
        self.now += HOLD_SECONDS
        await self._beat()

    async def _beat(self) -> None:
        for process in self.processes:
            await process._ask("beat", process._lease())


@asynccontextmanager
async def valkey_world(url: str) -> AsyncIterator[ValkeyWorld]:
    world = ValkeyWorld(url)
    yield world
    for process in world.processes:
        await process.stop()
