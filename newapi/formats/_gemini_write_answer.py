"""Events into Gemini's answers, whole and in chunks.

Sources: https://ai.google.dev/api/generate-content#v1beta.GenerateContentResponse,
https://ai.google.dev/gemini-api/docs/thought-signatures
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

from newapi.formats import _gemini_seals as seals
from newapi.formats._gemini_errors import error_frame
from newapi.formats.contract import WriterOptions
from newapi.ir.arguments import as_object
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
from newapi.ir.request import Citation, Inline, Media, Native, Url
from newapi.ir.response import Finish, Response
from newapi.ir.seal import Seal
from newapi.ir.usage import Usage

_ENCODE = msgspec.json.Encoder().encode
_FINISH: Mapping[Finish, str] = {"length": "MAX_TOKENS", "context": "MAX_TOKENS", "filter": "SAFETY"}
"""Everything else is STOP: Gemini has no reason of its own for tool calls."""

Part = dict[str, Any]


def usage_metadata(usage: Usage) -> dict[str, Any]:
    """Return `usageMetadata`: thoughts beside candidates, cached tokens inside the prompt."""
    out: dict[str, Any] = {
        "promptTokenCount": usage.prompt,
        "candidatesTokenCount": usage.completion - usage.reasoning,
        "totalTokenCount": usage.total,
    }
    if usage.reasoning:
        out["thoughtsTokenCount"] = usage.reasoning
    if usage.cache_read:
        out["cachedContentTokenCount"] = usage.cache_read
    for key, image, audio in (
        ("promptTokensDetails", usage.input_image, usage.input_audio),
        ("candidatesTokensDetails", usage.output_image, usage.output_audio),
    ):
        details = [{"modality": m, "tokenCount": n} for m, n in (("IMAGE", image), ("AUDIO", audio)) if n]
        if details:
            out[key] = details
    return out


def write_response(response: Response, options: WriterOptions) -> bytes:
    """Return a whole answer."""
    builder = _Parts()
    parts: dict[int, list[Part]] = {}
    finishes: dict[int, Finish] = {}
    texts: dict[int, list[str]] = {}
    for event in unfold(response):
        match event:
            case Delta() if builder.choice_of_text(event.part) is not None:
                texts.setdefault(event.part, []).append(event.text)
            case Closed() if event.part in texts:
                choice = builder.choice_of_text(event.part) or 0
                parts.setdefault(choice, []).append(builder.text(event.part, "".join(texts.pop(event.part))))
                parts[choice] += builder.see(event)[1]
            case Finished():
                parts.setdefault(event.choice, []).extend(builder.flush(event.choice))
                finishes[event.choice] = event.finish
            case _:
                choice, made = builder.see(event)
                parts.setdefault(choice, []).extend(made)
    body: dict[str, Any] = {
        "candidates": [
            _candidate(_joined(parts.get(i, [])), i, finish) | _grounding(builder.citations.get(i))
            for i, finish in finishes.items()
        ],
        "usageMetadata": usage_metadata(response.usage or Usage()),
        "modelVersion": response.model or options.model,
        "responseId": response.id or options.request_id,
    }
    return _ENCODE(body)


def _joined(parts: list[Part]) -> list[Part]:
    """`parts` with a signature that came alone moved onto the text before it."""
    out: list[Part] = []
    for part in parts:
        last = out[-1] if out else None
        if (
            part.get("text") == ""
            and last is not None
            and "text" in last
            and "thoughtSignature" not in last
            and last.get("thought") == part.get("thought")
        ):
            last["thoughtSignature"] = part["thoughtSignature"]
        else:
            out.append(part)
    return out


def _candidate(parts: list[Part], index: int, finish: Finish) -> dict[str, Any]:
    return {
        "content": {"parts": parts, "role": "model"},
        "finishReason": _FINISH.get(finish, "STOP"),
        "index": index,
    }


def _grounding(citations: list[Citation] | None) -> dict[str, Any]:
    if not citations:
        return {}
    urls = list(dict.fromkeys((c.url, c.title) for c in citations))
    supports = [
        {"segment": {"text": c.text}, "groundingChunkIndices": [urls.index((c.url, c.title))]}
        for c in citations
        if c.text
    ]
    grounding: dict[str, Any] = {"groundingChunks": [{"web": {"uri": u, "title": t}} for u, t in urls]}
    if supports:
        grounding["groundingSupports"] = supports
    return {"groundingMetadata": grounding}


class _Call:
    __slots__ = ("args", "choice", "opened", "seal")

    def __init__(self, opened: Opened) -> None:
        self.opened = opened
        self.args: list[str] = []
        self.seal: Seal | None = None


class _Parts:
    """What is open, and the parts that events make.

    Gemini puts the signature of a thought on the part that follows it; so do we, and a client that sends parts back as
    they came brings it back. `read_request` finds the thought it belongs to.
    """

    def __init__(self) -> None:
        self._texts: dict[int, Opened] = {}
        self._calls: dict[int, _Call] = {}
        self._text_seals: dict[int, Seal] = {}
        self.pending: dict[int, Seal] = {}
        """Choice -> the seal of a thought, until the next part comes."""
        self.citations: dict[int, list[Citation]] = {}

    def choice_of_text(self, part: int) -> int | None:
        opened = self._texts.get(part)
        return None if opened is None else opened.choice

    def text(self, number: int, text: str) -> Part:
        """Return the part that says `text` of open part `number`."""
        opened = self._texts[number]
        part: Part = {"text": text}
        if opened.kind == "reasoning":
            part["thought"] = True
        else:
            self._sign(part, opened.choice)
        return part

    def is_thought(self, number: int) -> bool:
        return self._texts[number].kind == "reasoning"

    def see(self, event: Event) -> tuple[int, list[Part]]:
        """Return the choice and the parts that `event` makes; text deltas are the caller's."""
        match event:
            case Opened():
                return event.choice, self._open(event)
            case Delta():
                call = self._calls.get(event.part)
                if call is not None:
                    call.args.append(event.text)
            case Sealed():
                return self._seal(event)
            case Cited():
                opened = self._texts.get(event.part)
                if opened is not None:
                    self.citations.setdefault(opened.choice, []).append(event.citation)
            case Closed():
                return self._close(event.part)
            case Whole():
                return event.choice, self._whole(event)
            case _:
                pass
        return 0, []

    def flush(self, choice: int) -> list[Part]:
        """Return the part for a seal that nothing followed."""
        held = self.pending.pop(choice, None)
        return [] if held is None else [{"text": "", "thought": True, "thoughtSignature": seals.pack(held)}]

    def _open(self, event: Opened) -> list[Part]:
        if event.kind in ("tool_call", "custom_tool_call"):
            self._calls[event.part] = _Call(event)
            return []
        self._texts[event.part] = event
        # A second thought: the first one's seal must not end up behind it.
        return self.flush(event.choice) if event.kind == "reasoning" else []

    def _seal(self, event: Sealed) -> tuple[int, list[Part]]:
        call = self._calls.get(event.part)
        if call is not None:
            call.seal = event.seal
            return 0, []
        opened = self._texts[event.part]
        if opened.kind != "reasoning":
            self._text_seals[event.part] = event.seal
            return 0, []
        self.pending[opened.choice] = event.seal
        return 0, []

    def _close(self, number: int) -> tuple[int, list[Part]]:
        call = self._calls.pop(number, None)
        if call is not None:
            part: Part = {"functionCall": _function_call(call)}
            choice = call.opened.choice
            before: list[Part] = []
            if call.seal is not None:
                before = self.flush(choice)
                part["thoughtSignature"] = seals.pack(call.seal)
            else:
                self._sign(part, choice)
            return choice, [*before, part]
        opened = self._texts.pop(number)
        held = self._text_seals.pop(number, None)
        if held is None:
            return opened.choice, []
        return opened.choice, [{"text": "", "thoughtSignature": seals.pack(held)}]

    def _whole(self, event: Whole) -> list[Part]:
        value = event.value
        if isinstance(value, Native):
            return [*self.flush(event.choice), msgspec.json.decode(value.body)] if value.origin == "gemini" else []
        part = _media(value)
        if value.seal is not None:
            before = self.flush(event.choice)
            part["thoughtSignature"] = seals.pack(value.seal)
            return [*before, part]
        self._sign(part, event.choice)
        return [part]

    def _sign(self, part: Part, choice: int) -> None:
        if self.pending:
            held = self.pending.pop(choice, None)
            if held is not None:
                part["thoughtSignature"] = seals.pack(held)


def _function_call(call: _Call) -> dict[str, Any]:
    args = as_object("".join(call.args), custom=call.opened.kind == "custom_tool_call")
    out: dict[str, Any] = {"name": call.opened.name, "args": args}
    return {"id": call.opened.id, **out} if call.opened.id else out


def _media(media: Media) -> Part:
    match media.source:
        case Inline(data=data):
            return {"inlineData": {"mimeType": media.mime, "data": data}}
        case Url(url=url):
            return {"fileData": {"mimeType": media.mime, "fileUri": url}}
        case file:
            return {"fileData": {"mimeType": media.mime, "fileUri": file.id}}


class Writer:
    """Events in, `data:` chunks out. Calls come whole; the end and the usage come in `close`."""

    def __init__(self, options: WriterOptions) -> None:
        self._options = options
        self._parts = _Parts()
        self._tail = b""
        self._model = options.model
        self._id = options.request_id
        self._usage: Usage | None = None
        self._finishes: dict[int, Finish] = {}
        self._failed = False
        self._around: dict[int, tuple[bytes, bytes]] = {}
        """Open text part -> what comes before and after its text in a chunk."""
        self._name()

    def write(self, event: Event) -> bytes:
        """Return the event as a chunk, `b""` where it makes none."""
        if type(event) is Delta:
            around = self._around.get(event.part)
            if around is not None:
                if not event.text:
                    return b""
                if self._parts.pending and not self._parts.is_thought(event.part):
                    choice = self._parts.choice_of_text(event.part) or 0
                    return self._chunk(choice, [self._parts.text(event.part, event.text)])
                return around[0] + _ENCODE(event.text) + around[1]
            self._parts.see(event)
            return b""
        match event:
            case Started():
                self._model = event.model or self._model
                self._id = event.id or self._id
                self._name()
            case Finished():
                self._finishes[event.choice] = event.finish
            case Metered():
                self._usage = event.usage
            case Failed():
                self._failed = True
                return error_frame(event.error, self._options.request_id)
            case _:
                return self._other(event)
        return b""

    def close(self) -> bytes:
        """Return the chunk that says why it ended, and the usage."""
        if self._failed:
            return b""
        body: dict[str, Any] = {
            "candidates": [
                _candidate(self._parts.flush(i) or [{"text": ""}], i, finish) | _grounding(self._parts.citations.get(i))
                for i, finish in self._finishes.items()
            ],
            "usageMetadata": usage_metadata(self._usage or Usage()),
            "modelVersion": self._model,
            "responseId": self._id,
        }
        return b"data: " + _ENCODE(body) + b"\n\n"

    def _other(self, event: Event) -> bytes:
        choice, parts = self._parts.see(event)
        out = self._chunk(choice, parts) if parts else b""
        if isinstance(event, Opened) and self._parts.choice_of_text(event.part) is not None:
            thought = b',"thought":true' if event.kind == "reasoning" else b""
            self._around[event.part] = (
                b'data: {"candidates":[{"content":{"parts":[{"text":',
                thought + b'}],"role":"model"},"index":%d}],' % event.choice + self._tail,
            )
        elif isinstance(event, Closed):
            self._around.pop(event.part, None)
        return out

    def _chunk(self, choice: int, parts: list[Part]) -> bytes:
        candidates = [{"content": {"parts": parts, "role": "model"}, "index": choice}]
        return b'data: {"candidates":' + _ENCODE(candidates) + b"," + self._tail

    def _name(self) -> None:
        self._tail = b'"modelVersion":%s,"responseId":%s}\n\n' % (_ENCODE(self._model), _ENCODE(self._id))
