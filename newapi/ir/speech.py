"""Text to be spoken, in the canonical form."""

from __future__ import annotations

from msgspec import Struct


class SpeechRequest(Struct, frozen=True):
    """A text to speak, and who is asked to."""

    model: str
    text: str
