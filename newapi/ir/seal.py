"""Opaque data of one vendor, carried through another vendor's format."""

from __future__ import annotations

from base64 import urlsafe_b64decode, urlsafe_b64encode

import msgspec
from msgspec import Struct

_PREFIX = "newapi."


class Seal(Struct, frozen=True):
    """A vendor's signed or encrypted reasoning: only the vendor that made it can read it.

    Attributes:
        origin: The format whose vendor made it (`anthropic_messages`, `gemini`, `openai_responses`, …).
        data: The signature or the ciphertext, as it came.
        id: The vendor's id of the item it belongs to, or "".
    """

    origin: str
    data: str
    id: str = ""


def pack(seal: Seal, into: str) -> str:
    """Return text that stands for `seal` in a slot of format `into`: its own data there, else a marked envelope."""
    if seal.origin == into:
        return seal.data
    return _PREFIX + urlsafe_b64encode(msgspec.json.encode([seal.origin, seal.id, seal.data])).decode().rstrip("=")


def unpack(text: str, origin: str, id: str = "") -> Seal:
    """Return the seal that a slot of format `origin` holds: one packed by `pack`, else the format's own."""
    if text.startswith(_PREFIX):
        body = text[len(_PREFIX) :]
        try:
            made_by, its_id, data = msgspec.json.decode(
                urlsafe_b64decode(body + "=" * (-len(body) % 4)), type=tuple[str, str, str]
            )
        except (ValueError, msgspec.DecodeError):
            return Seal(origin, text, id)
        return Seal(made_by, data, its_id)
    return Seal(origin, text, id)
