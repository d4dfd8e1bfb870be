"""Watching a server: its live stream as values, held on to through restarts and broken connections."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable, Collection
from contextlib import aclosing
from pathlib import Path
from urllib.parse import urlencode

import httpx
import msgspec

from newapi.base.errors import CallerError, NewapiError
from newapi.base.secret import Secret
from newapi.ops.health import base_url
from newapi.ops.live import TOPICS, Link, Range, Told, Topic, decode
from newapi.ops.remote import Answer, answers, check
from newapi.ops.tunnel import NoTunnel, reached

PATH = "/api/stream"
SILENCE_SECONDS = 30.0
"""A server that says nothing for so long is gone: it sends a comment every ten seconds."""
CONNECT_SECONDS = 10.0
WAITS = (0.5, 1.0, 2.0, 4.0, 8.0, 15.0)
"""Seconds before it is tried again, the last of them from then on."""
_MAX_BLOCK = 64 * 1024 * 1024
"""Bytes one event may have."""

Sleep = Callable[[float], Awaitable[None]]


class _Lost(Exception):
    """The connection could not be made, or broke."""


class Blocks:
    """Pieces of a stream of server-sent events in, whole events out: (id, name, data). Comments are dropped."""

    def __init__(self) -> None:
        self._buffer = b""

    def feed(self, piece: bytes) -> list[tuple[str, str, bytes]]:
        """Return the events that `piece` completes.

        Raises:
            NewapiError: An event never ends.
        """
        *blocks, self._buffer = (self._buffer + piece).split(b"\n\n")
        if len(self._buffer) > _MAX_BLOCK:
            raise NewapiError("the server sent an event that never ends")
        return [event for block in blocks if (event := _event(block))[1]]


def _event(block: bytes) -> tuple[str, str, bytes]:
    id, name, data = "", "", b""
    for line in block.split(b"\n"):
        field, _, value = line.partition(b":")
        value = value.removeprefix(b" ")
        if field == b"id":
            id = value.decode("utf-8", "replace")
        elif field == b"event":
            name = value.decode("utf-8", "replace")
        elif field == b"data":
            data += value
    return id, name, data


async def watch(
    server: str,
    token: Secret | None = None,
    *,
    topics: Collection[Topic] = TOPICS,
    range: Range = "15m",
    sleep: Sleep = asyncio.sleep,
) -> AsyncGenerator[Told]:
    """Yield what a server tells, without an end; how the connection is comes between as `Link`.

    A connection that breaks is made again, and goes on where it broke where the server still knows that; where it does
    not, a `Gap` and a new `Hello` come. Close the generator to stop watching.

    Args:
        server: Its URL, `host:port`, or `unix:/path`.
        token: A user's access token; the admin socket wants none.
        topics: What to be told of.
        range: Of the history in `Hello`.
        sleep: How to wait before the next try.

    Raises:
        CallerError: Whoever asks may not watch, or the server has no stream.
    """
    query = urlencode({"topics": ",".join(topics), "range": range})
    headers = {"accept": "text/event-stream"}
    if token is not None:
        headers["authorization"] = f"Bearer {token.reveal()}"
    last, failures = "", 0
    while True:
        yield Told("", Link("connecting", server))
        try:
            sent = headers | ({"last-event-id": last} if last else {})
            async with aclosing(_connected(server, f"{PATH}?{query}", sent)) as events:
                async for told in events:
                    if not isinstance(told.event, Link):
                        failures = 0
                    last = told.id or last
                    yield told
        except _Lost as lost:
            wait = WAITS[min(failures, len(WAITS) - 1)]
            failures += 1
            yield Told("", Link("lost", server, str(lost), wait))
            await sleep(wait)


async def _connected(server: str, path: str, headers: dict[str, str]) -> AsyncGenerator[Told]:
    """Yield what one connection tells; it never ends well.

    Raises:
        _Lost: It broke, or could not be made.
        CallerError: The server refuses.
    """
    named = server
    try:
        server = await asyncio.to_thread(reached, server)
    except NoTunnel as error:
        raise _Lost(error.message) from None
    socket_path = server.removeprefix("unix:") if server.startswith("unix:") else None
    if socket_path is not None and not await asyncio.to_thread(answers, Path(socket_path)):
        raise _Lost("nothing listens there, or it is not ours to open")
    transport = httpx.AsyncHTTPTransport(uds=socket_path)
    timeout = httpx.Timeout(SILENCE_SECONDS, connect=CONNECT_SECONDS)
    try:
        async with (
            httpx.AsyncClient(transport=transport, base_url=base_url(server), timeout=timeout, trust_env=False) as http,
            http.stream("GET", path, headers=headers) as reply,
        ):
            if reply.status_code != httpx.codes.OK or "event-stream" not in reply.headers.get("content-type", ""):
                await _refused(reply)
            yield Told("", Link("connected", named))
            blocks = Blocks()
            async for piece in reply.aiter_bytes():
                for id, name, data in blocks.feed(piece):
                    event = decode(name, data)
                    if event is not None:
                        yield Told(id, event)
    except httpx.TimeoutException:
        raise _Lost(f"nothing for {SILENCE_SECONDS:g} seconds") from None
    except (httpx.HTTPError, httpx.InvalidURL, OSError) as error:
        raise _Lost(str(error) or type(error).__name__) from None
    except msgspec.MsgspecError as error:
        raise CallerError(f"The server's stream is not understood by this version: {error}") from None
    raise _Lost("the server has ended the stream")


async def _refused(reply: httpx.Response) -> None:
    """Raise why there is no stream.

    Raises:
        _Lost: For now.
        NewapiError: For good.
    """
    body = await reply.aread()
    if reply.status_code >= 500:
        raise _Lost(f"the server answered {reply.status_code}")
    try:
        said = msgspec.json.decode(body)
    except msgspec.DecodeError:
        said = body.decode("utf-8", "replace")[:200]
    check(Answer(reply.status_code, said))
    raise NewapiError("The server has no live stream: it is another program, or an older version")
