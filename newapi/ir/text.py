"""Requests that are only passed on: what has to be known of them."""

from __future__ import annotations

from msgspec import Struct


class TextRequest(Struct, frozen=True):
    """Who is asked, and the text that is spoken or judged; it is counted where the upstream does not count."""

    model: str
    text: str
