"""Formats: how a request, an answer, a stream and an error are said. Pure: bytes in, bytes out."""

from __future__ import annotations

from typing import cast

from newapi.base import registry
from newapi.formats.contract import Format


def names() -> tuple[str, ...]:
    """Return every format's name, sorted; imports none of them."""
    return registry.names("newapi.formats")


def get(name: str) -> Format:
    """Return one format.

    Raises:
        LookupError: There is no such format; the message names the nearest.
    """
    return cast(Format, registry.load("newapi.formats", name, "FORMAT"))
