"""How what is declared lies in the database: as JSON of the schema's structs."""

from __future__ import annotations

from typing import Any, TypeVar

import msgspec

from newapi.base.errors import StoreError

T = TypeVar("T")


def encode(spec: Any) -> str:
    """Return the JSON of a spec."""
    return msgspec.json.encode(spec).decode()


def decode(text: str, type_: type[T], what: str) -> T:
    """Return the spec that `text` is the JSON of.

    Raises:
        StoreError: It is none; `what` says of what.
    """
    try:
        return msgspec.json.decode(text, type=type_)
    except msgspec.DecodeError as error:
        raise StoreError(f"The database's {what} is not understood by this version: {error}") from error
