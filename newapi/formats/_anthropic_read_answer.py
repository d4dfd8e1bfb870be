"""An Anthropic message, whole or as events, into the canonical form."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, cast

import msgspec
from msgspec import Raw, Struct

from newapi.base.errors import UpstreamError
from newapi.formats._openai_errors import error_in
from newapi.frames.sse import Frame
from newapi.ir.events import Cited, Closed, Delta, Event, Failed, Finished, Metered, Opened, Sealed, Started, Whole
from newapi.ir.request import Citation, Native, Part, Reasoning, Text, ToolCall
from newapi.ir.response import Choice, Finish, Response
from newapi.ir.seal import Seal
from newapi.ir.usage import Usage

NAME = "anthropic_messages"
_FINISH: dict[str, Finish] = {
    "end_turn": "stop",
    "max_tokens": "length",
    "stop_sequence": "stop_sequence",
    "tool_use": "tool_calls",
    "pause_turn": "pause",
    "refusal": "filter",
    "model_context_window_exceeded": "context",
}


class _Split(Struct):
    ephemeral_5m_input_tokens: int | None = None
    ephemeral_1h_input_tokens: int | None = None


class _ServerTools(Struct):
    web_search_requests: int | None = None


class _Details(Struct):
    thinking_tokens: int | None = None
    reasoning_tokens: int | None = None


class _Usage(Struct):
    input_tokens: int | None = None
    output_tokens: int | None = None
    cache_read_input_tokens: int | None = None
    cache_creation_input_tokens: int | None = None
    cache_creation: _Split | None = None
    server_tool_use: _ServerTools | None = None
    output_tokens_details: _Details | None = None


class _Counts:
    """Usage as it grows over a stream: what is said later, and is more than nothing, counts."""

    def __init__(self) -> None:
        self.said = False
        self.input = self.output = self.read = self.written = self.five = self.hour = self.searches = self.thought = 0

    def take(self, usage: _Usage | None) -> None:
        if usage is None:
            return
        self.said = True
        self.input = usage.input_tokens or self.input
        self.output = usage.output_tokens or self.output
        self.read = usage.cache_read_input_tokens or self.read
        self.written = usage.cache_creation_input_tokens or self.written
        if usage.cache_creation is not None:
            self.five = usage.cache_creation.ephemeral_5m_input_tokens or self.five
            self.hour = usage.cache_creation.ephemeral_1h_input_tokens or self.hour
        if usage.server_tool_use is not None:
            self.searches = usage.server_tool_use.web_search_requests or self.searches
        if (details := usage.output_tokens_details) is not None:
            self.thought = details.thinking_tokens or details.reasoning_tokens or self.thought

    def usage(self) -> Usage:
        """Return the buckets; of what was written to the cache, what no lifetime is said of counts as five minutes."""
        thought = min(self.thought, self.output)
        return Usage(
            input=self.input,
            cache_read=self.read,
            cache_write_5m=self.five + max(0, self.written - self.five - self.hour),
            cache_write_1h=self.hour,
            output=self.output - thought,
            reasoning=thought,
            web_searches=self.searches,
        )


class _Delta(Struct):
    type: str = ""
    text: str | None = None
    thinking: str | None = None
    signature: str | None = None
    partial_json: str | None = None
    citation: dict[str, Any] | None = None
    stop_reason: str | None = None
    stop_sequence: str | None = None


class _Message(Struct):
    id: str | None = None
    model: str | None = None
    usage: _Usage | None = None
    stop_reason: str | None = None


class _Event(Struct):
    type: str = ""
    index: int = 0
    message: _Message | None = None
    content_block: dict[str, Any] | None = None
    delta: _Delta | None = None
    usage: _Usage | None = None
    error: Raw = Raw()


_EVENT = msgspec.json.Decoder(_Event, strict=False)


class Reader:
    """Anthropic's events in, ours out; it remembers the open blocks."""

    def __init__(self) -> None:
        self._started = False
        self._parts: dict[int, int] = {}
        self._native: dict[int, dict[str, Any]] = {}
        self._fragments: dict[int, list[str]] = {}
        self._next = 0
        self._counts = _Counts()
        self._stop: str | None = None
        self._sequence = ""
        self._done = False
        self._failed = False

    def feed(self, frame: Frame) -> Iterator[Event]:
        """Yield what `frame` says."""
        if self._failed or self._done:
            return
        try:
            event = _EVENT.decode(frame.data)
        except (msgspec.DecodeError, UnicodeDecodeError):
            yield self._fail(UpstreamError("the upstream sent an event that is not JSON", kind="malformed"))
            return
        match event.type:
            case "content_block_delta":
                if event.delta is not None:
                    yield from self._delta(event.index, event.delta)
            case "content_block_start":
                yield from self._open(event.index, event.content_block or {})
            case "content_block_stop":
                yield from self._close(event.index)
            case "message_start":
                message = event.message or _Message()
                self._counts.take(message.usage)
                yield from self._start(message.id or "", message.model or "")
                if self._counts.said:
                    yield Metered(self._counts.usage())
            case "message_delta":
                self._counts.take(event.usage)
                if event.delta is not None:
                    self._stop = event.delta.stop_reason or self._stop
                    self._sequence = event.delta.stop_sequence or self._sequence
                yield from self._start("", "")
                if event.usage is not None:
                    yield Metered(self._counts.usage())
            case "message_stop":
                yield from self._end()
            case "ping":
                pass
            case _:
                if bytes(event.error) or event.type == "error":
                    error = error_in(msgspec.json.decode(frame.data)) or UpstreamError(
                        "the upstream reported an error", kind="error_event"
                    )
                    error.kind = "error_event"
                    yield self._fail(error)

    def close(self) -> Iterator[Event]:
        """Yield what the end of the input says."""
        if self._failed or self._done:
            return
        if self._stop is None:
            yield self._fail(UpstreamError("the upstream's stream ended before its end", kind="cut"))
            return
        yield from self._end()

    def _fail(self, error: UpstreamError) -> Failed:
        self._failed = True
        return Failed(error)

    def _start(self, id: str, model: str) -> Iterator[Event]:
        if not self._started:
            self._started = True
            yield Started(id, model)

    def _open(self, index: int, block: dict[str, Any]) -> Iterator[Event]:
        yield from self._start("", "")
        yield from self._close(index)
        kind = block.get("type")
        part = self._next
        if kind == "text":
            yield self._opened(index, Opened(part, "text"))
            if text := block.get("text"):
                yield Delta(part, text)
            for citation in block.get("citations") or []:
                yield Cited(part, _citation(citation))
        elif kind == "thinking":
            yield self._opened(index, Opened(part, "reasoning"))
            if text := block.get("thinking"):
                yield Delta(part, text)
            if signature := block.get("signature"):
                yield Sealed(part, Seal(NAME, signature))
        elif kind == "redacted_thinking":
            yield self._opened(index, Opened(part, "reasoning", redacted=True))
            yield Sealed(part, Seal(NAME, str(block.get("data") or "")))
        elif kind == "tool_use":
            yield self._opened(index, Opened(part, "tool_call", id=str(block.get("id")), name=str(block.get("name"))))
            if given := block.get("input"):
                yield Delta(part, msgspec.json.encode(given).decode())
        else:
            self._native[index] = block

    def _opened(self, index: int, event: Opened) -> Opened:
        self._parts[index] = event.part
        self._next += 1
        return event

    def _delta(self, index: int, delta: _Delta) -> Iterator[Event]:
        part = self._parts.get(index)
        if part is None:
            if index in self._native and delta.partial_json:
                self._fragments.setdefault(index, []).append(delta.partial_json)
            return
        if delta.text is not None:
            if delta.text:
                yield Delta(part, delta.text)
        elif delta.thinking is not None:
            if delta.thinking:
                yield Delta(part, delta.thinking)
        elif delta.partial_json is not None:
            if delta.partial_json:
                yield Delta(part, delta.partial_json)
        elif delta.signature:
            yield Sealed(part, Seal(NAME, delta.signature))
        elif delta.citation is not None:
            yield Cited(part, _citation(delta.citation))

    def _close(self, index: int) -> Iterator[Event]:
        part = self._parts.pop(index, None)
        if part is not None:
            yield Closed(part)
        block = self._native.pop(index, None)
        if block is not None:
            if fragments := self._fragments.pop(index, None):
                block["input"] = _object("".join(fragments))
            part = self._next
            self._next += 1
            yield Whole(part, Native(NAME, Raw(msgspec.json.encode(block))))

    def _end(self) -> Iterator[Event]:
        self._done = True
        yield from self._start("", "")
        for index in (*self._parts, *self._native):
            yield from self._close(index)
        yield Finished(_finish(self._stop), stop_sequence=self._sequence)


def _finish(reason: str | None) -> Finish:
    return _FINISH.get(reason or "", "stop")


def _object(text: str) -> Any:
    try:
        return msgspec.json.decode(text)
    except msgspec.DecodeError:
        return {"arguments": text}


def _citation(said: dict[str, Any]) -> Citation:
    return Citation(
        url=str(said.get("url") or ""),
        title=str(said.get("title") or said.get("document_title") or ""),
        text=str(said.get("cited_text") or ""),
    )


class _Answer(Struct):
    id: str | None = None
    type: str | None = None
    model: str | None = None
    content: list[dict[str, Any]] | None = None
    stop_reason: str | None = None
    stop_sequence: str | None = None
    usage: _Usage | None = None


class _UsageOnly(Struct):
    type: str | None = None
    usage: _Usage | None = None


_ANSWER = msgspec.json.Decoder(_Answer, strict=False)
_USAGE = msgspec.json.Decoder(_UsageOnly, strict=False)


def _refuse(body: bytes) -> UpstreamError:
    try:
        decoded = msgspec.json.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return UpstreamError("the upstream's answer is not JSON", kind="malformed")
    if error := error_in(decoded):
        error.kind = "error_event"
        return error
    return UpstreamError("the upstream's answer is not a message", kind="malformed")


def read_response(body: bytes) -> Response:
    """Return a whole answer.

    Raises:
        UpstreamError: It is an error, or no message.
    """
    try:
        answer = _ANSWER.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError):
        raise _refuse(body) from None
    if answer.type != "message" or answer.content is None:
        raise _refuse(body)
    counts = _Counts()
    counts.take(answer.usage)
    parts = tuple(_part(b) for b in answer.content)
    choice = Choice(parts, _finish(answer.stop_reason), answer.stop_sequence or "")
    return Response(answer.id or "", answer.model or "", (choice,), counts.usage() if counts.said else None)


def _part(block: dict[str, Any]) -> Part:
    match block.get("type"):
        case "text":
            citations = cast("list[dict[str, Any]]", block.get("citations") or [])
            return Text(block.get("text") or "", citations=tuple(_citation(c) for c in citations))
        case "thinking":
            signature = block.get("signature")
            return Reasoning(block.get("thinking") or "", Seal(NAME, signature) if signature else None)
        case "redacted_thinking":
            return Reasoning("", Seal(NAME, str(block.get("data") or "")), redacted=True)
        case "tool_use":
            given = block.get("input")
            args = "" if given in (None, {}) else msgspec.json.encode(given).decode()
            return ToolCall(str(block.get("id") or ""), str(block.get("name") or ""), args)
        case _:
            return Native(NAME, Raw(msgspec.json.encode(block)))


def read_usage(body: bytes) -> Usage | None:
    """Return what a whole answer says of usage, None when it says nothing.

    Raises:
        UpstreamError: It is an error, or no message.
    """
    try:
        answer = _USAGE.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError):
        raise _refuse(body) from None
    if answer.type != "message":
        raise _refuse(body)
    counts = _Counts()
    counts.take(answer.usage)
    return counts.usage() if counts.said else None
