"""A process's connection to the hub (`relay.hub`): limits, parts of balances, and messages, over one Unix socket."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from newapi.base.standing import Standing
from newapi.relay import hub_wire as wire
from newapi.relay.escrow import Account, Away, Known, Lent, Replay
from newapi.relay.limits import Holder, Key, LimitReached, Spent
from newapi.relay.shared import Shared, backoff

ANSWER_SECONDS = 2.0
"""How long the hub may take to answer before it counts as away: a recall takes a quarter of that at the most."""

log = logging.getLogger("newapi")


class HubClient(Shared):
    """What a hub's processes share, to one of them."""

    def __init__(
        self,
        path: Path,
        owner: str,
        *,
        clock: Callable[[], float] = time.time,
    ) -> None:
        """Prepare; `start` connects.

        Args:
            path: The hub's socket.
            owner: This process's name among those of the hub: the one its journal has.
            clock: Unix seconds.
        """
        super().__init__(clock)
        self._path = path
        self._owner = owner
        self._link: _Link | None = None
        self._waiting: dict[int, asyncio.Future[Any]] = {}
        self._number = 0
        self._loop: asyncio.AbstractEventLoop | None = None
        self._task: asyncio.Task[None] | None = None
        self._lost = asyncio.Event()

    @property
    def connected(self) -> bool:
        """Whether the hub is reached."""
        return self._link is not None

    async def start(self) -> None:
        """Connect, and stay connected until `stop`; see `Shared.start`."""
        self._loop = asyncio.get_running_loop()
        try:
            await self._connect()
        except OSError as error:
            log.warning("the hub at %s cannot be reached, limits are this process's alone: %s", self._path, error)
            self._lost.set()
        self._task = self._loop.create_task(self._stay_connected())

    async def stop(self) -> None:
        """Disconnect; what was said before still arrives."""
        if self._task is not None:
            self._task.cancel()
        if self._link is not None:
            link, self._link = self._link, None
            await link.close()
        self._fail_waiting()

    # -- limits ------------------------------------------------------------------------

    async def _enter(self, ticket: str, holders: Sequence[Holder], tokens: int, quota: int) -> Standing:
        self._number += 1
        try:
            answer = await self._ask(wire.Enter(self._number, ticket, tuple(holders), tokens, quota))
        except asyncio.CancelledError:
            self._send(wire.Leave(ticket, 0, 0))  # the caller is gone, and may have been let in
            raise
        if isinstance(answer, wire.Refused):
            raise LimitReached(answer.message, answer.wait, answer.standing, code=answer.code, type=answer.type)
        return answer.standing

    def _leave(self, ticket: str, tokens: int, quota: int) -> None:
        self._send(wire.Leave(ticket, tokens, quota))

    def _learn(self, key: Key, spent: Spent) -> None:
        self._send(wire.Learn(key, spent))

    # -- balances ----------------------------------------------------------------------

    async def lend(self, account: Account, known: Known, need: int) -> Lent:
        """Lend a part of a balance; see `Lender.lend`."""
        self._number += 1
        answer = await self._ask(wire.Lend(self._number, account, known, need))
        return Lent(answer.amount, answer.balance)

    def give_back(self, account: Account, amount: int) -> None:
        """Return a part of what was lent."""
        self._send(wire.GiveBack(account, amount))

    def overdraw(self, account: Account, known: Known, amount: int) -> None:
        """Take what was spent beyond what was lent."""
        self._send(wire.Overdraw(account, known, amount))

    def spend(self, segments: Sequence[str], sums: Mapping[Account, int], *, first: bool) -> None:
        """Say what was settled; see `Lender.spend`. Waits: called in a thread."""
        self._tell(lambda number: wire.Spend(number, tuple(segments), sums, first))

    def bury(self, replays: Sequence[Replay], charged: Mapping[str, int], began: float) -> None:
        """Say what dead processes had settled; see `Lender.bury`. Waits: called in a thread."""
        self._tell(lambda number: wire.Bury(number, began, tuple(replays), charged))

    def _tell(self, message: Callable[[int], wire.Spend | wire.Bury]) -> None:
        if self._loop is None or self._link is None:
            raise Away

        async def tell() -> None:
            self._number += 1
            await self._ask(message(self._number))

        asyncio.run_coroutine_threadsafe(tell(), self._loop).result(ANSWER_SECONDS * 2)

    def _publish(self, topic: str, message: bytes) -> None:
        self._send(wire.Publish(topic, message))

    # -- the connection ----------------------------------------------------------------

    def _send(self, message: wire.ToHub) -> None:
        if self._link is not None:
            self._link.send(message)

    async def _ask(self, message: wire.Enter | wire.Lend | wire.Spend | wire.Bury) -> Any:
        if self._link is None or self._loop is None:
            raise Away
        link = self._link
        answer: asyncio.Future[Any] = self._loop.create_future()
        self._waiting[message.id] = answer
        link.send(message)
        try:
            async with asyncio.timeout(ANSWER_SECONDS):
                return await answer
        except TimeoutError:
            await link.close()  # stuck: whoever waits for it is told, and it is tried again
            raise Away from None
        finally:
            self._waiting.pop(message.id, None)

    def heard(self, message: wire.FromHub) -> None:
        """Do what the hub says."""
        match message:
            case wire.Recall():
                self._send(wire.GiveBack(message.account, self.recall(message.account), message.id))
            case wire.Publish():
                self._bus.publish(message.topic, message.message)
            case _:
                waiting = self._waiting.pop(message.id, None)
                if waiting is not None and not waiting.done():
                    waiting.set_result(message)

    def lost(self, link: _Link) -> None:
        """Take note that the connection ended."""
        if self._link is link:
            self._link = None
            log.warning("the hub is gone: until it is back limits are this process's alone")
            self._fail_waiting()
            self._lost.set()
            self.changed(False)

    def _fail_waiting(self) -> None:
        for waiting in self._waiting.values():
            if not waiting.done():
                waiting.set_exception(Away())
        self._waiting.clear()

    async def _connect(self) -> None:
        assert self._loop is not None  # noqa: S101  (`start` has set it)
        _, link = await self._loop.create_unix_connection(lambda: _Link(self), str(self._path))
        link.send(wire.Hello(self._owner))
        self._link = link

    async def _stay_connected(self) -> None:
        while True:
            await self._lost.wait()
            self._lost.clear()
            attempt = 0
            while self._link is None:
                await asyncio.sleep(backoff(attempt))
                attempt += 1
                try:
                    await self._connect()
                except OSError:
                    continue
                log.info("the hub is back")
                self.changed(True)


class _Link(asyncio.Protocol):
    """The client's end of one connection."""

    def __init__(self, client: HubClient) -> None:
        self._client = client
        self._unpacker = wire.Unpacker(wire.FROM_HUB)
        self._transport: asyncio.Transport | None = None
        self._closed = asyncio.Event()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport  # type: ignore[assignment]  # a stream transport: it is a socket's

    def data_received(self, data: bytes) -> None:
        for message in self._unpacker.feed(data):
            self._client.heard(message)

    def connection_lost(self, exc: Exception | None) -> None:
        self._transport = None
        self._closed.set()
        self._client.lost(self)

    def send(self, message: wire.ToHub) -> None:
        if self._transport is not None:
            self._transport.write(wire.pack(message))

    async def close(self) -> None:
        """End the connection; returns when it has ended."""
        if self._transport is not None:
            self._transport.close()
            await self._closed.wait()
