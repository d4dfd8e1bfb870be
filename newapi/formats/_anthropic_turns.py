"""The turns of a conversation as Anthropic's messages.

Source: https://docs.claude.com/en/api/messages#body-messages
"""

from __future__ import annotations

import binascii
import re
from collections.abc import Callable, Iterable
from typing import Any, cast

from msgspec import Raw

from newapi.base.errors import CallerError, Unsupported
from newapi.formats._anthropic_blocks import ORIGIN, REDACTED
from newapi.formats.contract import Profile
from newapi.ir.arguments import as_object
from newapi.ir.request import (
    CacheMark,
    Inline,
    Media,
    Message,
    Native,
    Part,
    Reasoning,
    Refusal,
    Request,
    Text,
    ToolCall,
    ToolResult,
    Url,
)

Json = dict[str, Any]
_Content = str | list[Json | Raw]

FILLER = "..."
"""Stands for a turn that says nothing, where Anthropic wants one: New API's."""
_TEXTUAL = frozenset(("application/json", "application/xml", "application/x-javascript", "application/javascript"))
_UNSAFE = re.compile(r"[^a-zA-Z0-9_-]")


def safe_id(id: str) -> str:
    """Return `id` as Anthropic takes it (`^[a-zA-Z0-9_-]+$`); one id always becomes the same."""
    return _UNSAFE.sub("_", id) or "_"


def cache_control(mark: CacheMark | None) -> Json:
    """Return the `cache_control` field for `mark`, no field where there is none."""
    if mark is None:
        return {}
    return {"cache_control": {"type": "ephemeral", **({"ttl": mark.ttl} if mark.ttl else {})}}


class Turns:
    """Writes `messages`. Attributes are set by `write`.

    Attributes:
        answers_thoughtless_call: Whether the conversation goes on from a tool's answer to a call that no thoughts come
            before, which Anthropic refuses while it thinks.
    """

    def __init__(self, request: Request, profile: Profile, lose: Callable[[str], None]) -> None:
        self._request = request
        self._echoes = profile.reasoning_echo != "never"
        self._adaptive = profile.reasoning == "adaptive"
        self._lose = lose
        self._chat = request.origin == "openai_chat"
        self.answers_thoughtless_call = False

    def write(self) -> list[Json]:
        """Return the messages: the first one is the user's, and tools answer in the turn after the calls."""
        out: list[Json] = []
        for message in self._request.messages:
            if message.role != "system":
                self._add(message, out)
        if not out or out[0]["role"] != "user":
            out.insert(0, {"role": "user", "content": [{"type": "text", "text": FILLER}]})
        self.answers_thoughtless_call = not self._adaptive and answers_thoughtless_call(reversed(out))
        if self._chat:
            for message in out:
                _fill(message)
        _trim_prefill(out[-1])
        return out

    def _add(self, message: Message, out: list[Json]) -> None:
        content = self._content(message)
        if content is None:
            return
        last = out[-1] if out else None
        if last is not None and last["role"] == message.role and self._is_one_turn(last["content"], content):
            last["content"] = _merged(last["content"], content, self._chat)
        else:
            out.append({"role": message.role, "content": content})

    def _is_one_turn(self, before: _Content, after: _Content) -> bool:
        """Anthropic joins turns of one role itself; what New API leaves apart of OpenAI's callers is left apart."""
        if not self._chat or (isinstance(before, str) and isinstance(after, str)):
            return True
        return _has(after, "tool_result") or _has(before, "tool_use") or _has(after, "tool_use")

    def _content(self, message: Message) -> _Content | None:
        """Return the content, None for a turn that says nothing and is not needed."""
        if (
            message.plain
            and len(message.parts) <= 1
            and all(isinstance(p, Text) and not p.cache for p in message.parts)
        ):
            text = "".join(p.text for p in message.parts if isinstance(p, Text))
            return text if text.strip() else FILLER if self._chat else None
        results: list[Json | Raw] = []
        rest: list[Json | Raw] = []
        for part in message.parts:
            block = self._block(part)
            if block is not None:
                (results if isinstance(part, ToolResult) else rest).append(block)
        found = results + rest
        if found:
            return found
        return FILLER if self._chat and not any(isinstance(p, Reasoning | Native) for p in message.parts) else None

    def _block(self, part: Part) -> Json | Raw | None:
        match part:
            case Text():
                return {"type": "text", "text": part.text, **cache_control(part.cache)} if part.text.strip() else None
            case Refusal():
                return {"type": "text", "text": part.text} if part.text.strip() else None
            case Media():
                return media_block(part, titled=not self._chat)
            case ToolCall():
                return {
                    "type": "tool_use",
                    "id": safe_id(part.id),
                    "name": part.name,
                    "input": as_object(part.args, custom=part.custom),
                    **cache_control(part.cache),
                }
            case ToolResult():
                return self._result(part)
            case Reasoning():
                return self._reasoning(part)
            case Native():
                if part.origin == ORIGIN:
                    return part.body
                self._lose("parts.native")
                return None

    def _reasoning(self, part: Reasoning) -> Json | None:
        seal = part.seal
        if seal is not None and seal.origin == ORIGIN:
            if seal.id == REDACTED:
                return {"type": "redacted_thinking", "data": seal.data}
            # Without its text, where a client keeps signatures alone (Gemini CLI): Anthropic reads the thought in its
            # signature, https://platform.claude.com/docs/en/build-with-claude/extended-thinking
            return {"type": "thinking", "thinking": part.text, "signature": seal.data}
        if self._echoes and part.text:
            # Vendors that speak this format without signing.
            return {"type": "thinking", "thinking": part.text, "signature": ""}
        self._lose("parts.reasoning")
        return None

    def _result(self, part: ToolResult) -> Json:
        out: Json = {"type": "tool_result", "tool_use_id": safe_id(part.id)}
        if part.plain and all(isinstance(p, Text) for p in part.parts):
            out["content"] = "".join(p.text for p in part.parts if isinstance(p, Text))
        else:
            content: list[Json] = []
            for p in part.parts:
                if isinstance(p, Media):
                    content.append(media_block(p, titled=not self._chat))
                elif p.text.strip():
                    content.append({"type": "text", "text": p.text, **cache_control(p.cache)})
            out["content"] = content
        if part.error:
            out["is_error"] = True
        return out | cache_control(part.cache)


def media_block(media: Media, *, titled: bool = True) -> Json:
    """Return a picture or document; what else there is goes as a picture, and the upstream says whether it takes it.

    Args:
        media: What is sent.
        titled: Whether the model is told a document's file name.

    Raises:
        Unsupported: It is stored at another vendor.
        CallerError: A text's base64 is broken.
    """
    kind = "document" if media.kind == "document" else "image"
    match media.source:
        case Url(url=url):
            source: Json = {"type": "url", "url": url}
        case Inline(data=data):
            mime = media.mime.partition(";")[0].strip().lower()
            if kind == "document" and (mime.startswith("text/") or mime in _TEXTUAL):
                source = {"type": "text", "media_type": "text/plain", "data": _decoded(data)}
            else:
                mime = "image/jpeg" if mime == "image/jpg" else mime
                source = {"type": "base64", "media_type": mime or _default_mime(kind), "data": data}
        case file:
            if file.origin != ORIGIN:
                raise Unsupported(f"file {file.id!r} is stored at another vendor", param="messages")
            source = {"type": "file", "file_id": file.id}
    out: Json = {"type": kind, "source": source}
    if titled and kind == "document" and media.name:
        out["title"] = media.name
    return out | cache_control(media.cache)


def _decoded(data: str) -> str:
    try:
        return binascii.a2b_base64(data).decode("utf-8", "replace")
    except binascii.Error as e:
        raise CallerError(f"a document is no base64: {e}", param="messages") from None


def _default_mime(kind: str) -> str:
    return "application/pdf" if kind == "document" else "image/png"


def _has(content: _Content, kind: str) -> bool:
    return not isinstance(content, str) and any(isinstance(b, dict) and b.get("type") == kind for b in content)


def _as_blocks(content: _Content) -> list[Json | Raw]:
    return [{"type": "text", "text": content}] if isinstance(content, str) else content


def _merged(before: _Content, after: _Content, chat: bool) -> _Content:
    if isinstance(before, str) and isinstance(after, str) and chat:
        return f"{before} {after}"
    blocks = _as_blocks(before) + _as_blocks(after)
    # Tools answer before anything else is said.
    return sorted(blocks, key=lambda b: not (isinstance(b, dict) and b.get("type") == "tool_result"))


def _fill(message: Json) -> None:
    """Put New API's filler before calls that no text and no thought comes before."""
    content: _Content = message["content"]
    if message["role"] == "assistant" and not isinstance(content, str):
        first = content[0]
        if isinstance(first, dict) and first.get("type") == "tool_use":
            content.insert(0, {"type": "text", "text": FILLER})


def _trim_prefill(message: Json) -> None:
    """A last turn of the assistant's is where the answer begins; white space at its end is refused."""
    if message["role"] != "assistant":
        return
    content: _Content = message["content"]
    if isinstance(content, str):
        message["content"] = content.rstrip()
        return
    last = content[-1]
    if isinstance(last, dict) and last.get("type") == "text":
        last["text"] = cast(str, last["text"]).rstrip()


def answers_thoughtless_call(backwards: Iterable[Json]) -> bool:
    """Return whether a conversation, from its end on, has a call without thoughts since the user last spoke himself."""
    for message in backwards:
        content: _Content = message["content"]
        if message["role"] == "user":
            if not _has(content, "tool_result"):
                return False
        elif _has(content, "tool_use"):
            first = _as_blocks(content)[0]
            if not (isinstance(first, dict) and first.get("type") in ("thinking", "redacted_thinking")):
                return True
    return False
