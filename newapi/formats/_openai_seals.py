"""Signed and encrypted reasoning in chat messages: `reasoning_details`, and Google's `extra_content`.

OpenRouter's entries are kept whole but for their text, as the seal's data: it wants `format`, `id` and `index` back.
Sources: https://openrouter.ai/docs/use-cases/reasoning-tokens#preserving-reasoning-blocks,
https://ai.google.dev/gemini-api/docs/thought-signatures#openai
"""

from __future__ import annotations

from typing import Any, cast

import msgspec

from newapi.formats._openai_usage import as_dict
from newapi.ir.request import Reasoning
from newapi.ir.seal import Seal, pack, unpack

ORIGIN = "openai_chat"


def text_of(entry: dict[str, Any]) -> str:
    """Return the text of one entry of `reasoning_details`, "" when it has none."""
    text = entry.get("text") or entry.get("summary")
    return text if isinstance(text, str) else ""


def seal_of(entry: dict[str, Any]) -> Seal | None:
    """Return the seal of one entry of `reasoning_details`, None when it is text only."""
    slot = entry.get("signature") or entry.get("data")
    if not isinstance(slot, str):
        return None
    seal = unpack(slot, ORIGIN)
    if seal.origin != ORIGIN:
        return seal
    kept = {k: v for k, v in entry.items() if k not in ("text", "summary") and v is not None}
    id = entry.get("id")
    return Seal(ORIGIN, msgspec.json.encode(kept).decode(), id if isinstance(id, str) else "")


def entries(reasoning: Reasoning, index: int) -> list[dict[str, Any]]:
    """Return the entries of `reasoning_details` that stand for one sealed reasoning part; none without a seal."""
    seal = reasoning.seal
    if seal is None:
        return []
    if seal.origin == ORIGIN:
        entry = _decoded(seal.data)
        if entry is not None:
            return _with_text(entry, reasoning.text)
    slot = pack(seal, ORIGIN)
    if reasoning.text:
        return [{"type": "reasoning.text", "text": reasoning.text, "signature": slot, "index": index}]
    return [{"type": "reasoning.encrypted", "data": slot, "index": index}]


def parts(details: Any, plain: str) -> list[Reasoning]:
    """Return the reasoning of a message: its `reasoning_details`, where there is none its plain text."""
    found: list[Reasoning] = []
    pending = ""
    listed = cast("list[Any]", details) if isinstance(details, list) else []
    told = [as_dict(e) for e in listed]
    if plain and not any(text_of(e) for e in told):
        pending = plain
    for entry in told:
        pending += text_of(entry)
        seal = seal_of(entry)
        if seal is not None:
            found.append(Reasoning(pending, seal, redacted=not pending))
            pending = ""
    if pending:
        found.append(Reasoning(pending))
    return found


def google(extra: Any) -> Seal | None:
    """Return the thought signature of an `extra_content` object, None when it has none."""
    signature = as_dict(as_dict(extra).get("google")).get("thought_signature")
    return unpack(signature, "gemini") if isinstance(signature, str) and signature else None


def extra_content(seal: Seal) -> dict[str, Any]:
    """Return the `extra_content` object that carries `seal`."""
    return {"google": {"thought_signature": pack(seal, "gemini")}}


def _decoded(data: str) -> dict[str, Any] | None:
    try:
        return msgspec.json.decode(data, type=dict[str, Any])
    except msgspec.DecodeError:
        return None


def _with_text(entry: dict[str, Any], text: str) -> list[dict[str, Any]]:
    if not text:
        return [entry]
    if entry.get("type") != "reasoning.encrypted":
        return [{**entry, "text": text}]
    common = {k: v for k, v in entry.items() if k in ("id", "format", "index")}
    return [{**common, "type": "reasoning.summary", "summary": text}, entry]
