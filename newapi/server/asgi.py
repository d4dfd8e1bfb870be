"""The relay's side of ASGI: a request read whole, an answer written in pieces, a hang-up noticed at once."""

from __future__ import annotations

import asyncio
import time
import zlib
from collections.abc import Awaitable, Callable, Mapping, MutableMapping
from typing import Any, Protocol

from newapi.base.errors import CallerError
from newapi.relay.tally import Tally

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]


SLOWEST = 1024
"""Bytes a second: how slowly a body may come as a whole."""


class Line(Protocol):
    """A caller's connection, where the HTTP server is ours (`newapi.server.door`)."""

    def when_gone(self, tell: Callable[[], object] | None) -> None:
        """Call `tell`, and nothing else, when the caller hangs up; now if he has."""
        ...

    def hold(self) -> None:
        """Keep what is written next until more is written: both go out as one."""
        ...


def with_line(line: Line) -> dict[str, dict[object, object]]:
    """Return the extensions of a scope that have the connection which its request came on."""
    return {"newapi": {"line": line}}


def line_of(scope: Mapping[str, Any]) -> Line | None:
    """Return the connection that a request came on; None where the HTTP server is another."""
    return scope.get("extensions", {}).get("newapi", {}).get("line")


class CallerGone(Exception):
    """The caller hung up while it was still sending."""


class AsgiSink:
    """Where an answer goes: ASGI's `send`, which waits while the caller is slow."""

    __slots__ = ("_line", "_send", "started", "status")

    def __init__(self, send: Send, line: Line | None = None) -> None:
        self._send = send
        self._line = line
        self.status = 0
        """What was answered, 0 before that."""
        self.started = False

    async def start(self, status: int, headers: list[tuple[str, str]]) -> None:
        """Send the head, where the server is ours together with what comes first."""
        self.started = True
        self.status = status
        if self._line is not None:
            self._line.hold()
        await self._send(
            {
                "type": "http.response.start",
                "status": status,
                "headers": [(k.encode("latin-1"), v.encode("latin-1", "replace")) for k, v in headers],
            }
        )

    async def write(self, data: bytes) -> None:
        """Send a piece."""
        await self._send({"type": "http.response.body", "body": data, "more_body": True})

    async def end(self, data: bytes = b"") -> None:
        """Send the last piece."""
        await self._send({"type": "http.response.body", "body": data, "more_body": False})

    async def whole(self, status: int, headers: list[tuple[str, str]], body: bytes) -> None:
        """Send everything at once."""
        await self.start(status, [*headers, ("content-length", str(len(body)))])
        await self.end(body)


async def read_body(receive: Receive, limit: int, within: float, headers: Mapping[str, str]) -> bytes:
    """Return the request's body, decompressed.

    Args:
        receive: ASGI's.
        limit: Bytes.
        within: Seconds of silence that are borne, and that all of it may take: a second more for every KiB that came.
        headers: The request's; those read here are `content-length` and `content-encoding`.

    Raises:
        CallerError: 413, larger than `limit`, as declared, as it came or decompressed; 408, too slow; 415, an encoding
            we do not know.
        CallerGone: The caller hung up.
    """
    declared = headers.get("content-length", "")
    if declared.isdecimal() and int(declared) > limit:
        raise _too_large(limit)
    body = await _arrived(receive, limit, within)
    encoding = headers.get("content-encoding", "").lower()
    if len(body) > limit:
        raise _too_large(limit)
    if not encoding or encoding == "identity":
        return body
    if encoding not in ("gzip", "deflate"):
        raise CallerError(f"content-encoding {encoding!r} is not supported: use gzip or none", status=415)
    inflate = zlib.decompressobj(zlib.MAX_WBITS | 32)
    try:
        out = inflate.decompress(body, limit + 1)
    except zlib.error as e:
        raise CallerError(f"the body is not {encoding}: {e}") from None
    if len(out) > limit or inflate.unconsumed_tail:
        raise _too_large(limit)
    return out


async def _arrived(receive: Receive, limit: int, within: float) -> bytes:
    if getattr(getattr(receive, "__self__", None), "more_body", True) is False:
        # uvicorn has all of it, as nearly always: nobody waits, and a timer would cost more than the rest of this.
        message = await receive()
        if message["type"] == "http.disconnect":
            raise CallerGone
        return message.get("body", b"")
    loop = asyncio.get_running_loop()
    began = loop.time()
    size, parts = 0, []
    try:
        async with asyncio.timeout(within) as timer:
            while True:
                message = await receive()
                if message["type"] == "http.disconnect":
                    raise CallerGone
                part: bytes = message.get("body", b"")
                size += len(part)
                if size > limit:
                    raise _too_large(limit)
                if not message.get("more_body"):
                    break
                parts.append(part)
                timer.reschedule(min(loop.time() + within, began + within + size / SLOWEST))
    except TimeoutError:
        raise CallerError(
            f"the request body came too slowly: {size} bytes in {loop.time() - began:.0f} seconds, and not its end",
            status=408,
            code="request_timeout",
        ) from None
    return b"".join((*parts, part)) if parts else part


async def run_until_gone(work: Awaitable[None], receive: Receive, line: Line | None = None) -> None:
    """Await `work`, and cancel it when the caller hangs up.

    The work runs in this task. Where the server is not ours one more waits for the hang-up, which costs a request a
    thirtieth of its time.
    """
    me = asyncio.current_task()
    assert me is not None  # noqa: S101  (a coroutine runs in a task)
    gone = over = False

    def hung_up() -> None:
        nonlocal gone
        if not over:
            gone = True
            me.cancel()

    async def watch() -> None:
        while (await receive())["type"] != "http.disconnect":
            pass
        hung_up()

    watcher: asyncio.Task[None] | None = None
    if line is None:
        watcher = asyncio.create_task(watch())
    else:
        line.when_gone(hung_up)
    try:
        await work
    except asyncio.CancelledError:
        if not gone:
            raise  # someone else's: the server is stopping
        me.uncancel()
    finally:
        over = True
        if line is not None:
            line.when_gone(None)
        elif watcher is not None:
            watcher.cancel()


async def counted(
    app: Callable[[Any, Any, Any], Awaitable[None]],
    route: str,
    tally: Tally,
    scope: dict[str, Any],
    receive: Receive,
    send: Send,
) -> None:
    """Answer a request by `app`, and count it as one of `route`."""
    status = 0
    began = time.monotonic()

    async def noted(message: Message) -> None:
        nonlocal status
        if message["type"] == "http.response.start":
            status = message["status"]
        await send(message)

    tally.arrived(route)
    try:
        await app(scope, receive, noted)
    finally:
        tally.answered(route, scope["method"], status, time.monotonic() - began)


def _too_large(limit: int) -> CallerError:
    return CallerError(f"the request body is larger than {limit} bytes", status=413, code="request_too_large")
