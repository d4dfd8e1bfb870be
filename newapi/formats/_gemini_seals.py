"""Seals in Gemini's slot, `thoughtSignature`, which is bytes: Google's SDKs take nothing there but base64."""

from __future__ import annotations

from base64 import b64encode, urlsafe_b64decode
from typing import Any, cast

from newapi.base.body import Body
from newapi.ir import seal
from newapi.ir.seal import Seal

_MARK = "bmV3YXBpL"
"""How base64 of the envelope of `ir.seal` begins."""
DUMMY_SIGNATURE = "context_engineering_is_the_way_to_go"
"""Stands for the signature of a turn that another model made; Google documents it for this."""


def pack(held: Seal) -> str:
    """Return the signature that stands for `held`: Gemini's own as it is, another vendor's in an envelope."""
    if held.origin == "gemini":
        return held.data
    return b64encode(seal.pack(held, "gemini").encode()).decode()


def unpack(signature: str) -> Seal:
    """Return the seal that a signature stands for. SDKs send it back in either alphabet of base64."""
    if signature.startswith(_MARK):
        text = signature.translate({ord("+"): "-", ord("/"): "_"})
        try:
            return seal.unpack(urlsafe_b64decode(text + "=" * (-len(text) % 4)).decode(), "gemini")
        except ValueError:
            return Seal("gemini", signature)
    return Seal("gemini", signature)


def drop_foreign_signatures(body: Body) -> None:
    """Take another vendor's seals out of a request that goes to Gemini as it came; Google refuses what it did not sign.

    A part of an answer of another vendor's, in a conversation that has moved, then has the signature that Google has
    for such.
    """
    raw = body.raw("contents")
    if raw is None or _MARK.encode() not in bytes(raw):
        return
    contents: Any = body.get("contents")
    if not isinstance(contents, list):
        return
    body.set("contents", [_own(c) for c in cast("list[Any]", contents)])


def _own(content: Any) -> Any:
    said = cast("dict[str, Any]", content) if isinstance(content, dict) else {}
    parts: Any = said.get("parts")
    if not isinstance(parts, list):
        return cast("object", content)
    return {**said, "parts": [_own_part(p) for p in cast("list[Any]", parts)]}


def _own_part(part: Any) -> Any:
    if not isinstance(part, dict):
        return part
    said = cast("dict[str, Any]", part)
    foreign = (k for k in ("thoughtSignature", "thought_signature") if str(said.get(k, "")).startswith(_MARK))
    return said | dict.fromkeys(foreign, DUMMY_SIGNATURE)
