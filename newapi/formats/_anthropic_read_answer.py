"""Anthropic's answers, whole and in events.

Source: https://docs.claude.com/en/api/streaming
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import msgspec
from msgspec import Raw, Struct

from newapi.base.errors import UpstreamError
from newapi.formats import _anthropic_blocks as blocks
from newapi.formats import _anthropic_usage as usages
from newapi.formats._anthropic_blocks import ABSENT, ORIGIN, begins
from newapi.formats._anthropic_errors import event_error
from newapi.frames.sse import Frame
from newapi.ir.events import (
    Cited,
    Closed,
    Delta,
    Event,
    Failed,
    Finished,
    Kind,
    Metered,
    Opened,
    Sealed,
    Started,
    Whole,
)
from newapi.ir.request import Native, Part, ToolCall
from newapi.ir.response import Choice, Finish, Response
from newapi.ir.usage import Usage

_FINISH: Mapping[str, Finish] = {
    "end_turn": "stop",
    "max_tokens": "length",
    "stop_sequence": "stop_sequence",
    "tool_use": "tool_calls",
    "pause_turn": "pause",
    "refusal": "filter",
    "model_context_window_exceeded": "context",
}
"""Source: https://docs.claude.com/en/api/handling-stop-reasons"""


# -- whole ------------------------------------------------------------------------------


class _Answer(Struct):
    type: str = ""
    id: str | None = None
    model: str | None = None
    content: list[Raw] | None = None
    stop_reason: str | None = None
    stop_sequence: str | None = None
    usage: usages.Said | None = None


_answer = msgspec.json.Decoder(_Answer).decode


def read_response(body: bytes) -> Response:
    """Return a whole answer.

    Raises:
        UpstreamError: The body is an error, or makes no sense.
    """
    said = _read(body)
    try:
        parts = tuple(_part(raw) for raw in said.content or ())
    except msgspec.DecodeError as e:
        raise _malformed(e) from None
    called = any(isinstance(p, ToolCall) for p in parts)
    finish = _finish(said.stop_reason, called=called)
    return Response(
        id=said.id or "",
        model=said.model or "",
        choices=(Choice(parts, finish, (said.stop_sequence or "") if finish == "stop_sequence" else ""),),
        usage=usages.read(said.usage) if said.usage is not None else None,
    )


def read_usage(body: bytes) -> Usage | None:
    """Return the usage a whole answer states, None when it states none.

    Raises:
        UpstreamError: The body is an error, or makes no sense.
    """
    said = _read(body)
    return usages.read(said.usage) if said.usage is not None else None


def _read(body: bytes) -> _Answer:
    try:
        said = _answer(body)
    except (msgspec.DecodeError, UnicodeDecodeError) as e:
        try:
            error = event_error(msgspec.json.decode(body))
        except (msgspec.DecodeError, UnicodeDecodeError):
            error = None
        raise (error or _malformed(e)) from None
    if said.content is None:
        raise event_error(msgspec.json.decode(body)) or UpstreamError(
            "the upstream's answer has no content", kind="malformed"
        )
    return said


def _malformed(error: Exception) -> UpstreamError:
    return UpstreamError(f"the upstream's answer makes no sense: {error}", kind="malformed")


def _part(raw: Raw) -> Part:
    block = blocks.decode_block(raw)
    match block.type:
        case "text":
            return blocks.text_of(block)
        case "thinking" | "redacted_thinking":
            return blocks.reasoning_of(block)
        case "tool_use":
            return blocks.call_of(block)
        case _:
            return blocks.native_of(raw)


def _finish(reason: str | None, *, called: bool) -> Finish:
    return _FINISH.get(reason or "", "tool_calls" if called else "stop")


# -- in events ----------------------------------------------------------------------------


class _Delta(Struct):
    type: str = ""
    text: str = ""
    partial_json: str = ""
    thinking: str = ""
    signature: str = ""
    citation: Raw = ABSENT
    stop_reason: str | None = None
    stop_sequence: str | None = None


class _Start(Struct):
    id: str | None = None
    model: str | None = None
    usage: usages.Said | None = None


class _Event(Struct):
    type: str = ""
    index: int = 0
    delta: _Delta | None = None
    message: _Start | None = None
    content_block: Raw = ABSENT
    usage: usages.Said | None = None


_event = msgspec.json.Decoder(_Event).decode
_encode = msgspec.json.encode


class _Open:
    """A block that has begun. `part` is -1 for one that only Anthropic knows: it is told when it is whole."""

    __slots__ = ("fed", "kind", "native", "part", "pieces", "start")

    def __init__(self, part: int, kind: Kind | None, start: Raw = ABSENT, native: Raw = ABSENT) -> None:
        self.part = part
        self.kind = kind
        self.start = start
        """The input that came with the start of a call."""
        self.native = native
        self.pieces: list[str] = []
        self.fed = False
        """Whether arguments of a call have come in deltas."""


class Reader:
    """Frames of a Messages stream in, events out."""

    def __init__(self) -> None:
        self._open: dict[int, _Open] = {}
        self._next = 0
        self._started = self._stopped = self._over = self._called = False
        self._finished = False
        self._counter = usages.Counter()
        self._metered: Usage | None = None

    def feed(self, frame: Frame) -> Iterable[Event]:
        """Return what `frame` says."""
        if self._over:
            return ()
        try:
            event = _event(frame.data)
        except (msgspec.DecodeError, UnicodeDecodeError) as e:
            # OpenAI's end of a stream, which some vendors add.
            return () if frame.data.strip() == b"[DONE]" else self._fail(_malformed(e))
        out: list[Event] = []
        if event.type == "content_block_delta":
            delta = event.delta
            if delta is None:
                return out
            found = self._open.get(event.index)
            if found is None:
                found = self._unannounced(event.index, delta.type, out)
                if found is None:
                    return out
            text = delta.text or delta.thinking
            if text and found.part >= 0:
                out.append(Delta(found.part, text))
            elif not text:
                self._delta(found, delta, out)
            return out
        self._other(event, frame, out)
        return out

    def close(self) -> Iterable[Event]:
        """Return the end, or `Failed` when none of `message_delta` and `message_stop` came."""
        if self._over:
            return ()
        self._over = True
        if not self._started or not (self._finished or self._stopped):
            return (Failed(UpstreamError("the upstream's stream ended before its end", kind="cut")),)
        out: list[Event] = []
        self._finish_up(None, "", out)
        return out

    def _fail(self, error: UpstreamError) -> tuple[Failed]:
        self._over = True
        return (Failed(error),)

    def _other(self, event: _Event, frame: Frame, out: list[Event]) -> None:
        match event.type:
            case "content_block_start":
                self._begin(out)
                self._start(event, out)
            case "content_block_stop":
                found = self._open.pop(event.index, None)
                if found is not None:
                    self._stop(found, out)
            case "message_start":
                start = event.message or _Start()
                if not self._started:
                    self._started = True
                    out.append(Started(start.id or "", start.model or ""))
                self._meter(start.usage, out)
            case "message_delta":
                self._begin(out)
                if event.delta is not None and event.delta.stop_reason:
                    self._finish_up(event.delta.stop_reason, event.delta.stop_sequence or "", out)
                self._meter(event.usage, out)
            case "message_stop":
                self._begin(out)
                self._stopped = True
                self._finish_up(None, "", out)
            case "ping":
                pass
            case _:
                error = event_error(msgspec.json.decode(frame.data))
                if error is not None:
                    out += self._fail(error)

    def _begin(self, out: list[Event]) -> None:
        if not self._started:
            self._started = True
            out.append(Started("", ""))

    def _finish_up(self, reason: str | None, stop_sequence: str, out: list[Event]) -> None:
        if self._finished:
            return
        for found in self._open.values():
            self._stop(found, out)
        self._open.clear()
        self._finished = True
        finish = _finish(reason, called=self._called)
        out.append(Finished(finish, 0, stop_sequence if finish == "stop_sequence" else ""))

    def _meter(self, said: usages.Said | None, out: list[Event]) -> None:
        if said is None:
            return
        self._counter.see(said)
        usage = self._counter.usage()
        if usage != self._metered and (usage.total or self._metered is not None):
            self._metered = usage
            out.append(Metered(usage))

    # -- blocks ----------------------------------------------------------------------------

    def _number(self) -> int:
        number = self._next
        self._next += 1
        return number

    def _start(self, event: _Event, out: list[Event]) -> None:
        if self._finished or begins(event.content_block) == b"n":
            return
        left = self._open.pop(event.index, None)
        if left is not None:
            self._stop(left, out)
        try:
            block = blocks.decode_block(event.content_block)
        except msgspec.DecodeError as e:
            out += self._fail(_malformed(e))
            return
        match block.type:
            case "text":
                number = self._opened(event.index, "text", out)
                if block.text:
                    out.append(Delta(number, block.text))
                out += [Cited(number, c) for c in blocks.citations_of(block.citations)]
            case "thinking" | "redacted_thinking":
                made = blocks.reasoning_of(block)
                number = self._opened(event.index, "reasoning", out, redacted=made.redacted)
                if made.text:
                    out.append(Delta(number, made.text))
                if made.seal is not None:
                    out.append(Sealed(number, made.seal))
            case "tool_use":
                self._called = True
                number = self._number()
                self._open[event.index] = _Open(number, "tool_call", block.input)
                out.append(Opened(number, "tool_call", 0, block.id or "", block.name or ""))
            case _:
                self._open[event.index] = _Open(-1, None, native=event.content_block)

    def _opened(self, index: int, kind: Kind, out: list[Event], *, redacted: bool = False) -> int:
        number = self._number()
        self._open[index] = _Open(number, kind)
        out.append(Opened(number, kind, redacted=redacted))
        return number

    def _unannounced(self, index: int, kind: str, out: list[Event]) -> _Open | None:
        """Some vendors leave out the start of a block of text or thoughts."""
        if self._finished or kind not in ("text_delta", "thinking_delta"):
            return None
        self._begin(out)
        self._opened(index, "text" if kind == "text_delta" else "reasoning", out)
        return self._open[index]

    def _delta(self, found: _Open, delta: _Delta, out: list[Event]) -> None:
        match delta.type:
            case "input_json_delta" if delta.partial_json:
                if found.kind is None:
                    found.pieces.append(delta.partial_json)
                elif found.kind == "tool_call":
                    found.fed = True
                    out.append(Delta(found.part, delta.partial_json))
            case "signature_delta" if found.kind == "reasoning":
                seal = blocks.seal_of(delta.signature)
                if seal is not None:
                    out.append(Sealed(found.part, seal))
            case "citations_delta" if found.kind == "text" and begins(delta.citation) == b"{":
                out.append(Cited(found.part, blocks.citation_of(msgspec.json.decode(delta.citation))))
            case _:
                pass

    def _stop(self, found: _Open, out: list[Event]) -> None:
        if found.kind is None:
            out.append(Whole(self._number(), _native(found)))
            return
        if found.kind == "tool_call" and not found.fed:
            out.append(Delta(found.part, bytes(found.start).decode() if begins(found.start) == b"{" else "{}"))
        out.append(Closed(found.part))


def _native(found: _Open) -> Native:
    """Return a block as it would stand in a whole answer: what streamed of its input put in."""
    if not found.pieces:
        return Native(ORIGIN, found.native)
    whole = msgspec.json.decode(found.native, type=dict[str, Raw])
    text = "".join(found.pieces)
    try:
        msgspec.json.decode(text)
    except msgspec.DecodeError:
        return Native(ORIGIN, found.native)
    return Native(ORIGIN, Raw(_encode({**whole, "input": Raw(text.encode())})))
