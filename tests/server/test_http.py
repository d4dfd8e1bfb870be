"""A server that comes to its end cuts nobody off who asked in time."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest

from newapi.server import http
from newapi.server.http import HttpServer

GET = b"GET / HTTP/1.1\r\nhost: x\r\n\r\n"


class Served:
    """A server whose only path waits for `go` when it is asked for `/slow`."""

    def __init__(self, seconds: float) -> None:
        self.go = asyncio.Event()
        self.draining = asyncio.Event()
        self.cancelled = False
        self.server = HttpServer(
            self.app(),
            drain_seconds=lambda: seconds,
            ready=lambda: None,
            draining=self.draining.set,
            header_timeout=lambda: 30.0,
            supervised=True,
        )

    def app(self) -> Any:
        async def app(scope: Any, receive: Any, send: Any) -> None:  # uvicorn looks whether it is a function
            await self._answer(scope, receive, send)

        return app

    async def _answer(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "lifespan":
            while True:
                kind = (await receive())["type"]
                await send({"type": f"{kind}.complete"})
                if kind == "lifespan.shutdown":
                    return
        if scope["path"] == "/slow":
            try:
                await self.go.wait()
            except asyncio.CancelledError:
                self.cancelled = True
                raise
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"2")]})
        await send({"type": "http.response.body", "body": b"ok"})


@contextlib.asynccontextmanager
async def serving(seconds: float = 10) -> AsyncIterator[tuple[Served, Callable[[], Any]]]:
    served = Served(seconds)
    sock = socket.create_server(("127.0.0.1", 0))
    port = sock.getsockname()[1]
    running = asyncio.create_task(served.server.serve([sock]))
    try:
        yield served, lambda: asyncio.open_connection("127.0.0.1", port)
        async with asyncio.timeout(20):
            await running
    finally:
        running.cancel()


@pytest.fixture(autouse=True)
def _soon(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(http, "IDLE_SECONDS", 0.2)


async def test_requests_under_way_and_on_their_way_are_answered(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(http, "IDLE_SECONDS", 5.0)
    async with serving() as (served, connect):
        slow_in, slow_out = await connect()
        idle_in, idle_out = await connect()
        idle_out.write(GET)
        assert (await idle_in.readuntil(b"ok")).startswith(b"HTTP/1.1 200")
        slow_out.write(GET.replace(b"/ ", b"/slow "))
        half_in, half_out = await connect()
        half_out.write(GET[:10])
        served.server.stop()
        await served.draining.wait()
        with pytest.raises(ConnectionRefusedError):
            await connect()
        idle_out.write(GET)  # on a connection of before
        assert (await idle_in.readuntil(b"ok")).startswith(b"HTTP/1.1 200")
        half_out.write(GET[10:])
        assert (await half_in.readuntil(b"ok")).startswith(b"HTTP/1.1 200")
        served.go.set()
        answer = await slow_in.read()  # to the end of the connection
        assert b"connection: close" in answer
        for out in (slow_out, idle_out, half_out):
            out.close()
    assert not served.cancelled


async def test_idle_connections_are_closed_after_a_while() -> None:
    async with serving() as (served, connect):
        read, out = await connect()
        out.write(GET)
        await read.readuntil(b"ok")
        fresh_read, fresh_out = await connect()
        served.server.stop()
        assert await read.read() == b""
        assert await fresh_read.read() == b""
        out.close()
        fresh_out.close()


@pytest.mark.parametrize("again", [False, True], ids=["when its time is over", "when it is told again"])
async def test_what_takes_too_long_is_cut_off(again: bool) -> None:
    async with serving(60 if again else 0.05) as (served, connect):
        read, out = await connect()
        out.write(GET.replace(b"/ ", b"/slow "))
        await asyncio.sleep(0)
        while not served.server.server_state.tasks:  # noqa: ASYNC110  (nobody tells when)
            await asyncio.sleep(0.001)
        served.server.stop()
        if again:
            await served.draining.wait()
            served.server.stop()
        with contextlib.suppress(ConnectionError):
            assert not (await read.read()).endswith(b"ok")
        out.close()
    assert served.cancelled
