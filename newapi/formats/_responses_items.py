"""OpenAI Responses: what requests and answers have in common, and the items of an answer.

Source: https://platform.openai.com/docs/api-reference/responses/object
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import msgspec
from msgspec import Raw, Struct

from newapi.ir.request import SPACE, Citation, Inline, Media, Native, Part, Reasoning, Refusal, Text, ToolCall
from newapi.ir.seal import Seal, unpack
from newapi.ir.usage import Usage, split_prompt

NAME = "openai_responses"
NULL = Raw(b"null")
"""What a raw field is when it was not said: msgspec has no union of raw JSON and None."""


class Annotation(Struct):
    """A source of a text; of another kind than `url_citation` it has no URL."""

    type: str = ""
    url: str | None = None
    title: str | None = None
    start_index: int = -1
    end_index: int = -1


class TextPart(Struct):
    """A part that is nothing but text: of a summary, of reasoning."""

    text: str = ""


class ContentPart(Struct):
    """A part of a message's content."""

    type: str = ""
    text: str = ""
    refusal: str = ""
    annotations: list[Annotation] | None = None


class Item(Struct):
    """An item of an answer's output, as far as kinds that have a canonical form go."""

    type: str = ""
    id: str | None = None
    call_id: str | None = None
    name: str | None = None
    namespace: str | None = None
    arguments: Any = None
    input: Any = None
    content: Any = None
    summary: Any = None
    encrypted_content: str | None = None


class _Image(Struct):
    id: str | None = None
    result: str | None = None
    output_format: str | None = None


class InputDetails(Struct):
    cached_tokens: int | None = None
    cache_write_tokens: int | None = None
    image_tokens: int | None = None
    audio_tokens: int | None = None


class OutputDetails(Struct):
    reasoning_tokens: int | None = None
    image_tokens: int | None = None
    audio_tokens: int | None = None


class Counts(Struct):
    """`usage` of an answer: tokens; the details count inside the totals."""

    input_tokens: int | None = None
    output_tokens: int | None = None
    input_tokens_details: InputDetails | None = None
    output_tokens_details: OutputDetails | None = None


_ITEM = msgspec.json.Decoder(Item)
_IMAGE = msgspec.json.Decoder(_Image)


def given(raw: Raw) -> Raw | None:
    """Return the raw JSON of a field, None when it is absent or null."""
    return None if raw == NULL else raw


def joined(parts: Iterable[TextPart] | None) -> str:
    """Return the texts with a blank line between them: each is a section of its own."""
    return "\n\n".join(p.text for p in parts or () if p.text)


def citation(a: Annotation) -> Citation | None:
    """Return an annotation as a citation, None when it names no URL."""
    return Citation(a.url, a.title or "", start=a.start_index, end=a.end_index) if a.url else None


def citations(annotations: Iterable[Annotation] | None) -> tuple[Citation, ...]:
    """Return the annotations that name a URL."""
    return tuple(c for a in annotations or () if (c := citation(a)) is not None)


def spaced(space: str | None, name: str) -> str:
    """Return the name of a tool in a namespace (or in none)."""
    return f"{space}{SPACE}{name}" if space else name


def called(name: str) -> dict[str, str]:
    """Return what a call says of the tool it is of: its name, and its namespace where it has one."""
    space, _, bare = name.rpartition(SPACE)
    return {"name": bare, "namespace": space} if space else {"name": name}


def image(raw: Raw) -> Media | None:
    """Return the picture of an `image_generation_call`, None when it has none."""
    item = _IMAGE.decode(raw)
    if not item.result:
        return None
    return Media("image", f"image/{item.output_format or 'png'}", Inline(item.result), id=item.id or "")


def item(raw: Raw) -> Item:
    """Return an item's fields. Raises msgspec.DecodeError."""
    return _ITEM.decode(raw)


def content(it: Item) -> list[ContentPart]:
    """Return a message's content. Raises msgspec.ValidationError."""
    return msgspec.convert(it.content or [], list[ContentPart])


def thought(it: Item) -> str:
    """Return what a reasoning item says: its summary, else its text. Raises msgspec.ValidationError."""
    return joined(_texts(it.summary)) or joined(_texts(it.content))


def seal(it: Item) -> Seal | None:
    """Return the seal of a reasoning item."""
    return unpack(it.encrypted_content, NAME, it.id or "") if it.encrypted_content else None


def arguments(it: Item) -> str:
    """Return a call's arguments as JSON text, or a custom tool's input."""
    value = it.input if it.type == "custom_tool_call" else it.arguments
    if isinstance(value, str):
        return value
    return "" if value is None else msgspec.json.encode(value).decode()


def parts(raw: Raw) -> list[Part]:
    """Return the parts that one item of an answer is; empty texts are none. Raises msgspec.DecodeError."""
    it = item(raw)
    match it.type:
        case "message":
            return [p for c in content(it) if (p := _content(c)) is not None]
        case "reasoning":
            text, its_seal = thought(it), seal(it)
            return [Reasoning(text, its_seal, redacted=not text)] if text or its_seal else []
        case "function_call" | "custom_tool_call":
            custom = it.type == "custom_tool_call"
            return [ToolCall(it.call_id or it.id or "", spaced(it.namespace, it.name or ""), arguments(it), custom)]
        case "image_generation_call" if (picture := image(raw)) is not None:
            return [picture]
        case _:
            return [Native(NAME, raw.copy())]


class ToolUse(Struct):
    """What the vendor's own tools did for an answer, beside its tokens: each is charged by the call."""

    searches: int = 0
    file_searches: int = 0
    pictures: list[tuple[str, str]] = []

    def note(self, raw: Raw) -> None:
        """Count what an item of the output says was done.

        Opening a page and looking for something in it are `web_search_call` items as well, and cost nothing:
        https://platform.openai.com/docs/guides/tools-web-search
        """
        item = _TOOL_CALL.decode(raw)
        match item.type:
            case "web_search_call":
                self.searches += item.action is None or item.action.type in ("", "search")
            case "file_search_call":
                self.file_searches += 1
            case "image_generation_call" if item.status in ("", "completed") and (item.quality or item.size):
                # OpenAI's own say both; one that a gateway made of another vendor's picture says neither.
                self.pictures.append(((item.quality or "auto")[:20], (item.size or "auto")[:20]))
            case _:
                pass


class _Action(Struct):
    type: str = ""


class _ToolCall(Struct):
    type: str = ""
    status: str = ""
    action: _Action | None = None
    quality: str | None = None
    size: str | None = None


_TOOL_CALL = msgspec.json.Decoder(_ToolCall)


class _Tool(Struct):
    type: str = ""


_TOOL = msgspec.json.Decoder(_Tool)


def usage(counts: Counts, used: ToolUse, tools: Sequence[Raw]) -> Usage:
    """Return `usage` in disjoint buckets, with what was `used` of the `tools` that the answer names as offered."""
    ins, outs = counts.input_tokens_details or InputDetails(), counts.output_tokens_details or OutputDetails()
    read, cached, written, image_in, audio_in = split_prompt(
        counts.input_tokens or 0,
        cached=ins.cached_tokens or 0,
        written=ins.cache_write_tokens or 0,
        image=ins.image_tokens or 0,
        audio=ins.audio_tokens or 0,
    )
    preview = used.searches and any(_TOOL.decode(t).type.startswith("web_search_preview") for t in tools)
    reasoning, image_out, audio_out = outs.reasoning_tokens or 0, outs.image_tokens or 0, outs.audio_tokens or 0
    return Usage(
        input=read,
        cache_read=cached,
        cache_write_5m=written,
        input_image=image_in,
        input_audio=audio_in,
        output=max(0, (counts.output_tokens or 0) - reasoning - image_out - audio_out),
        reasoning=reasoning,
        output_image=image_out,
        output_audio=audio_out,
        web_searches=0 if preview else used.searches,
        preview_searches=used.searches if preview else 0,
        file_searches=used.file_searches,
        pictures=tuple(used.pictures),
    )


def _texts(value: Any) -> list[TextPart]:
    return msgspec.convert(value, list[TextPart]) if isinstance(value, list) else []


def _content(part: ContentPart) -> Part | None:
    if part.type == "refusal":
        return Refusal(part.refusal) if part.refusal else None
    return Text(part.text, citations=citations(part.annotations)) if part.text else None
