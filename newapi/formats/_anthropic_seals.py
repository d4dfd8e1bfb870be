"""Thoughts that Anthropic did not sign, taken out of a request that goes to Anthropic as it came.

A caller's conversation may have been answered by another vendor before: its thoughts lie in blocks that Anthropic,
which checks every signature, refuses.
"""

from __future__ import annotations

import re
from typing import Any, cast

import msgspec

from newapi.base.body import Body
from newapi.formats._anthropic_blocks import ORIGIN
from newapi.ir.seal import unpack

_SUSPECT = re.compile(rb'"(?:signature|data)"\s*:\s*"(?:"|newapi\.)')


def drop_foreign_thoughts(body: Body) -> None:
    """Take blocks of thoughts without a signature, or with another vendor's, out of `messages`."""
    raw = body.raw("messages")
    if raw is None or _SUSPECT.search(raw) is None:
        return
    messages: Any = msgspec.json.decode(raw)
    if not isinstance(messages, list):
        return
    kept: list[Any] = []
    for message in cast("list[Any]", messages):
        content: Any = cast("dict[str, Any]", message).get("content") if isinstance(message, dict) else None
        if isinstance(content, list):
            blocks = [b for b in cast("list[Any]", content) if not _is_foreign(b)]
            if not blocks and content:
                continue
            message = {**cast("dict[str, Any]", message), "content": blocks}
        kept.append(message)
    body.set("messages", kept)


def _is_foreign(block: Any) -> bool:
    if not isinstance(block, dict):
        return False
    said = cast("dict[str, Any]", block)
    match said.get("type"):
        case "thinking":
            slot = said.get("signature")
        case "redacted_thinking":
            slot = said.get("data")
        case _:
            return False
    return not isinstance(slot, str) or not slot or unpack(slot, ORIGIN).origin != ORIGIN
