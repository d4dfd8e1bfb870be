"""The HTTP server of a process, and how it comes to its end without cutting anybody off.

uvicorn closes idle connections at once when it stops, and a request that is on its way on one of them is lost. Here an
answer that ends a connection says so in its head; a connection is closed only when it has been idle for a while and
nothing is waiting to be read from it.
"""

from __future__ import annotations

import asyncio
import contextlib
import select
import signal
import socket
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from types import FrameType
from typing import Any

import uvicorn

from newapi.relay.pipeline import STOPPING
from newapi.server.door import Connection, HttpConfig

IDLE_SECONDS = 1.0
"""A connection that has been idle for so long, while the server drains, is closed."""
_LOOK_SECONDS = 0.05
_CANCEL_SECONDS = 5.0
"""How long requests that were cut off may take to charge for what was served."""


class HttpServer(uvicorn.Server):
    """Serves an application until it is told to stop, and lets the requests under way come to their end.

    A signal begins the end; a second one cuts off what is under way.
    """

    def __init__(
        self,
        app: Any,
        *,
        drain_seconds: Callable[[], float],
        ready: Callable[[], None],
        draining: Callable[[], None],
        header_timeout: Callable[[], float],
        supervised: bool = False,
    ) -> None:
        """Prepare to serve `app`.

        Args:
            app: The ASGI application.
            drain_seconds: How long requests under way may go on once it stops.
            ready: Told when requests are accepted.
            draining: Told when no more connections are accepted.
            header_timeout: Returns how many seconds a client may take for the head of a request.
            supervised: Whether another process looks after this one: it hears of Ctrl-C, this one does not, and
                SIGTERM is no reason to die of it.
        """
        super().__init__(HttpConfig(app, header_timeout))
        self._drain_seconds = drain_seconds
        self._ready = ready
        self._draining = draining
        self._supervised = supervised
        self._looked_after: dict[int, asyncio.Server] = {}
        self._idle: dict[Connection, tuple[object, float]] = {}

    def stop(self) -> None:
        """Begin to stop; when it is stopping already, cut off what is under way."""
        self.force_exit = self.force_exit or self.should_exit
        self.should_exit = True

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        if not self._supervised:
            self._captured_signals.append(sig)
        self.stop()

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:  # type: ignore[override]  # a generator is an iterator
        if not self._supervised:
            with super().capture_signals():
                yield
            return
        before = {
            signal.SIGTERM: signal.signal(signal.SIGTERM, self.handle_exit),
            signal.SIGINT: signal.signal(signal.SIGINT, signal.SIG_IGN),
        }
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        if self.started and not self.should_exit:
            self._ready()

    async def look_after(self, sockets: Mapping[int, socket.socket]) -> None:
        """Accept connections from these too, and no more from others that this was called with; numbers name them."""
        for number in self._looked_after.keys() - sockets.keys():
            self._looked_after.pop(number).close()
        loop = asyncio.get_running_loop()
        make = partial(Connection, config=self.config, server_state=self.server_state, app_state=self.lifespan.state)
        for number in sockets.keys() - self._looked_after.keys():
            if not self.should_exit:
                self._looked_after[number] = await loop.create_server(make, sock=sockets[number].dup())

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        self._draining()
        for server in (*self.servers, *self._looked_after.values()):
            server.close()
        for sock in sockets or ():
            sock.close()
        state = self.server_state
        for connection in state.connections:
            cycle = getattr(connection, "cycle", None)
            if cycle is not None and not cycle.response_started:
                cycle.keep_alive = False  # the answer will say that it is the last one
        loop = asyncio.get_running_loop()
        began = loop.time()
        while not self.force_exit and (state.connections or state.tasks):
            if loop.time() - began >= self._drain_seconds():
                break
            self._close_idle(loop.time())
            await asyncio.sleep(_LOOK_SECONDS)
        left = tuple(state.tasks)
        for task in left:
            task.cancel(STOPPING)
        if left:
            await asyncio.wait(left, timeout=_CANCEL_SECONDS)
        for connection in tuple(state.connections):
            connection.transport.abort()
        await self.lifespan.shutdown()

    def _close_idle(self, now: float) -> None:
        """Close the connections on which nothing has happened for a while."""
        for connection in tuple(self.server_state.connections):
            assert isinstance(connection, Connection)  # noqa: S101  (the configuration says so)
            if not _is_idle(connection):
                self._idle.pop(connection, None)
                continue
            cycle, since = self._idle.setdefault(connection, (connection.cycle, now))
            if cycle is not connection.cycle:  # it served a request meanwhile
                self._idle[connection] = (connection.cycle, now)
            elif now - since >= IDLE_SECONDS and not _has_news(connection):
                connection.transport.close()


def _is_idle(connection: Connection) -> bool:
    """Say whether no request is under way on a connection, nor the head of one."""
    cycle = connection.cycle
    if cycle is None:
        return connection.scope is None
    return bool(cycle.response_complete) and connection.scope is cycle.scope


def _has_news(connection: Connection) -> bool:
    """Say whether something has arrived that was not read yet."""
    sock = connection.transport.get_extra_info("socket")
    if sock is None or sock.fileno() < 0:
        return False
    poll = select.poll()
    poll.register(sock.fileno(), select.POLLIN)
    return bool(poll.poll(0))
