"""Chat completions written: whole answers and chunks. Source: https://platform.openai.com/docs/api-reference/chat/object"""

from __future__ import annotations

from typing import Any, assert_never

import msgspec

from newapi.base.errors import NewapiError
from newapi.formats import _openai_seals as seals
from newapi.formats import _openai_usage as usage_object
from newapi.formats._openai_errors import write_error
from newapi.formats._openai_media import markdown
from newapi.formats.contract import WriterOptions
from newapi.frames import sse
from newapi.ir.events import (
    Cited,
    Closed,
    Delta,
    Event,
    Failed,
    Finished,
    Metered,
    Opened,
    Sealed,
    Started,
    Whole,
)
from newapi.ir.request import (
    Citation,
    Inline,
    Media,
    Native,
    Part,
    Reasoning,
    Refusal,
    Text,
    ToolCall,
    ToolResult,
)
from newapi.ir.response import Choice, Finish, Response
from newapi.ir.seal import Seal
from newapi.ir.usage import Usage

ORIGIN = "openai_chat"
ENDING = b"data: [DONE]\n\n"

FINISH: dict[Finish, str] = {
    "stop": "stop",
    "stop_sequence": "stop",
    "pause": "stop",
    "length": "length",
    "context": "length",
    "tool_calls": "tool_calls",
    "filter": "content_filter",
}
"""OpenAI's words for why an answer ended."""

_encode = msgspec.json.Encoder().encode
_NO_TEXT = b',"finish_reason":null,"logprobs":null}]}\n\n'


def identity(id: str, model: str, created: int, options: WriterOptions, prefix: str) -> tuple[str, str, int]:
    """Return (id, model, created) with what the upstream did not say filled in."""
    return id or f"{prefix}-{options.request_id}", model or options.model, created or options.created


class Writer:
    """Events in, chunks out. What every chunk of a part begins with is encoded once."""

    __slots__ = (
        "_calls",
        "_created",
        "_head",
        "_heads",
        "_id",
        "_kinds",
        "_model",
        "_options",
        "_places",
        "_roles",
        "_thoughts",
        "_usage",
    )

    def __init__(self, options: WriterOptions) -> None:
        self._options = options
        self._id, self._model, self._created = identity("", "", 0, options, "chatcmpl")
        self._head = b""
        self._heads: dict[int, tuple[bytes, bytes]] = {}
        self._kinds: dict[int, Opened] = {}
        self._thoughts: dict[int, tuple[list[str], Seal | None]] = {}
        self._calls: dict[int, int] = {}  # how many a choice has
        self._places: dict[int, int] = {}  # which of its choice's calls a part is
        self._roles: set[int] = set()
        self._usage: Usage | None = None

    def write(self, event: Event) -> bytes:
        """Return the chunk that says `event`; a sealed thought is said once more, whole, when it ends."""
        if type(event) is Delta:
            head, tail = self._heads[event.part]
            if event.part in self._thoughts:
                self._thoughts[event.part][0].append(event.text)
            return head + _encode(event.text) + tail
        match event:
            case Started():
                return self._start(event)
            case Opened():
                return self._open(event)
            case Sealed():
                return self._seal(event)
            case Cited():
                return self._chunk(self._kinds[event.part].choice, {"annotations": [annotation(event.citation)]})
            case Closed():
                return self._close_part(event.part)
            case Whole():
                return self._whole(event)
            case Finished():
                return self._role(event.choice) + self._chunk(event.choice, {}, FINISH[event.finish])
            case Metered():
                self._usage = event.usage
                return b""
            case Failed():
                return error_frame(event.error, self._options.request_id)
            case Delta():
                return b""  # a delta was told above
            case _:
                assert_never(event)

    def close(self) -> bytes:
        """Return the usage, where it is wanted, and `[DONE]`."""
        if self._usage is None or not self._options.include_usage:
            return ENDING
        return _usage_chunk(self._usage, self._id, self._model, self._created, "chat.completion.chunk") + ENDING

    def _start(self, event: Started) -> bytes:
        self._id, self._model, self._created = identity(event.id, event.model, event.created, self._options, "chatcmpl")
        # The choice's own object goes between this and the tail.
        named = {"id": self._id, "object": "chat.completion.chunk", "created": self._created, "model": self._model}
        self._head = b"data: " + _encode(named)[:-1] + b',"choices":[{"index":'
        return self._role(0)

    def _role(self, choice: int) -> bytes:
        if choice in self._roles:
            return b""
        self._roles.add(choice)
        return self._chunk(choice, {"role": "assistant", "content": ""})

    def _chunk(self, choice: int, delta: dict[str, Any], finish: str | None = None) -> bytes:
        rest = _encode({"delta": delta, "finish_reason": finish, "logprobs": None})
        return self._head + b"%d," % choice + rest[1:] + b"]}\n\n"

    def _open(self, event: Opened) -> bytes:
        self._kinds[event.part] = event
        out = self._role(event.choice)
        begin = self._head + b'%d,"delta":{' % event.choice
        match event.kind:
            case "text":
                self._heads[event.part] = (begin + b'"content":', b"}" + _NO_TEXT)
            case "reasoning":
                self._heads[event.part] = (begin + b'"reasoning_content":', b"}" + _NO_TEXT)
                self._thoughts[event.part] = ([], None)
            case "refusal":
                self._heads[event.part] = (begin + b'"refusal":', b"}" + _NO_TEXT)
            case "tool_call" | "custom_tool_call":
                out += self._open_call(event, begin)
        return out

    def _open_call(self, event: Opened, begin: bytes) -> bytes:
        index = self._calls.get(event.choice, 0)
        self._calls[event.choice] = index + 1
        self._places[event.part] = index
        kind, slot = ("function", "arguments") if event.kind == "tool_call" else ("custom", "input")
        fragment = b'"tool_calls":[{"index":%d,"%s":{"%s":' % (index, kind.encode(), slot.encode())
        self._heads[event.part] = (begin + fragment, b"}}]}" + _NO_TEXT)
        call = {"index": index, "id": event.id, "type": kind, kind: {"name": event.name, slot: ""}}
        return self._chunk(event.choice, {"tool_calls": [call]})

    def _seal(self, event: Sealed) -> bytes:
        opened = self._kinds[event.part]
        match opened.kind:
            case "reasoning":
                self._thoughts[event.part] = (self._thoughts[event.part][0], event.seal)
                return b""
            case "tool_call" | "custom_tool_call":
                kind = "function" if opened.kind == "tool_call" else "custom"
                place = self._places[event.part]
                call = {"index": place, kind: {}, "extra_content": seals.extra_content(event.seal)}
                return self._chunk(opened.choice, {"tool_calls": [call]})
            case "text" | "refusal":
                return self._chunk(opened.choice, {"extra_content": seals.extra_content(event.seal)})

    def _close_part(self, part: int) -> bytes:
        opened = self._kinds.pop(part)
        del self._heads[part]
        texts, seal = self._thoughts.pop(part, ([], None))
        if seal is None:
            return b""
        entries = seals.entries(Reasoning("".join(texts), seal), part)
        return self._chunk(opened.choice, {"reasoning_details": entries})

    def _whole(self, event: Whole) -> bytes:
        value = event.value
        if isinstance(value, Native):
            return b""
        out = self._role(event.choice)
        if value.kind == "audio":
            return out + self._chunk(event.choice, {"audio": audio(value, self._id)})
        text = markdown(value)
        return out + self._chunk(event.choice, {"content": text}) if text else out


def write_response(response: Response, options: WriterOptions) -> bytes:
    """Return a whole chat completion."""
    id, model, created = identity(response.id, response.model, response.created, options, "chatcmpl")
    body: dict[str, Any] = {
        "id": id,
        "object": "chat.completion",
        "created": created,
        "model": model,
        "choices": [_choice(c, i, id) for i, c in enumerate(response.choices)],
    }
    if response.usage is not None:
        body["usage"] = usage_object.write(response.usage)
    return _encode(body)


def _choice(choice: Choice, index: int, id: str) -> dict[str, Any]:
    text: list[str] = []
    thoughts: list[Reasoning] = []
    calls: list[dict[str, Any]] = []
    annotations: list[dict[str, Any]] = []
    more: dict[str, Any] = {}
    for part in choice.parts:
        _tell(part, id, text, thoughts, calls, annotations, more)
    content = "".join(text)
    message: dict[str, Any] = {"role": "assistant", "content": content if content or not calls else None}
    if thoughts:
        message["reasoning_content"] = "".join(t.text for t in thoughts)
        if any(t.seal for t in thoughts):
            message["reasoning_details"] = [e for i, t in enumerate(thoughts) for e in _entries(t, i)]
    if calls:
        message["tool_calls"] = calls
    if annotations:
        message["annotations"] = annotations
    return {
        "index": index,
        "message": message | more,
        "finish_reason": FINISH[choice.finish],
        "logprobs": None,
    }


def _tell(
    part: Part,
    id: str,
    text: list[str],
    thoughts: list[Reasoning],
    calls: list[dict[str, Any]],
    annotations: list[dict[str, Any]],
    more: dict[str, Any],
) -> None:
    match part:
        case Text():
            text.append(part.text)
            annotations += [annotation(c) for c in part.citations]
            if part.seal is not None:
                more["extra_content"] = seals.extra_content(part.seal)
        case Reasoning():
            thoughts.append(part)
        case Refusal():
            more["refusal"] = more.get("refusal", "") + part.text
        case ToolCall():
            calls.append(_call(part))
        case Media():
            if part.kind == "audio":
                more["audio"] = audio(part, id)
            else:
                text.append(markdown(part))
        case Native() | ToolResult():
            pass  # a vendor's own part has no place in a message
        case _:
            assert_never(part)


def _entries(thought: Reasoning, index: int) -> list[dict[str, Any]]:
    """Every thought has an entry where one is sealed, so that their order can be told."""
    return seals.entries(thought, index) or [{"type": "reasoning.text", "text": thought.text, "index": index}]


def _call(call: ToolCall) -> dict[str, Any]:
    if call.custom:
        out: dict[str, Any] = {"id": call.id, "type": "custom", "custom": {"name": call.name, "input": call.args}}
    else:
        function = {"name": call.name, "arguments": call.args or "{}"}
        out = {"id": call.id, "type": "function", "function": function}
    return out | ({"extra_content": seals.extra_content(call.seal)} if call.seal is not None else {})


def annotation(citation: Citation) -> dict[str, Any]:
    """Return a source as OpenAI's `url_citation`; offsets that nobody said are left out."""
    out: dict[str, Any] = {"url": citation.url, "title": citation.title}
    if citation.text:
        out["content"] = citation.text
    if citation.start >= 0:
        out["start_index"] = citation.start
    if citation.end >= 0:
        out["end_index"] = citation.end
    return {"type": "url_citation", "url_citation": out}


def audio(media: Media, id: str) -> dict[str, Any]:
    """Return a produced sound; one without an id gets one from the answer's."""
    data = media.source.data if isinstance(media.source, Inline) else ""
    return {"id": media.id or f"audio_{id}", "data": data, "transcript": media.transcript, "expires_at": 0}


def usage_frame(usage: Usage, options: WriterOptions) -> bytes:
    """Return the closing chunk that has usage and no choices."""
    id, model, created = identity("", "", 0, options, "chatcmpl")
    return _usage_chunk(usage, id, model, created, "chat.completion.chunk")


def _usage_chunk(usage: Usage, id: str, model: str, created: int, object: str) -> bytes:
    body: dict[str, Any] = {"id": id, "object": object, "created": created, "model": model, "choices": []}
    return sse.write(_encode(body | {"usage": usage_object.write(usage)}))


def error_frame(error: NewapiError, request_id: str) -> bytes:
    """Return the error as one event, and the end of the stream."""
    return sse.write(write_error(error, request_id)) + ENDING
