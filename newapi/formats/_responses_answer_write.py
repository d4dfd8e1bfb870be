"""OpenAI Responses: an answer, whole and as a stream of events.

Source: https://platform.openai.com/docs/api-reference/responses-streaming
"""

from __future__ import annotations

from typing import Any, assert_never

import msgspec

from newapi.base.errors import NewapiError
from newapi.formats._responses_items import NAME, called
from newapi.formats.contract import WriterOptions
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
from newapi.ir.fold import unfold
from newapi.ir.request import Inline, Media, Native
from newapi.ir.response import Finish, Response
from newapi.ir.seal import Seal, pack
from newapi.ir.usage import Usage

_ENCODE = msgspec.json.Encoder().encode
_INCOMPLETE: dict[Finish, str] = {
    "length": "max_output_tokens",
    "context": "max_output_tokens",
    "filter": "content_filter",
}
_DELTAS = {
    "text": "response.output_text.delta",
    "refusal": "response.refusal.delta",
    "reasoning": "response.reasoning_summary_text.delta",
    "tool_call": "response.function_call_arguments.delta",
    "custom_tool_call": "response.custom_tool_call_input.delta",
}
_PREFIXES = {"text": "msg", "refusal": "msg", "reasoning": "rs", "tool_call": "fc", "custom_tool_call": "ctc"}


def write_response(response: Response, options: WriterOptions) -> bytes:
    """Return the answer whole: what its stream would end with. Alternatives beyond the first have no place here."""
    writer = Writer(options)
    for event in unfold(response):
        writer.write(event)
    return _ENCODE(writer.response())


def error_frame(error: NewapiError, request_id: str) -> bytes:
    """Return the error as an event of a stream."""
    return _error_event(error, request_id, 0)


class _Part:
    """A part that is being written: an item of the output of its own."""

    __slots__ = ("annotations", "at", "head", "index", "opened", "seal", "texts")

    def __init__(self, opened: Opened, index: int, at: dict[str, Any]) -> None:
        self.opened = opened
        self.index = index
        self.at = at
        """What events say to name the item (and the part of it)."""
        self.texts: list[str] = []
        self.seal: Seal | None = None
        self.annotations: list[dict[str, Any]] = []
        name = _DELTAS[opened.kind]
        logprobs: dict[str, Any] = {"logprobs": []} if opened.kind == "text" else {}
        said = _ENCODE({"type": name, **at, **logprobs})
        self.head = b"event: %s\ndata: %s," % (name.encode(), said[:-1])


class Writer:
    """The canonical events in, OpenAI's out. Each part is an item of its own."""

    def __init__(self, options: WriterOptions) -> None:
        self._options = options
        self._sequence = -1
        self._parts: dict[int, _Part] = {}
        self._output: dict[int, Any] = {}
        self._items = 0
        self._started: Started | None = None
        self._finish: Finish = "stop"
        self._usage: Usage | None = None

    def write(self, event: Event) -> bytes:
        """Return the event as OpenAI's events."""
        if isinstance(event, Delta):
            part = self._parts.get(event.part)
            if part is None:
                return b""
            if not part.texts and part.opened.kind == "reasoning":
                return self._section(part) + self._delta(part, event.text)
            return self._delta(part, event.text)
        return self._rarer(event)

    def close(self) -> bytes:
        """Return the closing event: usage may be known only now."""
        head = b"" if self._started else self._start(Started("", ""))
        response = self.response()
        return head + self._event(f"response.{response['status']}", response=response)

    def response(self) -> dict[str, Any]:
        """Return the response object, as far as it has been told."""
        reason = _INCOMPLETE.get(self._finish)
        output = [self._output[i] for i in sorted(self._output)]
        if reason and output and isinstance(output[-1], dict) and "status" in output[-1]:
            output[-1] = {**output[-1], "status": "incomplete"}
        return self._object("incomplete" if reason else "completed", output, reason)

    # -- events --------------------------------------------------------------------------------

    def _event(self, name: str, /, **data: Any) -> bytes:
        self._sequence += 1
        body = _ENCODE({"type": name, "sequence_number": self._sequence, **data})
        return b"event: %s\ndata: %s\n\n" % (name.encode(), body)

    def _delta(self, part: _Part, text: str) -> bytes:
        part.texts.append(text)
        self._sequence = number = self._sequence + 1
        return b'%s"sequence_number":%d,"delta":%s}\n\n' % (part.head, number, _ENCODE(text))

    def _rarer(self, event: Event) -> bytes:
        match event:
            case Started():
                return self._start(event)
            case Opened():
                return self._open(event) if event.choice == 0 else b""
            case Delta():
                return self.write(event)
            case Sealed():
                if (part := self._parts.get(event.part)) is not None:
                    part.seal = event.seal
                return b""
            case Cited():
                return self._cite(event)
            case Closed():
                part = self._parts.pop(event.part, None)
                return b"" if part is None else self._close(part)
            case Whole():
                return self._whole(event.value) if event.choice == 0 else b""
            case Finished():
                if event.choice == 0:
                    self._finish = event.finish
                return b""
            case Metered():
                self._usage = event.usage
                return b""
            case Failed():
                return _error_event(event.error, self._options.request_id, self._sequence + 1)
            case _:
                assert_never(event)

    def _start(self, started: Started) -> bytes:
        self._started = started
        response = self._object("in_progress", [], None)
        return self._event("response.created", response=response) + self._event(
            "response.in_progress", response=response
        )

    def _next(self, prefix: str) -> tuple[int, str]:
        index = self._items
        self._items += 1
        return index, f"{prefix}_{self._options.request_id}_{index}"

    def _open(self, opened: Opened) -> bytes:
        index, id = self._next(_PREFIXES[opened.kind])
        at: dict[str, Any] = {"item_id": id, "output_index": index}
        match opened.kind:
            case "text" | "refusal":
                at["content_index"] = 0
            case "reasoning":
                at["summary_index"] = 0
            case _:
                pass
        part = self._parts[opened.part] = _Part(opened, index, at)
        out = self._event("response.output_item.added", output_index=index, item=_item(part, "in_progress"))
        if opened.kind in ("text", "refusal"):
            out += self._event("response.content_part.added", **at, part=_content(part, ""))
        return out

    def _section(self, part: _Part) -> bytes:
        return self._event(
            "response.reasoning_summary_part.added", **part.at, part={"type": "summary_text", "text": ""}
        )

    def _cite(self, event: Cited) -> bytes:
        part, said = self._parts.get(event.part), event.citation
        if part is None or not said.url:
            return b""
        length = sum(map(len, part.texts))
        annotation = {
            "type": "url_citation",
            "url": said.url,
            "title": said.title,
            # The format has no way to say "somewhere in the text": the whole of it is meant.
            "start_index": max(said.start, 0),
            "end_index": said.end if said.end >= 0 else length,
        }
        part.annotations.append(annotation)
        return self._event(
            "response.output_text.annotation.added",
            **part.at,
            annotation_index=len(part.annotations) - 1,
            annotation=annotation,
        )

    def _close(self, part: _Part) -> bytes:
        out = self._ending(part)
        item = _item(part, "completed")
        self._output[part.index] = item
        out += self._event("response.output_item.done", output_index=part.index, item=item)
        if part.seal is not None and part.opened.kind == "tool_call":
            out += self._call_seal(part, part.seal)
        return out

    def _ending(self, part: _Part) -> bytes:
        """The events that say a part's whole text once more."""
        at = part.at
        match part.opened.kind:
            case "text":
                text = "".join(part.texts)
                return self._event("response.output_text.done", **at, text=text, logprobs=[]) + self._event(
                    "response.content_part.done", **at, part=_content(part, text)
                )
            case "refusal":
                text = "".join(part.texts)
                return self._event("response.refusal.done", **at, refusal=text) + self._event(
                    "response.content_part.done", **at, part=_content(part, text)
                )
            case "reasoning":
                if not part.texts:
                    return b""
                text = "".join(part.texts)
                return self._event("response.reasoning_summary_text.done", **at, text=text) + self._event(
                    "response.reasoning_summary_part.done", **at, part={"type": "summary_text", "text": text}
                )
            case "tool_call":
                # Callers parse the arguments as JSON, also those of a tool that takes none.
                out = b"" if any(part.texts) else self._delta(part, "{}")
                return out + self._event(
                    "response.function_call_arguments.done",
                    **at,
                    name=called(part.opened.name)["name"],
                    arguments="".join(part.texts),
                )
            case "custom_tool_call":
                return self._event("response.custom_tool_call_input.done", **at, input="".join(part.texts))

    def _call_seal(self, part: _Part, seal: Seal) -> bytes:
        """A call's seal (Gemini signs calls) as a reasoning item with the call's id in the envelope.

        A call has no slot for it, while clients send reasoning items back as they came.
        """
        index, id = self._next("rs")
        call_id = _call_id(part)
        item: dict[str, Any] = {
            "id": id,
            "type": "reasoning",
            "summary": [],
            "encrypted_content": pack(Seal(seal.origin, seal.data, call_id), ""),
        }
        return self._item_at_once(index, item)

    def _item_at_once(self, index: int, item: Any) -> bytes:
        self._output[index] = item
        return self._event("response.output_item.added", output_index=index, item=item) + self._event(
            "response.output_item.done", output_index=index, item=item
        )

    def _whole(self, value: Media | Native) -> bytes:
        if isinstance(value, Native):
            return self._item_at_once(self._next("item")[0], value.body) if value.origin == NAME else b""
        if value.kind == "image" and isinstance(value.source, Inline):
            index, id = self._next("ig")
            item = {
                "id": value.id or id,
                "type": "image_generation_call",
                "status": "completed",
                "result": value.source.data,
                "output_format": value.mime.removeprefix("image/") or "png",
            }
            return self._item_at_once(index, item)
        # Sounds, films and pictures that are only linked have no item: what they say or where they are is told as text.
        text = value.transcript or getattr(value.source, "url", "")
        if not text:
            return b""
        number = -1 - self._items
        return b"".join(map(self.write, (Opened(number, "text"), Delta(number, text), Closed(number))))

    # -- the response object ------------------------------------------------------------------

    def _object(self, status: str, output: list[Any], reason: str | None) -> dict[str, Any]:
        options = self._options
        started = self._started or Started("", "")
        return {
            "id": started.id if started.id.startswith("resp_") else f"resp_{options.request_id}",
            "object": "response",
            "created_at": started.created or options.created,
            "status": status,
            "background": False,
            "error": None,
            "incomplete_details": {"reason": reason} if reason else None,
            "instructions": None,
            "max_output_tokens": None,
            "metadata": {},
            "model": started.model or options.model,
            "output": output,
            "parallel_tool_calls": True,
            "previous_response_id": None,
            "reasoning": {"effort": None, "summary": None},
            "store": False,
            "temperature": None,
            "text": {"format": {"type": "text"}},
            "tool_choice": "auto",
            "tools": [],
            "top_p": None,
            "truncation": "disabled",
            "usage": None if self._usage is None else _counts(self._usage),
            "user": None,
        }


# -- items -------------------------------------------------------------------------------------


def _item(part: _Part, status: str) -> dict[str, Any]:
    """The item a part is, with what of it has been told."""
    opened, id, text = part.opened, part.at["item_id"], "".join(part.texts)
    begun = status == "in_progress"
    match opened.kind:
        case "text" | "refusal":
            content = [] if begun else [_content(part, text)]
            return {"id": id, "type": "message", "status": status, "role": "assistant", "content": content}
        case "reasoning":
            item: dict[str, Any] = {
                "id": id,
                "type": "reasoning",
                "summary": [{"type": "summary_text", "text": text}] if text else [],
            }
            if part.seal is not None:
                # OpenAI checks that ciphertext and id belong together. The id was told before the seal was known, so
                # the envelope keeps the right one, also for a seal of OpenAI's own.
                own = part.seal.origin == NAME and part.seal.id in ("", id)
                item["encrypted_content"] = pack(part.seal, NAME if own else "")
            return item
        case "tool_call":
            call = {"id": id, "type": "function_call", "status": status, "call_id": _call_id(part)}
            return {**call, **called(opened.name), "arguments": text}
        case "custom_tool_call":
            call = {"id": id, "type": "custom_tool_call", "status": status, "call_id": _call_id(part)}
            return {**call, **called(opened.name), "input": text}


def _content(part: _Part, text: str) -> dict[str, Any]:
    if part.opened.kind == "refusal":
        return {"type": "refusal", "refusal": text}
    return {"type": "output_text", "text": text, "annotations": part.annotations, "logprobs": []}


def _call_id(part: _Part) -> str:
    return part.opened.id or f"call_{part.at['item_id']}"


def _counts(usage: Usage) -> dict[str, Any]:
    return {
        "input_tokens": usage.prompt,
        "input_tokens_details": {"cached_tokens": usage.cache_read, "cache_write_tokens": usage.cache_write},
        "output_tokens": usage.completion,
        "output_tokens_details": {"reasoning_tokens": usage.reasoning},
        "total_tokens": usage.total,
    }


def _error_event(error: NewapiError, request_id: str, sequence: int) -> bytes:
    """The `error` event as documented, and the `error` object that the API really sends: official SDKs raise on it."""
    message = f"{error.message} (request id: {request_id})" if request_id else error.message
    said = {"code": error.code, "message": message, "param": error.param or None}
    body = {"type": "error", "sequence_number": sequence, **said, "error": {"type": error.type, **said}}
    return b"event: error\ndata: %s\n\n" % _ENCODE(body)
