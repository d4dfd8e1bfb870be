"""An answer in Anthropic's words, whole or as events."""

from __future__ import annotations

from typing import Any

import msgspec

from newapi.formats._anthropic_errors import error_frame
from newapi.formats.contract import WriterOptions
from newapi.frames import sse
from newapi.ir.events import Cited, Closed, Delta, Event, Failed, Finished, Metered, Opened, Sealed, Started, Whole
from newapi.ir.request import Citation, Inline, Media, Native, Part, Reasoning, Refusal, Text, ToolCall, Url
from newapi.ir.response import Finish, Response
from newapi.ir.seal import Seal, pack
from newapi.ir.usage import Usage

NAME = "anthropic_messages"
_STOP: dict[Finish, str] = {
    "stop": "end_turn",
    "length": "max_tokens",
    "tool_calls": "tool_use",
    "filter": "refusal",
    "stop_sequence": "stop_sequence",
    "pause": "pause_turn",
    "context": "model_context_window_exceeded",
}
_ENCODE = msgspec.json.Encoder().encode


def write_usage(usage: Usage) -> dict[str, Any]:
    """Return Anthropic's usage: cached and written tokens beside `input_tokens`, not in it."""
    out: dict[str, Any] = {
        "input_tokens": usage.input + usage.input_image + usage.input_audio,
        "cache_creation_input_tokens": usage.cache_write,
        "cache_read_input_tokens": usage.cache_read,
        "cache_creation": {
            "ephemeral_5m_input_tokens": usage.cache_write_5m,
            "ephemeral_1h_input_tokens": usage.cache_write_1h,
        },
        "output_tokens": usage.completion,
        "service_tier": "standard",
    }
    if usage.reasoning:
        out["output_tokens_details"] = {"thinking_tokens": usage.reasoning}
    if usage.web_searches:
        out["server_tool_use"] = {"web_search_requests": usage.web_searches}
    return out


def write_response(response: Response, options: WriterOptions) -> bytes:
    """Return a whole answer. Anthropic has one alternative: of several the first is told."""
    choice = response.choices[0]
    return _ENCODE(
        {
            "id": response.id or f"msg_{options.request_id}",
            "type": "message",
            "role": "assistant",
            "model": response.model or options.model,
            "content": [b for p in choice.parts for b in _blocks(p)],
            "stop_reason": _STOP[choice.finish],
            "stop_sequence": choice.stop_sequence or None,
            "usage": write_usage(response.usage or Usage()),
        }
    )


def _blocks(part: Part) -> list[dict[str, Any]]:
    match part:
        case Text(text=text, citations=citations):
            block: dict[str, Any] = {"type": "text", "text": text}
            if citations:
                block["citations"] = [_citation(c) for c in citations]
            return [block] if text else []
        case Refusal(text=text):
            return [{"type": "text", "text": text}] if text else []
        case Reasoning(redacted=True, seal=Seal() as seal):
            return [{"type": "redacted_thinking", "data": pack(seal, NAME)}]
        case Reasoning(text=text, seal=seal):
            return [{"type": "thinking", "thinking": text, "signature": pack(seal, NAME) if seal else ""}]
        case ToolCall(id=id, name=name, args=args, seal=seal):
            use = {"type": "tool_use", "id": id, "name": name, "input": _input(args)}
            # Another vendor signs the call itself: an empty thought before it carries that.
            return [_carrier(seal), use] if seal else [use]
        case Media():
            return [{"type": "text", "text": _markdown(part)}]
        case Native(origin=origin, body=body):
            return [msgspec.json.decode(body)] if origin == NAME else []
        case _:
            return []


def _carrier(seal: Seal) -> dict[str, Any]:
    return {"type": "redacted_thinking", "data": pack(seal, NAME)}


def _citation(citation: Citation) -> dict[str, Any]:
    return {
        "type": "web_search_result_location",
        "url": citation.url,
        "title": citation.title,
        "cited_text": citation.text,
        "encrypted_index": "",
    }


def _input(args: str) -> Any:
    if not args.strip():
        return {}
    try:
        value = msgspec.json.decode(args)
    except msgspec.DecodeError:
        return {"arguments": args}
    if value is None:
        return {}
    return value if isinstance(value, dict) else {"arguments": args}


def _markdown(media: Media) -> str:
    match media.source:
        case Inline(data=data):
            where = f"data:{media.mime};base64,{data}"
        case Url(url=url):
            where = url
        case _:
            where = media.source.id
    if media.kind == "audio" and media.transcript:
        return media.transcript
    return f"![image]({where})" if media.kind == "image" else f"[{media.kind}]({where})"


class _Waiting:
    """A part that opened while another block was still open: what it says waits for its turn."""

    __slots__ = ("events", "opened")

    def __init__(self, opened: Opened) -> None:
        self.opened = opened
        self.events: list[Event] = []


class Writer:
    """Events in, Anthropic's events out. Blocks come one after the other: a part that opens early waits."""

    def __init__(self, options: WriterOptions) -> None:
        self._options = options
        self._usage: Usage | None = None
        self._index = -1
        self._open: Opened | None = None
        self._seal: Seal | None = None
        self._head = b""
        self._waiting: dict[int, _Waiting] = {}
        self._skipped: set[int] = set()
        self._started = False
        self._failed = False
        self._finish: Finished | None = None

    def write(self, event: Event) -> bytes:
        """Return the event in this format."""
        match event:
            case Delta(part=part, text=text):
                if self._open is not None and self._open.part == part:
                    return self._head + _ENCODE(text) + b"}}\n\n"
                return self._later(part, event)
            case Started(id=id, model=model):
                return self._start(id, model)
            case Opened():
                if event.choice:
                    self._skipped.add(event.part)
                    return b""
                if self._open is not None:
                    self._waiting[event.part] = _Waiting(event)
                    return b""
                return self._begin(event)
            case Sealed(part=part, seal=seal):
                if self._open is not None and self._open.part == part:
                    self._seal = seal
                    return b""
                return self._later(part, event)
            case Cited(part=part, citation=citation):
                if self._open is not None and self._open.part == part:
                    return self._delta({"type": "citations_delta", "citation": _citation(citation)})
                return self._later(part, event)
            case Closed(part=part):
                if self._open is not None and self._open.part == part:
                    return self._end_block() + self._next()
                return self._later(part, event)
            case Whole(part=part, value=value, choice=choice):
                return b"" if choice else self._whole(part, value)
            case Metered(usage=usage):
                self._usage = usage
                return b""
            case Finished(choice=choice):
                if choice == 0:
                    self._finish = event
                return b""
            case Failed(error=error):
                self._failed = True
                return error_frame(error, self._options.request_id)

    def close(self) -> bytes:
        """Return the end of the stream."""
        if self._failed:
            return b""
        out = [self._start("", "")]
        if self._open is not None:
            out += (self._end_block(), self._next())
        finish = self._finish
        stop = {
            "stop_reason": _STOP[finish.finish] if finish else "end_turn",
            "stop_sequence": (finish.stop_sequence or None) if finish else None,
        }
        out.append(_event("message_delta", delta=stop, usage=write_usage(self._usage or Usage())))
        out.append(_event("message_stop"))
        return b"".join(out)

    def _start(self, id: str, model: str) -> bytes:
        if self._started:
            return b""
        self._started = True
        usage = self._usage or Usage(input=self._options.prompt_tokens)
        message = {
            "id": id or f"msg_{self._options.request_id}",
            "type": "message",
            "role": "assistant",
            "model": model or self._options.model,
            "content": [],
            "stop_reason": None,
            "stop_sequence": None,
            "usage": {**write_usage(usage), "output_tokens": 0},
        }
        return _event("message_start", message=message)

    def _later(self, part: int, event: Event) -> bytes:
        waiting = self._waiting.get(part)
        if waiting is not None:
            waiting.events.append(event)
        return b""

    def _next(self) -> bytes:
        """Tell what has waited, until a part is open again that is not complete."""
        out: list[bytes] = []
        while self._waiting and self._open is None:
            part = next(iter(self._waiting))
            waiting = self._waiting.pop(part)
            out.append(self._begin(waiting.opened))
            out += [self.write(e) for e in waiting.events]
        return b"".join(out)

    def _begin(self, opened: Opened) -> bytes:
        self._open = opened
        self._seal = None
        self._index += 1
        match opened.kind:
            case "reasoning":
                block: dict[str, Any] = {"type": "thinking", "thinking": "", "signature": ""}
                kind, field = "thinking_delta", "thinking"
                if opened.redacted:
                    # The seal is the block: it is told when it is there.
                    self._head = b""
                    return self._start("", "")
            case "tool_call" | "custom_tool_call":
                block = {"type": "tool_use", "id": opened.id, "name": opened.name, "input": {}}
                kind, field = "input_json_delta", "partial_json"
            case _:
                block = {"type": "text", "text": ""}
                kind, field = "text_delta", "text"
        self._head = (
            b'event: content_block_delta\ndata: {"type":"content_block_delta","index":%d,"delta":{"type":"%s","%s":'
            % (self._index, kind.encode(), field.encode())
        )
        return self._start("", "") + _event("content_block_start", index=self._index, content_block=block)

    def _end_block(self) -> bytes:
        opened, seal = self._open, self._seal
        self._open = None
        out: list[bytes] = []
        if opened is not None and opened.kind == "reasoning":
            if opened.redacted:
                block = {"type": "redacted_thinking", "data": pack(seal, NAME) if seal else ""}
                out.append(_event("content_block_start", index=self._index, content_block=block))
            elif seal is not None:
                out.append(self._delta({"type": "signature_delta", "signature": pack(seal, NAME)}))
        out.append(_event("content_block_stop", index=self._index))
        if seal is not None and opened is not None and opened.kind in ("tool_call", "custom_tool_call"):
            out.append(self._block(_carrier(seal)))
        return b"".join(out)

    def _delta(self, delta: dict[str, Any]) -> bytes:
        return _event("content_block_delta", index=self._index, delta=delta)

    def _block(self, block: dict[str, Any]) -> bytes:
        self._index += 1
        start = _event("content_block_start", index=self._index, content_block=block)
        return start + _event("content_block_stop", index=self._index)

    def _whole(self, part: int, value: Media | Native) -> bytes:
        if isinstance(value, Native):
            if value.origin != NAME:
                return b""
            if self._open is None:
                return self._start("", "") + self._block(msgspec.json.decode(value.body))
            # A block of Anthropic's own never comes while another is open; of anyone else's there is none.
            return b""
        text = _markdown(value)
        events: list[Event] = [Delta(part, text), Closed(part)]
        out = [self.write(Opened(part, "text"))]
        out += [self.write(e) for e in events]
        return b"".join(out)


def _event(kind: str, **data: Any) -> bytes:
    return sse.write(_ENCODE({"type": kind, **data}), kind)
