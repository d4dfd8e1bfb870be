"""What a plugin says and hears: a call to make, and the reply to it. No I/O happens here."""

from __future__ import annotations

from collections.abc import Generator
from typing import TypeVar

from msgspec import Struct

T = TypeVar("T")

Headers = tuple[tuple[str, str], ...]
"""Header lines in order; names in lower case."""


class HttpCall(Struct, frozen=True):
    """One HTTP request to make: an absolute URL, header lines, the body's bytes."""

    method: str
    url: str
    headers: Headers = ()
    body: bytes = b""

    def __repr__(self) -> str:
        # The URL's query and the headers may hold keys.
        return f"HttpCall({self.method} {self.url.partition('?')[0]}, {len(self.body)} bytes)"


class HttpReply(Struct, frozen=True):
    """One whole HTTP reply: status, header lines (names in lower case), the body's bytes."""

    status: int
    headers: Headers = ()
    body: bytes = b""

    def header(self, name: str, default: str = "") -> str:
        """Return the first header called `name` (lower case), or `default`."""
        return next((v for k, v in self.headers if k == name), default)


Exchange = Generator[HttpCall, HttpReply, T]
"""A conversation without I/O: yields each call, is sent its reply, returns what was found out."""
