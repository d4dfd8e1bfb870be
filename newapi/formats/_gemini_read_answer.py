"""Gemini's answers, whole and in chunks, into events.

Sources: https://ai.google.dev/api/generate-content#v1beta.GenerateContentResponse,
https://ai.google.dev/gemini-api/docs/thought-signatures
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Mapping
from typing import Literal

import msgspec
from msgspec import Raw, Struct

from newapi.base.errors import UpstreamError
from newapi.formats import _gemini_seals as seals
from newapi.formats._openai_errors import error_in
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
from newapi.ir.request import Citation, Inline, Media, Native, Url
from newapi.ir.response import Finish, Response
from newapi.ir.usage import Usage, split_prompt

_FINISH: Mapping[str, Finish] = {
    "STOP": "stop",
    "FINISH_REASON_UNSPECIFIED": "stop",
    "MAX_TOKENS": "length",
    # The model tried to call a tool and failed at it: there is no call, and nothing was filtered.
    "MALFORMED_FUNCTION_CALL": "stop",
    "UNEXPECTED_TOOL_CALL": "stop",
    "TOO_MANY_TOOL_CALLS": "stop",
    "MISSING_THOUGHT_SIGNATURE": "stop",
    "NO_IMAGE": "stop",
}
"""Every other reason (SAFETY, RECITATION, BLOCKLIST, SPII, LANGUAGE, IMAGE_SAFETY, OTHER, …) is a filter."""
_ABSENT = Raw()
"""A value that is not there; one that is `null` reads `null`."""
_UNSAFE = re.compile(r"[^A-Za-z0-9_-]")


class _Blob(Struct, rename="camel"):
    mime_type: str = ""
    data: str = ""


class _File(Struct, rename="camel"):
    mime_type: str = ""
    file_uri: str = ""


class _Call(Struct, rename="camel"):
    name: str = ""
    id: str | None = None
    args: Raw = _ABSENT


class _Part(Struct, rename="camel"):
    text: str | None = None
    thought: bool | None = None
    thought_signature: str | None = None
    function_call: _Call | None = None
    inline_data: _Blob | None = None
    file_data: _File | None = None
    executable_code: Raw = _ABSENT
    code_execution_result: Raw = _ABSENT


class _Content(Struct, rename="camel"):
    parts: list[_Part] | None = None


class _Web(Struct, rename="camel"):
    uri: str = ""
    title: str = ""


class _GroundingChunk(Struct, rename="camel"):
    web: _Web | None = None


class _Segment(Struct, rename="camel"):
    start_index: int = 0
    end_index: int | None = None
    text: str = ""


class _Support(Struct, rename="camel"):
    segment: _Segment | None = None
    grounding_chunk_indices: list[int] | None = None


class _Grounding(Struct, rename="camel"):
    grounding_chunks: list[_GroundingChunk] | None = None
    grounding_supports: list[_Support] | None = None


class _Candidate(Struct, rename="camel"):
    content: _Content | None = None
    index: int = 0
    finish_reason: str | None = None
    grounding_metadata: _Grounding | None = None


class _Feedback(Struct, rename="camel"):
    block_reason: str | None = None


class _Detail(Struct, rename="camel"):
    modality: str = ""
    token_count: int = 0


class _Usage(Struct, rename="camel"):
    prompt_token_count: int | None = None
    candidates_token_count: int | None = None
    thoughts_token_count: int | None = None
    cached_content_token_count: int | None = None
    tool_use_prompt_token_count: int | None = None
    total_token_count: int | None = None
    prompt_tokens_details: list[_Detail] | None = None
    tool_use_prompt_tokens_details: list[_Detail] | None = None
    cache_tokens_details: list[_Detail] | None = None
    candidates_tokens_details: list[_Detail] | None = None


class _Chunk(Struct, rename="camel"):
    candidates: list[_Candidate] | None = None
    prompt_feedback: _Feedback | None = None
    usage_metadata: _Usage | None = None
    model_version: str | None = None
    response_id: str | None = None
    error: Raw = _ABSENT


_DECODE = msgspec.json.Decoder(_Chunk)


def read_response(body: bytes) -> Response:
    """Return a whole answer.

    Raises:
        UpstreamError: The body is an error, or makes no sense.
    """
    reader = Reader(whole=True)
    return fold([*reader.feed(Frame("", body)), *reader.close()])


def read_usage(body: bytes) -> Usage | None:
    """Return the usage a whole answer states, None when it states none.

    Raises:
        UpstreamError: The body is an error, or makes no sense.
    """
    chunk = _decode(body)
    if isinstance(chunk, UpstreamError):
        raise chunk
    if chunk.candidates is None and chunk.prompt_feedback is None and chunk.usage_metadata is None:
        raise _empty()
    return _usage(chunk.usage_metadata) if chunk.usage_metadata is not None else None


def _decode(data: bytes) -> _Chunk | UpstreamError:
    try:
        chunk = _DECODE.decode(data)
    except (msgspec.DecodeError, UnicodeDecodeError):
        try:
            error = error_in(msgspec.json.decode(data))
        except (msgspec.DecodeError, UnicodeDecodeError):
            error = None
        return error or UpstreamError("the upstream's answer is not a Gemini answer", kind="malformed")
    if bytes(chunk.error) not in (b"", b"null"):
        error = error_in(msgspec.json.decode(data))
        if error is not None:
            return error
    return chunk


def _empty() -> UpstreamError:
    return UpstreamError("the upstream's answer has no candidates", kind="malformed")


class _State:
    """One candidate on the way."""

    __slots__ = ("called", "kind", "part", "reason", "sealed", "texts")

    def __init__(self) -> None:
        self.part = -1
        """The open part, -1 when none is."""
        self.kind: Kind = "text"
        self.sealed = False
        self.called = False
        self.reason = ""
        self.texts: list[str] = []


class Reader:
    """Gemini's chunks in, events out.

    `Finished` waits for the end of the input: some models say `finishReason` in every chunk.
    """

    def __init__(self, *, whole: bool = False) -> None:
        """Read one answer; `whole`: a plain answer, which may leave out why it ended."""
        self._whole = whole
        self._started = False
        self._failed = False
        self._blocked = False
        self._next = 0
        self._calls = 0
        self._id = ""
        self._states: dict[int, _State] = {}
        self._said: _Usage | None = None

    def feed(self, frame: Frame) -> Iterable[Event]:
        """Return what one chunk says."""
        data = frame.data
        if self._failed or data == b"[DONE]":
            return ()
        chunk = _decode(data)
        if isinstance(chunk, UpstreamError):
            self._failed = True
            return (Failed(chunk),)
        out: list[Event] = []
        if not self._started:
            if self._whole and not (chunk.candidates or chunk.prompt_feedback or chunk.usage_metadata):
                self._failed = True
                return (Failed(_empty()),)
            self._started = True
            self._id = chunk.response_id or ""
            out.append(Started(self._id, chunk.model_version or ""))
        if chunk.candidates:
            for candidate in chunk.candidates:
                self._candidate(candidate, data, out)
        if chunk.prompt_feedback is not None and chunk.prompt_feedback.block_reason:
            self._blocked = True
        said = chunk.usage_metadata
        if said is not None and said != self._said:
            self._said = said
            usage = _usage(said)
            if usage.total:
                out.append(Metered(usage))
        return out

    def close(self) -> Iterable[Event]:
        """Return the ends of parts and choices, or `Failed` when no chunk said why it ended."""
        if self._failed:
            return ()
        out: list[Event] = []
        states = self._states
        if self._blocked and not states:
            out.append(Finished("filter"))
            return out
        if not self._whole and (not states or not all(s.reason for s in states.values())):
            return (Failed(UpstreamError("the upstream's stream ended before its end", kind="cut")),)
        for index, state in states.items():
            self._shut(state, out)
            finish: Finish = _FINISH.get(state.reason or "STOP", "filter")
            if state.called and finish == "stop":
                finish = "tool_calls"
            out.append(Finished(finish, index))
        if not states and self._started:
            out.append(Finished("stop"))
        return out

    def _candidate(self, candidate: _Candidate, data: bytes, out: list[Event]) -> None:
        index = candidate.index
        state = self._states.get(index)
        if state is None:
            state = self._states[index] = _State()
        if candidate.content is not None and candidate.content.parts:
            for part in candidate.content.parts:
                self._part(part, state, index, data, out)
        if candidate.grounding_metadata is not None and state.part >= 0 and state.kind == "text":
            text = "".join(state.texts).encode()
            out += [Cited(state.part, c) for c in _citations(candidate.grounding_metadata, text)]
        if candidate.finish_reason:
            state.reason = candidate.finish_reason

    def _part(self, part: _Part, state: _State, index: int, data: bytes, out: list[Event]) -> None:
        sign = part.thought_signature
        if part.text is not None:
            text = part.text
            kind: Kind = "reasoning" if part.thought else "text"
            if text and (state.part < 0 or state.kind != kind or state.sealed):
                self._open(kind, state, index, out)
            if text:
                out.append(Delta(state.part, text))
                if kind == "text":
                    state.texts.append(text)
            if sign:
                self._seal(sign, kind, state, index, out)
        elif part.function_call is not None:
            self._call(part.function_call, sign, state, index, data, out)
        elif part.inline_data is not None or part.file_data is not None:
            self._shut(state, out)
            out.append(Whole(self._number(), _media(part, sign), index))
        elif native := _native(part):
            self._shut(state, out)
            out.append(Whole(self._number(), native, index))
        elif sign:
            self._seal(sign, "reasoning" if part.thought else "text", state, index, out)

    def _call(self, call: _Call, sign: str | None, state: _State, index: int, data: bytes, out: list[Event]) -> None:
        self._shut(state, out)
        state.called = True
        number = self._number()
        # Gemini seldom names calls; callers need ids that are unique over the whole conversation.
        stem = _UNSAFE.sub("", self._id)[:24] or hashlib.blake2b(data, digest_size=8).hexdigest()
        out.append(Opened(number, "tool_call", index, call.id or f"call_{stem}_{self._calls}", call.name))
        self._calls += 1
        args = bytes(call.args).decode()
        out.append(Delta(number, args if args and args != "null" else "{}"))
        if sign:
            out.append(Sealed(number, seals.unpack(sign)))
        out.append(Closed(number))

    def _seal(self, sign: str, kind: Kind, state: _State, index: int, out: list[Event]) -> None:
        # A signature that comes alone, on an empty part, is that of the part before it.
        if state.part < 0:
            self._open(kind, state, index, out)
        out.append(Sealed(state.part, seals.unpack(sign)))
        state.sealed = True

    def _open(self, kind: Kind, state: _State, index: int, out: list[Event]) -> None:
        self._shut(state, out)
        state.part = self._number()
        state.kind = kind
        state.texts = []
        out.append(Opened(state.part, kind, index))

    def _shut(self, state: _State, out: list[Event]) -> None:
        if state.part >= 0:
            out.append(Closed(state.part))
            state.part = -1
            state.sealed = False

    def _number(self) -> int:
        number = self._next
        self._next += 1
        return number


def _native(part: _Part) -> Native | None:
    for key, raw in (("executableCode", part.executable_code), ("codeExecutionResult", part.code_execution_result)):
        if bytes(raw) not in (b"", b"null"):
            return Native("gemini", Raw(msgspec.json.encode({key: raw})))
    return None


def _media(part: _Part, sign: str | None) -> Media:
    its_seal = seals.unpack(sign) if sign else None
    if part.inline_data is not None:
        mime = part.inline_data.mime_type
        return Media(media_kind(mime), mime, Inline(part.inline_data.data), seal=its_seal)
    file = part.file_data or _File()
    return Media(media_kind(file.mime_type), file.mime_type, Url(file.file_uri), seal=its_seal)


def media_kind(mime: str) -> Literal["image", "audio", "video", "document"]:
    """Return what kind of media `mime` is; a document when it says nothing else."""
    match mime.partition("/")[0]:
        case "image" | "audio" | "video" as kind:
            return kind
        case _:
            return "document"


def _citations(grounding: _Grounding, text: bytes) -> list[Citation]:
    """Return the sources that say which stretch of `text` they are for. Google counts bytes, we count characters."""
    chunks = grounding.grounding_chunks or []
    out: list[Citation] = []
    for support in grounding.grounding_supports or ():
        segment = support.segment
        if segment is None or segment.end_index is None:
            continue
        start = len(text[: segment.start_index].decode("utf-8", "ignore"))
        end = len(text[: segment.end_index].decode("utf-8", "ignore"))
        for i in support.grounding_chunk_indices or ():
            web = chunks[i].web if 0 <= i < len(chunks) else None
            if web is not None:
                out.append(Citation(web.uri, web.title, segment.text, start, end))
    return out


def _sum(modality: str, *lists: list[_Detail] | None) -> int:
    return sum(d.token_count for details in lists for d in details or () if d.modality == modality)


def _usage(u: _Usage) -> Usage:
    """Return Gemini's counts in disjoint buckets: thoughts come beside candidates, cached tokens inside the prompt."""
    prompt = (u.prompt_token_count or 0) + (u.tool_use_prompt_token_count or 0)
    audio = image = 0
    if u.prompt_tokens_details or u.tool_use_prompt_tokens_details:
        audio = _sum("AUDIO", u.prompt_tokens_details, u.tool_use_prompt_tokens_details)
        image = _sum("IMAGE", u.prompt_tokens_details, u.tool_use_prompt_tokens_details)
        if u.cache_tokens_details:
            audio = max(0, audio - _sum("AUDIO", u.cache_tokens_details))
            image = max(0, image - _sum("IMAGE", u.cache_tokens_details))
    text, cached, _, image, audio = split_prompt(
        prompt, cached=u.cached_content_token_count or 0, image=image, audio=audio
    )
    thoughts, candidates = u.thoughts_token_count or 0, u.candidates_token_count or 0
    if not candidates and not thoughts:
        candidates = max(0, (u.total_token_count or 0) - prompt)
    out_image = out_audio = 0
    if u.candidates_tokens_details:
        out_image = _sum("IMAGE", u.candidates_tokens_details)
        out_audio = _sum("AUDIO", u.candidates_tokens_details)
    return Usage(
        input=text,
        cache_read=cached,
        input_image=image,
        input_audio=audio,
        output=max(0, candidates - out_image - out_audio),
        reasoning=thoughts,
        output_image=out_image,
        output_audio=out_audio,
    )
