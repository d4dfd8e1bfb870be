"""The live stream, for the dashboard: `/api/stream`, and ranges of its history. It is administrators'."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import Any, ClassVar

from litestar import Response
from litestar.handlers import HTTPRouteHandler
from litestar.response.base import ASGIResponse

from newapi.base.errors import CallerError, NewapiError
from newapi.ops.live import RANGES, TOPICS, Series, Topic
from newapi.server.asgi import Receive, Send, run_until_gone
from newapi.server.routes.admin.auth import Call, Door
from newapi.server.runtime import Runtime

CHECK_SECONDS = 5.0
"""How often it is made sure that whoever watches still may."""


def routes(runtime: Runtime) -> list[HTTPRouteHandler]:
    """Return the handlers."""
    door = Door(runtime, explicit=True)
    return [
        door.get("/api/stream", stream, "admin", query="topics range"),
        door.get("/api/stream/series", series, "admin", query="range"),
    ]


def stream(call: Call) -> EventStream:
    """Return what happens, second by second, as server-sent events; `Last-Event-ID` goes on after an event."""
    return EventStream(call, _topics(call), _range(call))


def series(call: Call) -> Series:
    """Return a range of history."""
    return call.runtime.live.series(_range(call))


def _topics(call: Call) -> tuple[Topic, ...]:
    said = call.query.get("topics", "")
    if not said:
        return TOPICS
    names = said.split(",")
    if unknown := set(names).difference(TOPICS):
        raise CallerError(f"There is no topic {min(unknown)[:40]!r}: {', '.join(TOPICS)}", param="topics")
    return tuple(topic for topic in TOPICS if topic in names)


def _range(call: Call) -> str:
    said = call.query.get("range", "") or "15m"
    if said not in RANGES:
        raise CallerError(f"There is no range {said[:40]!r}: {', '.join(RANGES)}", param="range")
    return said


class EventStream(Response[bytes]):
    """An answer that goes on until the watcher hangs up, may not watch any more, or the server ends."""

    answers: ClassVar = "text/event-stream"
    """What the OpenAPI document says it is."""

    def __init__(self, call: Call, topics: tuple[Topic, ...], range: str) -> None:
        headers = {"cache-control": "no-cache", "x-accel-buffering": "no"}
        super().__init__(b"", media_type=self.answers, headers=headers)
        self._call = call
        self._topics = topics
        self._range = range

    def to_asgi_response(self, *args: Any, **kwargs: Any) -> ASGIResponse:
        """Return what sends it."""
        call = self._call
        events = call.runtime.live.follow(self._topics, self._range, call.headers.get("last-event-id", ""))
        return _Endless(call, events, headers=self.headers)


class _Endless(ASGIResponse):
    _should_set_content_length = False

    def __init__(self, call: Call, events: AsyncGenerator[bytes], headers: Any) -> None:
        super().__init__(media_type=EventStream.answers, headers=headers)
        self._call = call
        self._events = events

    async def send_body(self, send: Send, receive: Receive) -> None:  # type: ignore[override]  # litestar's own types
        await run_until_gone(self._send(send), receive)

    async def _send(self, send: Send) -> None:
        checked = asyncio.get_running_loop().time()
        async with aclosing(self._events) as events:
            async for blocks in events:
                if (now := asyncio.get_running_loop().time()) - checked >= CHECK_SECONDS:
                    checked = now
                    if not await asyncio.to_thread(self._still_may):
                        break
                await send({"type": "http.response.body", "body": blocks, "more_body": True})
        await send({"type": "http.response.body", "body": b"", "more_body": False})

    def _still_may(self) -> bool:
        self._call.now = time.time()
        try:
            self._call.require("admin")
        except NewapiError:
            return False
        return True
