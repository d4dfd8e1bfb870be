"""Upstreams that fail at random, and clients that notice: what the chaos test is made of.

Each request asks for its own number, and each whole answer says it and has it in its usage (`PROMPT` + number prompt
tokens and one completion token), so that whatever the log says of it can be told to belong to it.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable
from random import Random
from typing import Any

import msgspec

from newapi.base.errors import UpstreamError
from newapi.base.http import HttpCall
from newapi.net.client import Client, Timeouts
from tests.support.upstream import Conversation, Handler

PROMPT = 1000
_HEAD = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n"
_ABOUT = {"id": "chatcmpl-1", "created": 5, "model": "m"}
_TIMEOUTS = Timeouts(10, 60, 60, 1e9)


class Upstreams:
    """What the upstreams did, by the number of the request."""

    def __init__(self, seed: int) -> None:
        self.rng = Random(seed)
        self.served: Counter[int] = Counter()
        """Whole answers that were sent."""
        self.broke: Counter[int] = Counter()
        """Answers that were broken off, or fell silent, after their first word: nobody else could have answered."""
        self.failed: Counter[str] = Counter()

    def good(self) -> Handler:
        """Return an upstream that always answers."""
        return self._handler(self._answer)

    def refusing(self, status: int, share: float) -> Handler:
        """Return one that answers so many with `status`."""

        async def do(c: Conversation, n: int, stream: bool) -> bool:
            if self.rng.random() >= share:
                return await self._answer(c, n, stream)
            self.failed[str(status)] += 1
            more = "retry-after: 1\r\n" if status == 429 else ""
            body = msgspec.json.encode({"error": {"message": "no", "type": "server_error", "code": "no"}})
            await c.answer(body, status=status, headers=f"content-type: application/json\r\n{more}")
            return True

        return self._handler(do)

    def cutting(self, share: float) -> Handler:
        """Return one that breaks the connection: before the head, after the head, or in the middle."""

        async def do(c: Conversation, n: int, stream: bool) -> bool:
            if self.rng.random() >= share:
                return await self._answer(c, n, stream)
            where = self.rng.choice(["before", "head", "middle"])
            self.failed[f"cut {where}"] += 1
            if where != "before" and stream:
                await c.send(_HEAD + (_chunk(self._words(n)[0]) if where == "middle" else b""))
                self.broke[n] += where == "middle"
            elif where != "before":
                await c.send(b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 500\r\n\r\n{")
            return False

        return self._handler(do)

    def silent(self, share: float) -> Handler:
        """Return one that says nothing, or nothing more after its first word, until it is hung up on."""

        async def do(c: Conversation, n: int, stream: bool) -> bool:
            if self.rng.random() >= share:
                return await self._answer(c, n, stream)
            where = self.rng.choice(["before", "middle"])
            self.failed[f"silent {where}"] += 1
            if where == "middle" and stream:
                await c.send(_HEAD + _chunk(self._words(n)[0]))
                self.broke[n] += 1
            await c.gone()
            return False

        return self._handler(do)

    def _handler(self, do: Callable[[Conversation, int, bool], Awaitable[bool]]) -> Handler:
        async def handler(c: Conversation) -> None:
            while True:
                _, _, body = await c.request()
                asked = msgspec.json.decode(body)
                number = int(asked["messages"][-1]["content"])
                if not await do(c, number, bool(asked.get("stream"))):
                    return

        return handler

    async def _answer(self, c: Conversation, n: int, stream: bool) -> bool:
        usage = {"prompt_tokens": PROMPT + n, "completion_tokens": 1, "total_tokens": PROMPT + n + 1}
        if not stream:
            message = {"role": "assistant", "content": f"number {n}."}
            choice = {"index": 0, "message": message, "finish_reason": "stop"}
            body = {**_ABOUT, "object": "chat.completion", "choices": [choice], "usage": usage}
            self.served[n] += 1
            await c.answer(msgspec.json.encode(body))
            return True
        first, second = self._words(n)
        await c.send(_HEAD + _chunk(first))
        await asyncio.sleep(self.rng.random() * 0.05)
        end = [_event({}, "stop"), _data({**_ABOUT, "object": _CHUNK, "choices": [], "usage": usage})]
        self.served[n] += 1
        await c.send(_chunk(second) + _chunk(b"".join(end) + b"data: [DONE]\n\n") + b"0\r\n\r\n")
        return True

    def _words(self, n: int) -> tuple[bytes, bytes]:
        return _event({"role": "assistant", "content": "number "}), _event({"content": f"{n}."})


_CHUNK = "chat.completion.chunk"


def _data(value: Any) -> bytes:
    return b"data: " + msgspec.json.encode(value) + b"\n\n"


def _event(delta: dict[str, Any], finish: str | None = None) -> bytes:
    choice = {"index": 0, "delta": delta, "finish_reason": finish}
    return _data({**_ABOUT, "object": _CHUNK, "choices": [choice]})


def _chunk(data: bytes) -> bytes:
    return b"%x\r\n%s\r\n" % (len(data), data)


class Cut(Exception):
    """The connection to the gateway broke; `began` and `ended` are when, on the event loop's clock."""

    def __init__(self, why: str, began: float, ended: float) -> None:
        super().__init__(why)
        self.began, self.ended = began, ended


class Failed(Exception):
    """The gateway said that the request failed."""


class Caller:
    """Asks a gateway for numbers, in several formats, plain and streaming, on connections that are kept."""

    def __init__(self, url: str, key: str) -> None:
        self._url = url
        self._headers = (("authorization", f"Bearer {key}"), ("content-type", "application/json"))
        self._client = Client()

    async def ask(self, n: int) -> str:
        """Return the id of the request whose whole answer arrived.

        Raises:
            Failed: An error was told, as the answer or in the stream.
            Cut: No whole answer came.
        """
        path, body, end = _asked(n)
        call = HttpCall("POST", self._url + path, self._headers, msgspec.json.encode(body))
        loop = asyncio.get_running_loop()
        began = loop.time()
        try:
            reply = await self._client.perform(call, _TIMEOUTS)
            told = await reply.read(1 << 20)
        except UpstreamError as error:
            raise Cut(error.message, began, loop.time()) from None
        if reply.status != 200:
            raise Failed(f"{reply.status} {told.decode()}")
        if end is None:
            message = msgspec.json.decode(told)["choices"][0]["message"]["content"]
            if message != f"number {n}.":
                raise AssertionError(f"{n} was answered with {message!r}")
        elif b'"error"' in told:
            raise Failed(told.decode())
        elif not told.endswith(end):
            raise AssertionError(f"a clean end without an end: {told.decode()}")
        elif f"{n}.".encode() not in told:
            raise AssertionError(f"{n} was answered with {told.decode()}")
        return reply.headers["x-oneapi-request-id"]

    async def close(self) -> None:
        """Close the connections."""
        await self._client.close()


def _asked(n: int) -> tuple[str, dict[str, Any], bytes | None]:
    """Return path and body of request `n`, and what a whole stream ends with, None for no stream."""
    body: dict[str, Any] = {"model": "m", "max_tokens": 20, "messages": [{"role": "user", "content": str(n)}]}
    match n % 3:
        case 0:
            return "/v1/chat/completions", body, None
        case 1:
            more = {"stream": True, "stream_options": {"include_usage": True}}
            return "/v1/chat/completions", body | more, b"data: [DONE]\n\n"
        case _:
            return "/v1/messages", body | {"stream": True}, b'data: {"type":"message_stop"}\n\n'
