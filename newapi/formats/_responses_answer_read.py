"""OpenAI Responses: a whole answer, and a stream's events, into the canonical form.

Source: https://platform.openai.com/docs/api-reference/responses-streaming
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any, cast

import msgspec
from msgspec import Raw, Struct

from newapi.base.errors import UpstreamError
from newapi.formats import _responses_items as items
from newapi.formats._openai_errors import error_in
from newapi.formats._responses_items import NULL, Annotation, Counts, Item
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
from newapi.ir.request import Citation, ToolCall
from newapi.ir.response import Choice, Finish, Response
from newapi.ir.usage import Usage


class _Reason(Struct):
    reason: str | None = None


class _Answer(Struct):
    id: str | None = None
    object: str = ""
    created_at: float | None = None
    status: str | None = None
    model: str | None = None
    error: Raw = NULL
    incomplete_details: _Reason | None = None
    output: list[Raw] | None = None
    tools: list[Raw] | None = None
    usage: Counts | None = None


class _Event(Struct, gc=False):
    type: str = ""
    delta: Any = None
    output_index: int | None = None
    content_index: int = 0
    summary_index: int = 0
    item_id: str | None = None
    item: Raw = NULL
    response: Raw = NULL
    annotation: Any = None


_ANSWER = msgspec.json.Decoder(_Answer)
_EVENT = msgspec.json.Decoder(_Event)


# -- whole ---------------------------------------------------------------------------------


def read_response(body: bytes) -> Response:
    """Return the answer.

    Raises:
        UpstreamError: It is an error, says that the response failed, or makes no sense.
    """
    answer = _answer(body)
    try:
        parts = tuple(p for raw in answer.output or () for p in items.parts(raw))
    except msgspec.DecodeError as e:
        raise _malformed(e) from None
    calls = any(isinstance(p, ToolCall) for p in parts)
    return Response(
        id=answer.id or "",
        model=answer.model or "",
        choices=(Choice(parts, _finish(answer, calls)),),
        usage=_usage(answer),
        created=int(answer.created_at or 0),
    )


def read_usage(body: bytes) -> Usage | None:
    """Return the usage that a whole answer states.

    Raises:
        UpstreamError: It is an error, says that the response failed, or makes no sense.
    """
    return _usage(_answer(body))


def _answer(body: bytes) -> _Answer:
    try:
        answer = _ANSWER.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError) as e:
        try:
            error = error_in(msgspec.json.decode(body))
        except (msgspec.DecodeError, UnicodeDecodeError):
            error = None
        raise error or _malformed(e) from None
    if answer.error != NULL or answer.status in ("failed", "cancelled"):
        raise error_in(msgspec.json.decode(body)) or UpstreamError(
            f"the response {answer.status or 'failed'}", kind="error_event", upstream_status=200
        )
    if answer.output is None and not answer.object.startswith("response"):
        raise error_in(msgspec.json.decode(body)) or _malformed("neither output nor error")
    return answer


def _usage(answer: _Answer) -> Usage | None:
    if answer.usage is None:
        return None
    used = items.ToolUse()
    for raw in answer.output or ():
        used.note(raw)
    return items.usage(answer.usage, used, answer.tools or ())


def _finish(answer: _Answer, calls: bool) -> Finish:
    if answer.status == "incomplete":
        reason = answer.incomplete_details.reason if answer.incomplete_details else None
        return "filter" if reason == "content_filter" else "length"
    return "tool_calls" if calls else "stop"


def _malformed(why: object) -> UpstreamError:
    return UpstreamError(f"the upstream's answer makes no sense: {why}", kind="malformed")


# -- in pieces -----------------------------------------------------------------------------


class _Open:
    """A part that has been opened, and how much of it has been told."""

    __slots__ = ("cited", "number", "sent")

    def __init__(self, number: int) -> None:
        self.number = number
        self.sent = 0
        self.cited: set[Citation] = set()


class _State:
    """An item of the output that has been heard of."""

    __slots__ = ("done", "early", "id", "parts", "seal", "section", "type")

    def __init__(self, type: str = "", id: str = "") -> None:
        self.type = type
        self.id = id
        self.parts: dict[int, _Open] = {}
        """Open parts by content index; a reasoning item's or a call's only part is 0."""
        self.early: list[str] = []
        """Arguments that came before their call."""
        self.section: tuple[str, int] | None = None
        """Of a reasoning item: kind and index of the section that is being told."""
        self.seal: str | None = None
        self.done = False


class Reader:
    """OpenAI's events in, the canonical ones out."""

    def __init__(self) -> None:
        self._started = self._ended = False
        self._next = 0
        self._states: dict[int, _State] = {}
        self._indices: dict[str, int] = {}
        self._calls = False
        self._used = items.ToolUse()

    def feed(self, frame: Frame) -> Iterable[Event]:
        """Return what one event says."""
        if self._ended or frame.data == b"[DONE]":
            return ()
        try:
            event = _EVENT.decode(frame.data)
            kind = event.type
            if kind == "response.output_text.delta":
                part = self._content_part(event)
                if part is not None:
                    part.sent += len(event.delta)
                    return (Delta(part.number, event.delta),)
            return [*self._read(kind, event, frame)]
        except (msgspec.DecodeError, UnicodeDecodeError) as e:
            return self._fail(_malformed(e))

    def close(self) -> Iterable[Event]:
        """Return `Failed` when no closing event came."""
        if self._ended:
            return ()
        return self._fail(UpstreamError("the upstream's stream stopped before its end", kind="cut"))

    # -- which event ---------------------------------------------------------------------

    def _read(self, kind: str, event: _Event, frame: Frame) -> Iterator[Event]:
        match kind:
            case "response.created" | "response.in_progress" | "response.queued" if event.response != NULL:
                yield from self._start(_ANSWER.decode(event.response))
            case "response.output_text.delta" | "response.refusal.delta":
                yield from self._said("refusal" if "refusal" in kind else "text", event)
            case "response.reasoning_summary_text.delta" | "response.reasoning_text.delta":
                yield from self._thought(event)
            case "response.function_call_arguments.delta" | "response.custom_tool_call_input.delta":
                yield from self._argued(event, custom="custom" in kind)
            case "response.output_text.annotation.added":
                yield from self._annotated(event)
            case "response.output_item.added" if event.item != NULL:
                yield from self._added(event, event.item)
            case "response.output_item.done" if event.item != NULL:
                yield from self._done(self._state(event), event.item)
            case "response.completed" | "response.incomplete" | "response.done" if event.response != NULL:
                yield from self._end(event.response)
            case "response.failed" | "error":
                if self._states and event.response != NULL:
                    # What was told before it failed is charged by this, if it is said.
                    answer = _ANSWER.decode(event.response)
                    if answer.usage is not None:
                        yield Metered(items.usage(answer.usage, self._used, answer.tools or ()))
                yield from self._fail(_error(frame.data))
            case _:
                if not kind.startswith("response."):
                    error = error_in(msgspec.json.decode(frame.data))
                    if error is not None:
                        yield from self._fail(error)

    def _fail(self, error: UpstreamError) -> tuple[Event]:
        self._ended = True
        return (Failed(error),)

    def _start(self, answer: _Answer | None = None) -> Iterator[Event]:
        if not self._started:
            self._started = True
            if answer is None:
                yield Started("", "")
            else:
                yield Started(answer.id or "", answer.model or "", int(answer.created_at or 0))

    # -- items -----------------------------------------------------------------------------

    def _state(self, event: _Event) -> _State:
        index = event.output_index
        if index is None:
            # Some vendors say the item's id only.
            index = self._indices.setdefault(event.item_id or "", len(self._states))
        state = self._states.get(index)
        if state is None:
            state = self._states[index] = _State(id=event.item_id or "")
        return state

    def _content_part(self, event: _Event) -> _Open | None:
        if event.output_index is None or not isinstance(event.delta, str):
            return None
        state = self._states.get(event.output_index)
        return state.parts.get(event.content_index) if state is not None else None

    def _opened(
        self, state: _State, slot: int, kind: Kind, *, id: str = "", name: str = "", redacted: bool = False
    ) -> Iterator[Event]:
        yield from self._start()
        opened = state.parts[slot] = _Open(self._next)
        self._next += 1
        yield Opened(opened.number, kind, id=id, name=name, redacted=redacted)

    def _told(self, opened: _Open, text: str) -> Iterator[Event]:
        if text:
            opened.sent += len(text)
            yield Delta(opened.number, text)

    def _closed(self, state: _State) -> Iterator[Event]:
        for opened in state.parts.values():
            yield Closed(opened.number)
        state.parts.clear()
        state.done = True

    def _said(self, kind: Kind, event: _Event) -> Iterator[Event]:
        state, text = self._state(event), _text(event.delta)
        if state.done or not text:
            return
        state.type = "message"
        if event.content_index not in state.parts:
            yield from self._opened(state, event.content_index, kind)
        yield from self._told(state.parts[event.content_index], text)

    def _thought(self, event: _Event) -> Iterator[Event]:
        state, text = self._state(event), _text(event.delta)
        if state.done or not text:
            return
        state.type = "reasoning"
        summary = "summary" in event.type
        section = ("summary", event.summary_index) if summary else ("text", event.content_index)
        if 0 not in state.parts:
            yield from self._opened(state, 0, "reasoning")
        elif state.section is not None and state.section != section:
            if state.section[0] != section[0]:
                # Summary and full text of one item: the one that came first is told.
                return
            text = "\n\n" + text
        state.section = section
        yield from self._told(state.parts[0], text)

    def _argued(self, event: _Event, *, custom: bool) -> Iterator[Event]:
        state, text = self._state(event), _text(event.delta)
        if state.done:
            return
        if not state.parts:
            state.type = state.type or ("custom_tool_call" if custom else "function_call")
            state.early.append(text)
            return
        yield from self._told(state.parts[0], text)

    def _annotated(self, event: _Event) -> Iterator[Event]:
        state = self._state(event)
        opened = state.parts.get(event.content_index)
        if opened is None or state.type != "message":
            return
        yield from self._cited(opened, [msgspec.convert(event.annotation, Annotation)])

    def _cited(self, opened: _Open, annotations: Iterable[Annotation] | None) -> Iterator[Event]:
        for cited in items.citations(annotations):
            if cited not in opened.cited:
                opened.cited.add(cited)
                yield Cited(opened.number, cited)

    def _added(self, event: _Event, raw: Raw) -> Iterator[Event]:
        item = items.item(raw)
        state = self._state(event)
        if state.done or state.parts:
            return
        state.type, state.id, state.seal = item.type, item.id or "", item.encrypted_content
        if event.output_index is not None and item.id:
            self._indices[item.id] = event.output_index
        if item.type in ("function_call", "custom_tool_call") and item.name:
            yield from self._call(state, item)

    def _call(self, state: _State, item: Item) -> Iterator[Event]:
        self._calls = True
        kind: Kind = "custom_tool_call" if item.type == "custom_tool_call" else "tool_call"
        yield from self._opened(state, 0, kind, id=item.call_id or item.id or "", name=item.name or "")
        yield from self._told(state.parts[0], "".join(state.early))
        state.early.clear()

    def _done(self, state: _State, raw: Raw) -> Iterator[Event]:
        """Tell what of an item has not been told yet, and close it."""
        if state.done:
            return
        item = items.item(raw)
        state.type, state.id = item.type, item.id or state.id
        match item.type:
            case "message":
                yield from self._message(state, item)
            case "reasoning":
                yield from self._reasoning(state, item)
            case "function_call" | "custom_tool_call":
                if not state.parts:
                    yield from self._call(state, item)
                opened = state.parts[0]
                yield from self._told(opened, items.arguments(item)[opened.sent :])
            case _:
                self._used.note(raw)
                for part in items.parts(raw):
                    yield from self._start()
                    yield Whole(self._next, part)  # type: ignore[arg-type]  # an item that is no text, call or thought
                    self._next += 1
        yield from self._closed(state)

    def _message(self, state: _State, item: Item) -> Iterator[Event]:
        for index, content in enumerate(items.content(item)):
            text = content.refusal if content.type == "refusal" else content.text
            if not text:
                continue
            if index not in state.parts:
                yield from self._opened(state, index, "refusal" if content.type == "refusal" else "text")
            opened = state.parts[index]
            yield from self._told(opened, text[opened.sent :])
            if content.type != "refusal":
                yield from self._cited(opened, content.annotations)

    def _reasoning(self, state: _State, item: Item) -> Iterator[Event]:
        if not item.encrypted_content:
            item.encrypted_content = state.seal
        text, seal = items.thought(item), items.seal(item)
        if 0 not in state.parts:
            if not text and seal is None:
                return
            yield from self._opened(state, 0, "reasoning", redacted=not text)
            yield from self._told(state.parts[0], text)
        if seal is not None:
            yield Sealed(state.parts[0].number, seal)

    # -- the end -----------------------------------------------------------------------------

    def _end(self, raw: Raw) -> Iterator[Event]:
        answer = _ANSWER.decode(raw)
        yield from self._start(answer)
        for index, output in enumerate(answer.output or ()):
            state = self._match(index, items.item(output))
            if state is not None:
                yield from self._done(state, output)
        for index, state in self._states.items():
            if state.done:
                continue
            if state.early and not state.parts:
                # Arguments whose call never came: it gets an id, so that they are not lost.
                yield from self._call(state, Item(type=state.type, id=state.id or f"call_output_{index}"))
            if state.seal and state.type == "reasoning":
                yield from self._reasoning(state, Item(type="reasoning", id=state.id, encrypted_content=state.seal))
            yield from self._closed(state)
        yield Finished(_finish(answer, self._calls))
        if answer.usage is not None:
            yield Metered(items.usage(answer.usage, self._used, answer.tools or ()))
        self._ended = True

    def _match(self, index: int, item: Item) -> _State | None:
        """The item of the stream that is the `index`th of the closing event; None when it has been told already.

        The two orders are the same at OpenAI; where they are not, ids say which is which, and a kind of item that was
        streamed at all was streamed whole.
        """
        if item.id:
            for state in self._states.values():
                if state.id == item.id:
                    return state
        state = self._states.get(index)
        if state is not None and state.type == item.type:
            return state
        if any(s.type == item.type for s in self._states.values()):
            return None
        place = max(self._states, default=-1) + 1 if state is not None else index
        state = self._states[place] = _State(item.type, item.id or "")
        return state


def _error(data: bytes) -> UpstreamError:
    decoded: Any = msgspec.json.decode(data)
    found = error_in(decoded)
    if found is not None:
        return found
    # The documented `error` event says code and message beside its type, in no object of their own.
    said = cast("dict[str, Any]", decoded) if isinstance(decoded, dict) else {}
    message, code, param = said.get("message"), said.get("code"), said.get("param")
    return UpstreamError(
        message if isinstance(message, str) and message else "the upstream said that the response failed",
        kind="error_event",
        upstream_status=200,
        code=code if isinstance(code, str) and code else None,
        param=param if isinstance(param, str) else "",
    )


def _text(delta: Any) -> str:
    return delta if isinstance(delta, str) else ""
