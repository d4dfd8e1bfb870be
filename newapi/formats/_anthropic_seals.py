"""Thoughts that Anthropic did not sign, taken out of a request that goes to Anthropic as it came.

A caller's conversation may have been answered by another vendor before: its thoughts lie in blocks that Anthropic,
which checks every signature, refuses.
"""

from __future__ import annotations

import re
from typing import Any, cast

import msgspec
from msgspec import Raw

from newapi.base.body import Body
from newapi.formats._anthropic_blocks import ORIGIN
from newapi.formats._anthropic_turns import answers_thoughtless_call
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


def think_no_more(body: Body) -> None:
    """Take the wish to think out of a request that goes on from a call which was made without thoughts.

    Anthropic refuses it, and another vendor has made the call, or thoughts of its own before it that were taken out.
    Nothing else than thoughts is cleared by `clear_thinking_*`, which then has to go too.
    """
    thinking: Any = body.get("thinking")
    raw = body.raw("messages")
    if not isinstance(thinking, dict) or cast("dict[str, Any]", thinking).get("type") != "enabled" or raw is None:
        return
    try:
        # Only the last ones are looked at, of what may be a megabyte.
        messages = msgspec.json.decode(raw, type=list[Raw])
        if not answers_thoughtless_call(msgspec.json.decode(m, type=dict[str, Any]) for m in reversed(messages)):
            return
    except (msgspec.DecodeError, KeyError, TypeError):
        return  # Anthropic says what is wrong with it
    body.drop("thinking")
    management: Any = body.get("context_management")
    if isinstance(management, dict):
        said = cast("dict[str, Any]", management)
        edits = [e for e in said.get("edits") or () if b'"clear_thinking_' not in msgspec.json.encode(e)]
        if edits:
            body.set("context_management", {**said, "edits": edits})
        else:
            body.drop("context_management")


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
