"""Chat completions (and legacy completions) read: whole answers and chunks, as vendors really send them.

A whole answer is read as a stream of one chunk, so that both understand the same.
Sources: https://platform.openai.com/docs/api-reference/chat/object, …/chat-streaming; vendors' own where it is said.
"""

from __future__ import annotations

import binascii
from contextlib import suppress
from typing import Any, cast

import msgspec
from msgspec import Struct

from newapi.base.errors import UpstreamError
from newapi.formats import _openai_seals as seals
from newapi.formats import _openai_usage as usage_object
from newapi.formats._openai_errors import error_in
from newapi.formats._openai_media import image_of, source_of
from newapi.formats._openai_usage import as_dict, as_int
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
from newapi.ir.fold import fold
from newapi.ir.request import Citation, Inline, Media, Native
from newapi.ir.response import Finish, Response
from newapi.ir.seal import Seal
from newapi.ir.usage import Usage

ORIGIN = "openai_chat"

FINISH: dict[str, Finish] = {
    "stop": "stop",
    "end_turn": "stop",
    "eos": "stop",
    "stop_sequence": "stop_sequence",
    "length": "length",
    "max_tokens": "length",
    "insufficient_system_resource": "length",  # DeepSeek: it ran out of machines in the middle
    "tool_calls": "tool_calls",
    "tool_use": "tool_calls",
    "function_call": "tool_calls",
    "content_filter": "filter",
    "sensitive": "filter",  # Zhipu
    "refusal": "filter",
    "model_length": "context",  # Mistral
    "model_context_window_exceeded": "context",
}
"""What a finish reason means; what is not here is `stop`."""

_BROKEN = ("error", "network_error")  # OpenRouter's, Zhipu's


class _Delta(Struct, gc=False):
    """A delta or a message. Every value may be anything: vendors differ, and null stands for nothing."""

    content: Any = None
    reasoning_content: Any = None
    reasoning: Any = None
    reasoning_details: Any = None
    tool_calls: Any = None
    function_call: Any = None
    refusal: Any = None
    annotations: Any = None
    images: Any = None
    audio: Any = None
    extra_content: Any = None


class _Choice(Struct, gc=False):
    index: Any = 0
    delta: _Delta | None = None
    message: _Delta | None = None
    text: Any = None
    finish_reason: Any = None
    stop_reason: Any = None
    usage: Any = None
    error: Any = None


class _Chunk(Struct, gc=False):
    id: Any = None
    model: Any = None
    created: Any = None
    choices: list[_Choice] | None = None
    usage: Any = None
    error: Any = None
    base_resp: Any = None
    timings: Any = None
    x_groq: Any = None
    citations: Any = None
    search_results: Any = None


_decode = msgspec.json.Decoder(_Chunk).decode


class _Call:
    """A tool call that is arriving. `part` is -1 until its name is known; its arguments wait until then."""

    __slots__ = ("args", "id", "kind", "name", "part")

    def __init__(self, id: str, kind: Kind) -> None:
        self.part = -1
        self.id = id
        self.name = ""
        self.kind: Kind = kind
        self.args = ""


class _State:
    """One choice: which of its parts are open."""

    __slots__ = (
        "audio",
        "calls",
        "cited",
        "finish",
        "index",
        "last_call",
        "order",
        "part",
        "part_kind",
        "plain_alone",
        "sealed",
        "stop_sequence",
    )

    def __init__(self, index: int) -> None:
        self.index = index
        self.part = -1  # the open text, reasoning or refusal
        self.part_kind: Kind = "text"
        self.sealed = False
        self.calls: dict[object, _Call] = {}
        self.order: list[_Call] = []
        self.last_call: _Call | None = None
        self.plain_alone = False
        self.cited = False
        self.audio: list[dict[str, Any]] = []
        self.finish: str | None = None
        self.stop_sequence = ""


class Reader:
    """OpenAI chunks in, events out; it remembers which parts are open.

    `Finished` comes at the end of the stream, not with the finish reason: some vendors go on after one, or say a better
    one later. Tool calls stay open until then, as their fragments may come interleaved.
    """

    __slots__ = ("_calls", "_choices", "_created", "_done", "_failed", "_id", "_model", "_next", "_sources", "_started")

    def __init__(self) -> None:
        self._started = self._failed = self._done = False
        self._id = self._model = ""
        self._created = 0
        self._next = 0
        self._calls = 0
        self._choices: dict[int, _State] = {}
        self._sources: list[Citation] = []

    def feed(self, frame: Frame) -> list[Event]:
        """Return what one chunk says; `Failed` for an error object and for what is not a chunk."""
        data = frame.data
        if self._failed or self._done:
            return []
        if data[:6] == b"[DONE]":
            self._done = True
            return self._end()
        try:
            chunk = _decode(data)
        except (msgspec.DecodeError, UnicodeDecodeError):
            return self._nonsense(data)
        out: list[Event] = []
        choices = chunk.choices
        if chunk.error is not None or chunk.base_resp is not None or choices is None or frame.event == "error":
            error = error_in(msgspec.json.decode(data), 500 if frame.event == "error" else 200)
            if error is not None:
                error.kind = "error_event"
                return self._fail(error)
        if not self._started:
            self._start(chunk, out)
        for choice in choices or ():
            self._choice(choice, out)
            if self._failed:
                return out
        if chunk.usage is not None or chunk.timings is not None or chunk.x_groq is not None or choices:
            self._meter(chunk, out)
        if chunk.search_results or chunk.citations:
            self._sources = _sources(chunk.search_results) or _sources(chunk.citations) or self._sources
        return out

    def close(self) -> list[Event]:
        """Return the end: what `[DONE]` would have said after a finish reason, `Failed` (`cut`) without one."""
        if self._failed or self._done:
            return []
        self._done = True
        if not self._choices or any(s.finish is None for s in self._choices.values()):
            return self._fail(UpstreamError("the upstream's stream ended before its end", kind="cut"))
        return self._end()

    def end_whole(self) -> list[Event]:
        """Return the end of a whole answer, which may lack a finish reason."""
        return [] if self._failed else self._end()

    # -- beginnings and ends ----------------------------------------------------------

    def _start(self, chunk: _Chunk, out: list[Event]) -> None:
        """Azure's first chunk names nothing and has no choices: wait for the next."""
        self._id = chunk.id if isinstance(chunk.id, str) and chunk.id else self._id
        self._model = chunk.model if isinstance(chunk.model, str) and chunk.model else self._model
        self._created = as_int(chunk.created) or self._created
        if chunk.choices or chunk.usage is not None:
            self._started = True
            out.append(Started(self._id, self._model, self._created))

    def _end(self) -> list[Event]:
        if not self._choices:
            return self._fail(UpstreamError("the upstream's answer has no choices", kind="malformed"))
        out: list[Event] = []
        for state in self._choices.values():
            if state.index == 0 and not state.cited:
                out += [Cited(state.part, c) for c in self._sources if state.part >= 0 and state.part_kind == "text"]
            self._close_part(state, out)
            for call in state.order:
                if call.part < 0:
                    self._open_call(state, call, out)
                out.append(Closed(call.part))
            if state.audio:
                out.append(Whole(self._number(), _sound(state.audio), state.index))
            finish = FINISH.get(state.finish or "stop", "stop")
            if finish == "stop" and state.order:
                finish = "tool_calls"
            elif finish == "stop" and state.stop_sequence:
                finish = "stop_sequence"
            out.append(Finished(finish, state.index, state.stop_sequence if finish == "stop_sequence" else ""))
        return out

    def _fail(self, error: UpstreamError) -> list[Event]:
        self._failed = True
        return [Failed(error)]

    def _nonsense(self, data: bytes) -> list[Event]:
        if not data.strip():
            return []
        try:
            error = error_in(msgspec.json.decode(data), 500)
        except (msgspec.DecodeError, UnicodeDecodeError):
            error = None
        if error is None:
            return self._fail(UpstreamError("the upstream sent a chunk that makes no sense", kind="malformed"))
        error.kind = "error_event"
        return self._fail(error)

    def _meter(self, chunk: _Chunk, out: list[Event]) -> None:
        said = chunk.usage if chunk.usage is not None else as_dict(chunk.x_groq).get("usage")
        of_choices = [c.usage for c in chunk.choices or () if c.usage is not None]
        if said is None and not of_choices:
            return
        usage = usage_object.read(
            said if said is not None else of_choices[0], timings=chunk.timings, choices=of_choices
        )
        if usage is not None:
            out.append(Metered(usage))

    # -- one choice -------------------------------------------------------------------

    def _choice(self, choice: _Choice, out: list[Event]) -> None:
        index = choice.index if type(choice.index) is int else as_int(choice.index)
        state = self._choices.get(index)
        if state is None:
            state = self._choices[index] = _State(index)
        delta = choice.delta or choice.message
        if delta is not None:
            if delta.reasoning_content or delta.reasoning or delta.reasoning_details:
                self._reasoning(state, delta, out)
            if content := delta.content:
                if type(content) is str:
                    self._say(state, "text", content, out)
                else:
                    self._content(state, content, out)
            self._rest(state, delta, out)
        if isinstance(choice.text, str) and choice.text:
            self._say(state, "text", choice.text, out)
        if choice.finish_reason:
            self._finish(state, choice, out)

    def _rest(self, state: _State, delta: _Delta, out: list[Event]) -> None:
        if delta.tool_calls:
            calls = _list(delta.tool_calls) or [delta.tool_calls]
            for place, call in enumerate(calls):
                self._tool_call(state, as_dict(call), place, len(calls), out)
        if delta.function_call:
            call = as_dict(delta.function_call)
            self._tool_call(state, {"index": "function_call", "function": call}, 0, 1, out)
        if isinstance(delta.refusal, str) and delta.refusal:
            self._say(state, "refusal", delta.refusal, out)
        if delta.annotations:
            self._cite(state, [as_dict(a) for a in _list(delta.annotations)], out)
        for image in _list(delta.images):
            self._image(state, as_dict(image), out)
        if sound := as_dict(delta.audio):
            state.audio.append(sound)
        if delta.extra_content and (seal := seals.google(delta.extra_content)):
            out.append(Sealed(self._open(state, "text", out), seal))

    def _finish(self, state: _State, choice: _Choice, out: list[Event]) -> None:
        reason = choice.finish_reason
        state.finish = reason if isinstance(reason, str) else "stop"
        if state.finish in _BROKEN or choice.error:
            error = error_in({"error": choice.error}) if choice.error else None
            out += self._fail(error or UpstreamError("the upstream broke off its answer", kind="error_event"))
        # vLLM says which stop sequence was hit. Source: https://docs.vllm.ai/en/latest/serving/openai_compatible_server
        stop = choice.stop_reason
        if isinstance(stop, str) and stop not in FINISH:
            state.stop_sequence = stop

    # -- text, reasoning, refusal -----------------------------------------------------

    def _number(self) -> int:
        self._next += 1
        return self._next - 1

    def _say(self, state: _State, kind: Kind, text: str, out: list[Event]) -> None:
        if state.part >= 0 and state.part_kind == kind and not (state.sealed and kind == "reasoning"):
            out.append(Delta(state.part, text))
            return
        out.append(Delta(self._open(state, kind, out), text))

    def _open(self, state: _State, kind: Kind, out: list[Event], *, redacted: bool = False) -> int:
        """Return the open part of `kind`; a sealed thought is over, what follows is another."""
        if state.part >= 0 and state.part_kind == kind and not (state.sealed and kind == "reasoning"):
            return state.part
        self._close_part(state, out)
        state.part, state.part_kind = self._number(), kind
        out.append(Opened(state.part, kind, state.index, redacted=redacted))
        return state.part

    def _close_part(self, state: _State, out: list[Event]) -> None:
        if state.part >= 0:
            out.append(Closed(state.part))
            state.part, state.sealed = -1, False

    def _reasoning(self, state: _State, delta: _Delta, out: list[Event]) -> None:
        """Take texts from `reasoning_details` only where the plain field is not where they are told.

        OpenRouter says each piece in both at once; newapi says a thought whole when its seal comes, after its pieces.
        """
        plain = delta.reasoning_content or delta.reasoning
        plain = (
            plain if isinstance(plain, str) else seals.text_of(as_dict(plain)) or _str(as_dict(plain).get("content"))
        )
        details = [as_dict(e) for e in _list(delta.reasoning_details)]
        told = any(seals.text_of(e) for e in details)
        if plain and not told:
            state.plain_alone = True
            self._say(state, "reasoning", plain, out)
        for entry in details:
            text = seals.text_of(entry)
            if text and (plain or not state.plain_alone):
                self._say(state, "reasoning", text, out)
            if (seal := seals.seal_of(entry)) is not None:
                self._seal(state, seal, out)

    def _seal(self, state: _State, seal: Seal, out: list[Event]) -> None:
        is_open = state.part >= 0 and state.part_kind == "reasoning" and not state.sealed
        out.append(Sealed(self._open(state, "reasoning", out, redacted=not is_open), seal))
        state.sealed = True

    def _content(self, state: _State, content: Any, out: list[Event]) -> None:
        """Content as a list of parts: Mistral's thoughts, pictures in between. A number is a text."""
        if not isinstance(content, list):
            if not isinstance(content, dict | bool):
                self._say(state, "text", str(content), out)
                return
            content = [content]
        for part in cast("list[Any]", content):
            if isinstance(part, str):
                self._say(state, "text", part, out) if part else None
                continue
            part = as_dict(part)
            match part.get("type"):
                case "thinking":
                    thought = part.get("thinking")
                    texts = (
                        [thought]
                        if isinstance(thought, str)
                        else [_str(as_dict(t).get("text")) for t in _list(thought)]
                    )
                    for text in filter(None, texts):
                        self._say(state, "reasoning", text, out)
                case "image_url" | "image":
                    self._image(state, part, out)
                case _ if isinstance(text := part.get("text"), str):
                    if text:
                        self._say(state, "text", text, out)
                    self._cite(state, [as_dict(a) for a in _list(part.get("annotations"))], out)
                case _ if part:
                    self._close_part(state, out)
                    raw = msgspec.Raw(msgspec.json.encode(part))
                    out.append(Whole(self._number(), Native(ORIGIN, raw), state.index))
                case _:
                    pass

    def _image(self, state: _State, part: dict[str, Any], out: list[Event]) -> None:
        picture = image_of(part.get("image_url") or part.get("url"))
        if picture is None and isinstance(data := part.get("b64_json"), str):
            mime, source = source_of(data)
            picture = Media("image", mime or "image/png", source)
        if picture is not None:
            self._close_part(state, out)
            out.append(Whole(self._number(), picture, state.index))

    def _cite(self, state: _State, annotations: list[dict[str, Any]], out: list[Event]) -> None:
        for annotation in annotations:
            cited = as_dict(annotation.get("url_citation")) or annotation
            if not isinstance(url := cited.get("url"), str):
                continue
            citation = Citation(
                url=url,
                title=_str(cited.get("title")),
                text=_str(cited.get("content")),
                start=start if isinstance(start := cited.get("start_index"), int) else -1,
                end=end if isinstance(end := cited.get("end_index"), int) else -1,
            )
            state.cited = True
            out.append(Cited(self._open(state, "text", out), citation))

    # -- tool calls -------------------------------------------------------------------

    def _tool_call(self, state: _State, said: dict[str, Any], place: int, of: int, out: list[Event]) -> None:
        custom = as_dict(said.get("custom"))
        function = custom or as_dict(said.get("function"))
        id, name = _str(said.get("id")), _str(function.get("name"))
        index = said.get("index")
        index = index if isinstance(index, int | str) else None
        call = self._find_call(state, index, id, name, place, of)
        if call is None:
            call = _Call(id, "custom_tool_call" if custom else "tool_call")
            state.calls[index if index is not None else id or len(state.order)] = call
            state.order.append(call)
        state.last_call = call
        call.id = call.id or id
        call.name = call.name or name
        given = function.get("input") if custom else function.get("arguments")
        text = given if isinstance(given, str) else "" if given is None else msgspec.json.encode(given).decode()
        if call.part < 0 and call.name:
            self._open_call(state, call, out)
        if text:
            if call.part < 0:
                call.args += text
            else:
                out.append(Delta(call.part, text))
        if (seal := seals.google(said.get("extra_content"))) and call.part >= 0:
            out.append(Sealed(call.part, seal))

    def _find_call(
        self, state: _State, index: int | str | None, id: str, name: str, place: int, of: int
    ) -> _Call | None:
        """Return the call that a fragment goes on with, None for a new one.

        Some vendors number every call 0 and tell them apart by id; some give neither, and a name begins a call.
        """
        if index is not None:
            call = state.calls.get(index)
            return None if call is not None and id and name and call.id and call.id != id else call
        if id:
            return next((c for c in state.order if c.id == id), None)
        if name:
            return None
        if of > 1 and place < len(state.order):
            return state.order[place]
        return state.last_call

    def _open_call(self, state: _State, call: _Call, out: list[Event]) -> None:
        self._close_part(state, out)
        call.part = self._number()
        call.id = call.id or f"call_{self._calls}"
        self._calls += 1
        out.append(Opened(call.part, call.kind, state.index, call.id, call.name))
        if call.args:
            out.append(Delta(call.part, call.args))
            call.args = ""


def read_response(body: bytes) -> Response:
    """Return a whole answer.

    Raises:
        UpstreamError: It is an error (`error_event`), or makes no sense (`malformed`).
    """
    reader = Reader()
    events = reader.feed(Frame("", body)) if body.strip() else []
    return fold([*events, *reader.end_whole()])


class _Metered(Struct, gc=False):
    choices: list[_ChoiceUsage] | None = None
    usage: Any = None
    error: Any = None
    base_resp: Any = None
    timings: Any = None


class _ChoiceUsage(Struct, gc=False):
    usage: Any = None


_decode_metered = msgspec.json.Decoder(_Metered).decode


def read_usage(body: bytes) -> Usage | None:
    """Return the usage that a whole answer states, None when it states none or zeros.

    Raises:
        UpstreamError: The answer is an error, or has no choices.
    """
    try:
        said = _decode_metered(body)
    except (msgspec.DecodeError, UnicodeDecodeError):
        said = _Metered()
    if not said.choices or said.error is not None or said.base_resp is not None:
        try:
            error = error_in(msgspec.json.decode(body))
        except (msgspec.DecodeError, UnicodeDecodeError):
            error = None
        if error is not None:
            raise error
        if not said.choices:
            raise UpstreamError("the upstream's answer has no choices", kind="malformed")
    of_choices = [c.usage for c in said.choices or () if c.usage is not None]
    whole = said.usage if said.usage is not None else next(iter(of_choices), None)
    return usage_object.read(whole, timings=said.timings, choices=of_choices)


def _sound(pieces: list[dict[str, Any]]) -> Media:
    """Join the pieces of a produced sound: each is base64 of its own."""
    data = [d for p in pieces if isinstance(d := p.get("data"), str)]
    if len(data) > 1 and any(d.endswith("=") for d in data[:-1]):
        with suppress(binascii.Error):  # what is not base64 is handed on as it came
            data = [binascii.b2a_base64(b"".join(map(binascii.a2b_base64, data)), newline=False).decode()]
    return Media(
        "audio",
        "",
        Inline("".join(data)),
        transcript="".join(_str(p.get("transcript")) for p in pieces),
        id=next((i for p in pieces if (i := _str(p.get("id")))), ""),
    )


def _sources(listed: Any) -> list[Citation]:
    """Perplexity's and xAI's sources of the whole answer: URLs, or objects. Source: https://docs.perplexity.ai"""
    out: list[Citation] = []
    for source in _list(listed):
        if isinstance(source, str):
            out.append(Citation(source))
        elif url := _str(as_dict(source).get("url")):
            out.append(Citation(url, _str(as_dict(source).get("title"))))
    return out


def _list(value: Any) -> list[Any]:
    return cast("list[Any]", value) if isinstance(value, list) else []


def _str(value: Any) -> str:
    return value if isinstance(value, str) else ""
