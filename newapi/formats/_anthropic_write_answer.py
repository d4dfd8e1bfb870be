"""Answers in Anthropic's words, whole and in events.

The events' grammar: one block is open at a time, and blocks are numbered from 0 in the order they begin.
Source: https://docs.claude.com/en/api/streaming
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec
from msgspec import Raw

from newapi.formats import _anthropic_usage as usages
from newapi.formats._anthropic_blocks import ORIGIN
from newapi.formats._anthropic_errors import error_frame
from newapi.formats._anthropic_turns import safe_id
from newapi.formats._openai_media import markdown
from newapi.formats.contract import WriterOptions
from newapi.frames import sse
from newapi.ir.arguments import as_object
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
from newapi.ir.request import Citation, Media, Native, Part, Reasoning, Refusal, Text, ToolCall, ToolResult
from newapi.ir.response import Choice, Finish, Response
from newapi.ir.seal import Seal, pack
from newapi.ir.usage import Usage

Json = dict[str, Any]

KEEPALIVE = b'event: ping\ndata: {"type": "ping"}\n\n'
_REASONS: Mapping[Finish, str] = {
    "stop": "end_turn",
    "length": "max_tokens",
    "tool_calls": "tool_use",
    "filter": "refusal",
    "stop_sequence": "stop_sequence",
    "pause": "pause_turn",
    "context": "model_context_window_exceeded",
}
_ENCODE = msgspec.json.Encoder().encode


def _message(id: str, model: str, content: list[Json | Raw], usage: Json) -> Json:
    return {
        "id": id,
        "type": "message",
        "role": "assistant",
        "model": model,
        "content": content,
        "stop_reason": None,
        "stop_sequence": None,
        "usage": usage,
    }


# -- whole ------------------------------------------------------------------------------


def write_response(response: Response, options: WriterOptions) -> bytes:
    """Return a whole answer: the first alternative, as Anthropic knows no others."""
    choice = response.choices[0] if response.choices else Choice(())
    content: list[Json | Raw] = []
    for part in choice.parts:
        content += _blocks(part)
    usage = response.usage or Usage(input=options.prompt_tokens)
    id = response.id or f"msg_{options.request_id}"
    body = _message(id, response.model or options.model, content, usages.write(usage))
    body["stop_reason"] = _REASONS[choice.finish]
    body["stop_sequence"] = choice.stop_sequence or None
    return _ENCODE(body)


def _blocks(part: Part) -> list[Json | Raw]:
    match part:
        case Text():
            if not part.text:
                return []
            cited = [c for c in map(_citation, part.citations) if c is not None]
            return [{"type": "text", "text": part.text, **({"citations": cited} if cited else {})}]
        case Refusal():
            return [{"type": "text", "text": part.text}] if part.text else []
        case Reasoning():
            return _reasoning(part.text, part.seal, redacted=part.redacted)
        case ToolCall():
            given = as_object(part.args, custom=part.custom)
            call: Json = {"type": "tool_use", "id": safe_id(part.id), "name": part.name, "input": given}
            return [*_seal_of_call(part.seal), call]
        case Media():
            return [{"type": "text", "text": shown}] if (shown := _shown(part)) else []
        case Native():
            return [part.body] if part.origin == ORIGIN else []
        case ToolResult():
            return []


def _reasoning(text: str, seal: Seal | None, *, redacted: bool) -> list[Json | Raw]:
    if seal is None:
        return [{"type": "thinking", "thinking": text, "signature": ""}] if text else []
    slot = pack(seal, ORIGIN)
    if redacted and not text:
        return [{"type": "redacted_thinking", "data": slot}]
    return [{"type": "thinking", "thinking": text, "signature": slot}]


def _seal_of_call(seal: Seal | None) -> list[Json | Raw]:
    """A call has no slot for its seal, which Gemini wants back: a block before it, which clients send back, has it."""
    return [] if seal is None else [{"type": "redacted_thinking", "data": pack(seal, ORIGIN)}]


def _shown(media: Media) -> str:
    """Anthropic answers with text only: a picture is shown as Markdown, a sound by what it says."""
    return media.transcript if media.kind == "audio" and media.transcript else markdown(media)


def _citation(citation: Citation) -> Json | None:
    """Return a source on the web; one inside a document cannot be told without the document's place in the request."""
    if not citation.url:
        return None
    return {
        "type": "web_search_result_location",
        "url": citation.url,
        "title": citation.title,
        "cited_text": citation.text,
        "encrypted_index": "",
    }


# -- in events ----------------------------------------------------------------------------


_DELTA = b'event: content_block_delta\ndata: {"type":"content_block_delta","index":%d,"delta":%s'
_HEADS: Mapping[Kind, bytes] = {
    "text": b'{"type":"text_delta","text":',
    "refusal": b'{"type":"text_delta","text":',
    "reasoning": b'{"type":"thinking_delta","thinking":',
    "tool_call": b'{"type":"input_json_delta","partial_json":',
    "custom_tool_call": b'{"type":"input_json_delta","partial_json":',
}
_END = b"}}\n\n"
_STOP = b'event: message_stop\ndata: {"type":"message_stop"}\n\n'


class _Block:
    """The active part: what of it has not been written yet."""

    __slots__ = ("begun", "held", "opened", "seal")

    def __init__(self, opened: Opened) -> None:
        self.opened = opened
        self.seal: Seal | None = None
        self.held: list[str] = []
        """The first fragment of a call, until it is sure that no seal comes; all of a custom tool's text."""
        self.begun = False


class Writer:
    """Events in, Messages events out.

    The part that was opened first is written as it comes; what comes of others waits until it is closed. A block
    begins with its first text, so that no empty one is written; `message_start` comes with the first part, so that it
    has the usage of the prompt where the upstream states that first.
    """

    def __init__(self, options: WriterOptions) -> None:
        self._options = options
        self._id = f"msg_{options.request_id}"
        self._model = options.model
        self._usage: Usage | None = None
        self._finish = Finished("stop")
        self._announced = self._failed = False
        self._index = 0
        self._active: _Block | None = None
        self._part = -1
        self._head = b""
        """What comes before the text of a delta of the active part; empty while it has no block."""
        self._waiting: dict[int, list[Event]] = {}

    def write(self, event: Event) -> bytes:
        """Return the event, `b""` when it has no form of its own or must wait."""
        if type(event) is Delta and event.part == self._part and self._head:
            return self._head + _ENCODE(event.text) + _END if event.text else b""
        match event:
            case Started():
                self._id = event.id or self._id
                self._model = event.model or self._model
            case Metered():
                self._usage = event.usage
            case Finished():
                if event.choice == 0:
                    self._finish = event
            case Failed():
                self._failed = True
                return error_frame(event.error, self._options.request_id)
            case Opened() | Whole():
                # Anthropic gives one alternative; what comes of others is of no open part here.
                return self._announce() + self._begin_part(event) if event.choice == 0 else b""
            case Delta() | Sealed() | Cited() | Closed():
                if event.part == self._part:
                    out = self._tell(event)
                    return out + self._drain() if self._active is None and self._waiting else out
                if event.part in self._waiting:
                    self._waiting[event.part].append(event)
        return b""

    def close(self) -> bytes:
        """Return why it ended, the usage, and the end; nothing after an error."""
        if self._failed:
            return b""
        out = [self._announce(), self._drain()]
        while self._active is not None:
            out += [self._tell(Closed(self._part)), self._drain()]
        body = {
            "type": "message_delta",
            "delta": {
                "stop_reason": _REASONS[self._finish.finish],
                "stop_sequence": self._finish.stop_sequence or None,
            },
            "usage": usages.write(self._usage or Usage(input=self._options.prompt_tokens), delta=True),
        }
        return b"".join((*out, sse.write(_ENCODE(body), "message_delta"), _STOP))

    def _announce(self) -> bytes:
        if self._announced:
            return b""
        self._announced = True
        usage = usages.write(self._usage or Usage(input=self._options.prompt_tokens))
        message = _message(self._id, self._model, [], {**usage, "output_tokens": 0})
        return sse.write(_ENCODE({"type": "message_start", "message": message}), "message_start")

    # -- whose turn it is -----------------------------------------------------------------

    def _begin_part(self, event: Opened | Whole) -> bytes:
        if self._active is not None:
            self._waiting[event.part] = [event]
            return b""
        return self._tell(event)

    def _drain(self) -> bytes:
        """Write what has waited, up to a part that is still open."""
        out: list[bytes] = []
        while self._active is None and self._waiting:
            part = next(iter(self._waiting))
            out += [self._tell(event) for event in self._waiting.pop(part)]
        return b"".join(out)

    # -- the active part --------------------------------------------------------------------

    def _tell(self, event: Event) -> bytes:
        block = self._active
        match event:
            case Opened():
                self._active = _Block(event)
                self._part = event.part
            case Whole():
                return b"".join(self._whole(made) for made in _blocks(event.value))
            case Delta() if block is not None:
                return self._text(block, event.text)
            case Sealed() if block is not None:
                block.seal = event.seal
            case Cited() if block is not None:
                cited = _citation(event.citation)
                if cited is not None:
                    body = {"type": "citations_delta", "citation": cited}
                    return self._begun(block) + _DELTA % (self._index - 1, _ENCODE(body)) + b"}\n\n"
            case Closed() if block is not None:
                out = self._end(block)
                self._active = None
                self._part = -1
                self._head = b""
                return out
            case _:
                pass
        return b""

    def _text(self, block: _Block, text: str) -> bytes:
        if not text:
            return b""
        kind = block.opened.kind
        if kind == "custom_tool_call" or (kind == "tool_call" and not block.begun and not block.held):
            block.held.append(text)
            return b""
        return self._begun(block) + self._head + _ENCODE(text) + _END

    def _begun(self, block: _Block) -> bytes:
        """Return the start of the block and what is held of it; nothing where it has begun."""
        if block.begun:
            return b""
        block.begun = True
        opened = block.opened
        out = b""
        match opened.kind:
            case "text" | "refusal":
                start: Json = {"type": "text", "text": ""}
            case "reasoning":
                start = {"type": "thinking", "thinking": "", "signature": ""}
            case "tool_call" | "custom_tool_call":
                out = b"".join(self._whole(made) for made in _seal_of_call(block.seal))
                start = {"type": "tool_use", "id": safe_id(opened.id), "name": opened.name, "input": {}}
        out += self._start(start)
        self._head = _DELTA % (self._index - 1, _HEADS[opened.kind])
        if block.held:
            out += self._head + _ENCODE("".join(block.held)) + _END
            block.held = []
        return out

    def _end(self, block: _Block) -> bytes:
        kind = block.opened.kind
        out = b""
        if kind == "custom_tool_call":
            block.held = [_ENCODE({"input": "".join(block.held)}).decode()]
        if kind in ("tool_call", "custom_tool_call"):
            out = self._begun(block)
        elif kind == "reasoning" and block.seal is not None:
            if block.opened.redacted and not block.begun:
                return b"".join(self._whole(made) for made in _reasoning("", block.seal, redacted=True))
            signed = _ENCODE({"type": "signature_delta", "signature": pack(block.seal, ORIGIN)})
            out = self._begun(block) + _DELTA % (self._index - 1, signed) + b"}\n\n"
        return out + self._stop() if block.begun else out

    def _whole(self, made: Json | Raw) -> bytes:
        if isinstance(made, dict) and made["type"] == "text":
            start = self._start({"type": "text", "text": ""})
            return start + _DELTA % (self._index - 1, _HEADS["text"]) + _ENCODE(made["text"]) + _END + self._stop()
        return self._start(made) + self._stop()

    def _start(self, block: Json | Raw) -> bytes:
        body = {"type": "content_block_start", "index": self._index, "content_block": block}
        self._index += 1
        return sse.write(_ENCODE(body), "content_block_start")

    def _stop(self) -> bytes:
        return sse.write(b'{"type":"content_block_stop","index":%d}' % (self._index - 1), "content_block_stop")
