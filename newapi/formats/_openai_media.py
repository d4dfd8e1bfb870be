"""OpenAI's ways of putting pictures, sounds, films and documents into JSON, both directions."""

from __future__ import annotations

import binascii
from typing import Any, Literal
from urllib.parse import unquote_to_bytes

from newapi.base.errors import Unsupported
from newapi.ir.request import FileRef, Inline, Media, Url

ORIGIN = "openai_chat"
"""Whose file ids these are."""

_MAGIC = {"iVBORw0KGgo": "image/png", "/9j/": "image/jpeg", "R0lGOD": "image/gif", "UklGR": "image/webp"}
_EXTENSIONS = {
    "pdf": "application/pdf",
    "txt": "text/plain",
    "md": "text/markdown",
    "csv": "text/csv",
    "html": "text/html",
    "json": "application/json",
}
_NAMES = {v: f"document.{k}" for k, v in _EXTENSIONS.items()}
_SOUNDS = {"mpeg": "mp3", "x-wav": "wav", "wave": "wav", "x-m4a": "m4a"}


def source_of(text: str) -> tuple[str, Url | Inline]:
    """Return (MIME type or "", source) of a URL, a data URL or bare base64, which vendors take for one another."""
    if text.startswith(("http://", "https://", "gs://")):
        return "", Url(text)
    if not text.startswith("data:"):
        return next((m for magic, m in _MAGIC.items() if text.startswith(magic)), ""), Inline(text)
    head, _, data = text[5:].partition(",")
    mime, *options = head.split(";")
    if "base64" in options:
        return mime, Inline("".join(data.split()) if any(c.isspace() for c in data) else data)
    return mime or "text/plain", Inline(binascii.b2a_base64(unquote_to_bytes(data), newline=False).decode())


def image_of(value: Any) -> Media | None:
    """Return the picture of an `image_url`, an object or a bare string; None when there is none."""
    url = value.get("url") if isinstance(value, dict) else value  # pyright: ignore[reportUnknownMemberType, reportUnknownVariableType]  # JSON
    if not isinstance(url, str) or not url:
        return None
    detail = value.get("detail") if isinstance(value, dict) else ""  # pyright: ignore[reportUnknownMemberType, reportUnknownVariableType]  # JSON
    mime, source = source_of(url)
    return Media("image", mime, source, detail=detail if isinstance(detail, str) else "")


def document_of(file: dict[str, Any]) -> Media | None:
    """Return the document of a `file` object, None when it holds neither an id nor data."""
    name = file.get("filename")
    name = name if isinstance(name, str) else ""
    if isinstance(data := file.get("file_data"), str) and data:
        mime, source = source_of(data)
        mime = mime or _EXTENSIONS.get(name.rpartition(".")[2].lower(), "application/pdf")
        return Media(kind_of(mime), mime, source, name=name)
    if isinstance(id := file.get("file_id"), str) and id:
        return Media("document", "", FileRef(id, ORIGIN), name=name)
    return None


def kind_of(mime: str) -> Literal["image", "audio", "video", "document"]:
    """Return what a MIME type is, a document where it is nothing else."""
    head = mime.partition("/")[0]
    return "image" if head == "image" else "audio" if head == "audio" else "video" if head == "video" else "document"


def data_url(media: Media) -> str:
    """Return where the media is: its URL, or its bytes as a data URL.

    Raises:
        Unsupported: It is in some vendor's file storage.
    """
    match media.source:
        case Url():
            return media.source.url
        case Inline():
            return f"data:{media.mime or 'application/octet-stream'};base64,{media.source.data}"
        case FileRef():
            raise Unsupported(f"a file stored at another vendor ({media.source.id}) cannot be sent here")


def content_part(media: Media) -> dict[str, Any]:
    """Return the content part of a user message that holds `media`.

    Raises:
        Unsupported: OpenAI chat has no way to say it: a document or a sound by URL, a foreign file id.
    """
    source = media.source
    if isinstance(source, FileRef) and source.origin == ORIGIN:
        return {"type": "file", "file": {"file_id": source.id}}
    match media.kind:
        case "image":
            image = {"url": data_url(media)}
            return {"type": "image_url", "image_url": image | ({"detail": media.detail} if media.detail else {})}
        case "video":
            return {"type": "video_url", "video_url": {"url": data_url(media)}}
        case "audio":
            if not isinstance(source, Inline):
                raise Unsupported("OpenAI chat takes a sound as data only, not by URL")
            form = media.mime.partition(";")[0].rpartition("/")[2]
            return {"type": "input_audio", "input_audio": {"data": source.data, "format": _SOUNDS.get(form, form)}}
        case "document":
            if not isinstance(source, Inline):
                raise Unsupported("OpenAI chat takes a document as data only, not by URL")
            name = media.name or _NAMES.get(media.mime, "document")
            return {"type": "file", "file": {"filename": name, "file_data": data_url(media)}}


def markdown(media: Media) -> str:
    """Return a produced picture, film or document as Markdown, "" when only its vendor can reach it."""
    if isinstance(media.source, FileRef):
        return ""
    return f"{'!' if media.kind == 'image' else ''}[{media.name or media.kind}]({data_url(media)})"
