"""Providers: who is asked. One file each; the file's name is the channel type. Pure: no I/O."""

from __future__ import annotations

from typing import cast

from newapi.base import registry
from newapi.providers.contract import Provider


def names() -> tuple[str, ...]:
    """Return every provider's name, sorted; imports none of them."""
    return registry.names("newapi.providers")


def get(name: str) -> Provider:
    """Return one provider.

    Raises:
        LookupError: There is no such provider; the message names the nearest.
    """
    return cast(Provider, registry.load("newapi.providers", name, "PROVIDER"))
