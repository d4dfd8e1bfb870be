"""Seals in Gemini's slot, `thoughtSignature`, which is bytes: Google's SDKs take nothing there but base64."""

from __future__ import annotations

from base64 import b64encode, urlsafe_b64decode

from newapi.ir import seal
from newapi.ir.seal import Seal

_MARK = "bmV3YXBpL"
"""How base64 of the envelope of `ir.seal` begins."""


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
