"""The mock as an ASGI application, without a framework."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Awaitable, Callable, Iterator, MutableMapping
from random import Random
from typing import Any

import msgspec
from msgspec import Struct

from newapi.mock import anthropic, gemini, openai, others, responses
from newapi.mock.script import Asked, Refused, Said, decide

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]

_GEMINI = re.compile(r"/v1(?:beta)?/models/(.+):(\w+)")
_MESSAGES_429 = "Rate limit reached for requests"


class Behaviour(Struct, frozen=True):
    """How the mock behaves whatever is asked.

    Attributes:
        latency: Seconds before every answer.
        fail: Share of requests that end with 500, 0 to 1.
        tokens: Deltas of text of an answer, where the request does not say; 0 for the mock's own few words.
    """

    latency: float = 0.0
    fail: float = 0.0
    tokens: int = 0


class Dialect(Struct, frozen=True):
    """One format of the mock."""

    answer: Callable[[Asked, Said], Any]
    stream: Callable[[Asked, Said, dict[str, Any]], Iterator[tuple[str, Any]]]
    error: Callable[[int, str], Any]


_OPENAI = Dialect(openai.answer, openai.stream, openai.error)
_RESPONSES = Dialect(responses.answer, responses.stream, openai.error)
_ANTHROPIC = Dialect(anthropic.answer, anthropic.stream, anthropic.error)
_GOOGLE = Dialect(gemini.answer, gemini.stream, gemini.error)


_CHATS: dict[str, tuple[Callable[[dict[str, Any]], Asked], Dialect]] = {
    "/v1/chat/completions": (openai.read, _OPENAI),
    "/v1/responses": (responses.read, _RESPONSES),
    "/v1/messages": (anthropic.read, _ANTHROPIC),
}
_OTHERS: dict[str, Callable[[dict[str, Any]], Any]] = {
    "/v1/embeddings": others.embeddings,
    "/v1/images/generations": others.images,
    "/v1/images/edits": others.images,
    "/v1/moderations": others.moderations,
    "/v1/rerank": others.rerank,
}


class MockApp:
    """Answers like four providers at once; counts what it was asked, and which calls were hung up on."""

    def __init__(self, behaviour: Behaviour | None = None, *, rng: Random | None = None) -> None:
        self.behaviour = behaviour or Behaviour()
        self.requests = 0
        self.hung_up = 0
        """Calls whose client went away before the answer was complete."""
        self.seen: list[tuple[str, bytes]] = []
        """Path and body of the last thousand requests."""
        self._rng = rng or Random()  # noqa: S311  (which requests fail is no secret)

    async def __call__(self, scope: Any, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] != "http":
            return
        body = b""
        while True:
            message = await receive()
            if message["type"] == "http.disconnect":
                return
            body += message.get("body", b"")
            if not message.get("more_body"):
                break
        self.requests += 1
        self.seen = [*self.seen[-999:], (scope["path"], body)]
        if self.behaviour.latency:
            await asyncio.sleep(self.behaviour.latency)
        reply = _Reply(send, receive, self)
        headers = {k.decode("latin-1"): v.decode("latin-1") for k, v in scope["headers"]}
        dialect = _dialect(scope["path"])
        try:
            if self._rng.random() < self.behaviour.fail:
                raise Refused("The server had an error while processing your request.", status=500)
            await self._answer(scope["method"], scope["path"], headers, body, reply)
        except Refused as refused:
            await reply.error(dialect, refused.status, refused.message)

    async def _answer(self, method: str, path: str, headers: dict[str, str], raw: bytes, reply: _Reply) -> None:
        if method == "GET":
            if path != "/v1/models":
                raise Refused(f"Invalid URL (GET {path})", status=404)
            return await reply.json(others.models())
        if path in ("/v1/audio/transcriptions", "/v1/audio/translations"):
            return await reply.json(others.transcription())
        if path == "/v1/images/edits" and headers.get("content-type", "").startswith("multipart/"):
            return await reply.json(others.images({"prompt": "edit"}))
        body = _decode(raw)
        if found := _GEMINI.fullmatch(path):
            return await self._gemini(found[1], found[2], body, reply)
        if path in _CHATS:
            read, dialect = _CHATS[path]
            if dialect is _ANTHROPIC:
                anthropic.check_headers(headers)
            return await self._chat(read(body), body, dialect, reply)
        if path == "/v1/messages/count_tokens":
            anthropic.check_headers(headers)
            asked = anthropic.read({**body, "max_tokens": 1 << 20})
            return await reply.json({"input_tokens": 10 + asked.prompt_chars // 4})
        if path == "/v1/audio/speech":
            return await reply.bytes(others.SPEECH, "audio/mpeg")
        if path not in _OTHERS:
            raise Refused(f"Invalid URL ({method} {path})", status=404)
        return await reply.json(_OTHERS[path](body))

    async def _gemini(self, model: str, action: str, body: dict[str, Any], reply: _Reply) -> None:
        match action:
            case "generateContent" | "streamGenerateContent":
                asked = gemini.read(body, model, action.startswith("stream"))
                await self._chat(asked, body, _GOOGLE, reply)
            case "countTokens":
                await reply.json({"totalTokens": 12})
            case "embedContent" | "batchEmbedContents":
                await reply.json(others.gemini_embedding(body, action.startswith("batch")))
            case _:
                raise Refused(f"models/{model} is not found for API version v1beta", status=404)

    async def _chat(self, asked: Asked, body: dict[str, Any], dialect: Dialect, reply: _Reply) -> None:
        said = decide(asked, tokens=self.behaviour.tokens)
        if said.status:
            message = _MESSAGES_429 if said.status == 429 else f"The mock was asked to fail with {said.status}"
            await reply.error(dialect, said.status, message)
        elif asked.stream:
            await reply.stream(dialect.stream(asked, said, body), said)
        elif said.cut:
            await reply.cut(msgspec.json.encode(dialect.answer(asked, said)))
        else:
            if said.gap:
                await asyncio.sleep(said.gap)
            await reply.json(dialect.answer(asked, said))


class _Reply:
    """Writes one answer."""

    def __init__(self, send: Send, receive: Receive, app: MockApp) -> None:
        self._send = send
        self._receive = receive
        self._app = app

    async def _start(self, status: int, *headers: tuple[bytes, bytes]) -> None:
        await self._send({"type": "http.response.start", "status": status, "headers": list(headers)})

    async def bytes(self, body: bytes, kind: str, status: int = 200, *headers: tuple[bytes, bytes]) -> None:
        length = (b"content-length", str(len(body)).encode())
        await self._start(status, (b"content-type", kind.encode()), length, *headers)
        await self._send({"type": "http.response.body", "body": body})

    async def json(self, value: Any, status: int = 200, *headers: tuple[bytes, bytes]) -> None:
        await self.bytes(msgspec.json.encode(value), "application/json", status, *headers)

    async def error(self, dialect: Dialect, status: int, message: str) -> None:
        extra = [(b"retry-after", b"7"), (b"x-ratelimit-remaining-requests", b"0")] if status == 429 else []
        await self.json(dialect.error(status, message), status, *extra)

    async def cut(self, body: bytes) -> None:
        """Send half of `body` and break the connection."""
        await self._start(200, (b"content-type", b"application/json"), (b"content-length", str(len(body)).encode()))
        await self._send({"type": "http.response.body", "body": body[: len(body) // 2], "more_body": True})
        raise ConnectionAbortedError

    async def stream(self, events: Iterator[tuple[str, Any]], said: Said) -> None:
        await self._start(200, (b"content-type", b"text/event-stream"), (b"cache-control", b"no-cache"))
        gone = asyncio.ensure_future(self._gone())
        try:
            for number, (name, data) in enumerate(events):
                if gone.done():
                    self._app.hung_up += 1
                    return
                if number == 3 and said.gap:
                    await asyncio.wait((gone,), timeout=said.gap)
                if number == 4 and said.cut:
                    raise ConnectionAbortedError
                text = data.encode() if isinstance(data, str) else msgspec.json.encode(data)
                head = f"event: {name}\n".encode() if name else b""
                await self._send(
                    {"type": "http.response.body", "body": head + b"data: " + text + b"\n\n", "more_body": True}
                )
            await self._send({"type": "http.response.body", "body": b""})
        finally:
            gone.cancel()

    async def _gone(self) -> None:
        while (await self._receive())["type"] != "http.disconnect":
            pass


def _decode(raw: bytes) -> dict[str, Any]:
    try:
        return msgspec.json.decode(raw, type=dict[str, Any])
    except msgspec.DecodeError:
        raise Refused("We could not parse the JSON body of your request.") from None


def _dialect(path: str) -> Dialect:
    if path.startswith("/v1/messages"):
        return _ANTHROPIC
    return _GOOGLE if _GEMINI.fullmatch(path) else _OPENAI
