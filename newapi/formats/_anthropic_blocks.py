"""Anthropic's content blocks as they are read, in requests and in answers.

Source: https://docs.claude.com/en/api/messages
"""

from __future__ import annotations

import binascii
from typing import Any, cast

import msgspec
from msgspec import Raw, Struct
from msgspec.structs import replace

from newapi.ir.request import CacheMark, Citation, FileRef, Inline, Media, Native, Reasoning, Text, ToolCall, Url
from newapi.ir.seal import Seal, unpack

ORIGIN = "anthropic_messages"
REDACTED = "redacted"
"""The id of a seal that is the data of a `redacted_thinking` block; that of a `thinking` block has none."""
ABSENT = Raw(b"null")
"""A raw value that is not there; JSON's null means the same to Anthropic."""


class Cache(Struct):
    type: str = "ephemeral"
    ttl: str | None = None

    def mark(self) -> CacheMark:
        return CacheMark(self.ttl or "")


class Block(Struct):
    """Any content block; which fields it has depends on `type`."""

    type: str = ""
    text: str | None = None
    thinking: str | None = None
    signature: str | None = None
    data: str | None = None
    id: str | None = None
    name: str | None = None
    input: Raw = ABSENT
    tool_use_id: str | None = None
    content: Raw = ABSENT
    is_error: bool | None = None
    source: Raw = ABSENT
    title: str | None = None
    context: str | None = None
    citations: Raw = ABSENT
    cache_control: Cache | None = None

    @property
    def mark(self) -> CacheMark | None:
        return self.cache_control.mark() if self.cache_control is not None else None


class Source(Struct):
    """Where the bytes of a picture or document are."""

    type: str = ""
    media_type: str | None = None
    data: str | None = None
    url: str | None = None
    file_id: str | None = None
    content: Raw = ABSENT


decode_block = msgspec.json.Decoder(Block).decode
decode_blocks = msgspec.json.Decoder(list[Raw]).decode
_decode_source = msgspec.json.Decoder(Source).decode


def begins(raw: Raw) -> bytes:
    """Return the first byte of a JSON text, which says what it is."""
    return bytes(memoryview(raw)[:1])


def reasoning_of(block: Block) -> Reasoning:
    """Return what a `thinking` or `redacted_thinking` block holds."""
    if block.type == "redacted_thinking":
        seal = seal_of(block.data)
        own = seal is not None and seal.origin == ORIGIN
        return Reasoning("", replace(seal, id=REDACTED) if seal is not None and own else seal, redacted=True)
    return Reasoning(block.thinking or "", seal_of(block.signature))


def seal_of(slot: str | None) -> Seal | None:
    """Return the seal in a slot, None when the slot is empty."""
    return unpack(slot, ORIGIN) if slot else None


def call_of(block: Block) -> ToolCall:
    """Return the call of a `tool_use` block; its input is the text that came, without white space."""
    args = msgspec.json.format(bytes(block.input), indent=-1).decode()
    return ToolCall(block.id or "", block.name or "", "{}" if args == "null" else args, cache=block.mark)


def text_of(block: Block) -> Text:
    """Return a `text` block."""
    return Text(block.text or "", cache=block.mark, citations=citations_of(block.citations))


def native_of(raw: Raw) -> Native:
    """Return a block that only Anthropic knows."""
    return Native(ORIGIN, raw)


def citations_of(raw: Raw) -> tuple[Citation, ...]:
    """Return the sources a text block names; none for a document's `citations` setting."""
    if begins(raw) != b"[":
        return ()
    listed: list[Any] = msgspec.json.decode(raw)
    return tuple(citation_of(cast("dict[str, Any]", c)) for c in listed if isinstance(c, dict))


def citation_of(said: dict[str, Any]) -> Citation:
    """Return one source. Its offsets are into the document, not into the text, so none are kept."""
    return Citation(
        url=_text(said.get("url")) or _text(said.get("source")),
        title=_text(said.get("title")) or _text(said.get("document_title")),
        text=_text(said.get("cited_text")),
    )


def parts_of_media(block: Block) -> list[Text | Media]:
    """Return what an `image`, `document` or `search_result` block holds; nothing where it has no source.

    A document that is a list of blocks, and a search result, are told as those blocks: no other format has them.
    """
    if block.type == "search_result":
        return _search_result(block)
    if begins(block.source) != b"{":
        return []
    source = _decode_source(block.source)
    kind = "image" if block.type == "image" else "document"
    mime, name = source.media_type or "", block.title or ""
    match source.type:
        case "base64" if source.data:
            return [Media(kind, mime, Inline(source.data), name=name, cache=block.mark)]
        case "text" if source.data:
            data = binascii.b2a_base64(source.data.encode(), newline=False).decode()
            return [Media("document", mime or "text/plain", Inline(data), name=name, cache=block.mark)]
        case "url" if source.url:
            # Anthropic takes PDFs by URL, no other documents.
            known = mime or ("application/pdf" if kind == "document" else "")
            return [Media(kind, known, Url(source.url), name=name, cache=block.mark)]
        case "file" if source.file_id:
            return [Media(kind, mime, FileRef(source.file_id, ORIGIN), name=name, cache=block.mark)]
        case "content":
            return _listed(source.content)
        case _:
            return []


def _search_result(block: Block) -> list[Text | Media]:
    where = msgspec.json.decode(block.source) if begins(block.source) == b'"' else ""
    head = "\n".join(t for t in (block.title, where) if t)
    return [*([Text(head)] if head else []), *_listed(block.content)]


def _listed(content: Raw) -> list[Text | Media]:
    match begins(content):
        case b'"':
            return [Text(msgspec.json.decode(content))]
        case b"[":
            parts: list[Text | Media] = []
            for raw in decode_blocks(content):
                block = decode_block(raw)
                parts += [text_of(block)] if block.type == "text" else parts_of_media(block)
            return parts
        case _:
            return []


def result_parts(content: Raw) -> tuple[tuple[Text | Media, ...], bool]:
    """Return what a tool answered, and whether it was said as one bare string."""
    plain = begins(content) != b"["
    return tuple(_listed(content)), plain


def _text(value: Any) -> str:
    return value if isinstance(value, str) else ""
