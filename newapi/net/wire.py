"""A call as HTTP/1.1 bytes."""

from __future__ import annotations

from functools import lru_cache
from typing import NamedTuple
from urllib.parse import urlsplit

from newapi.base.errors import UpstreamError
from newapi.base.http import HttpCall


class Origin(NamedTuple):
    """Where a connection leads."""

    tls: bool
    host: str
    port: int


@lru_cache(4096)
def split(url: str) -> tuple[Origin, str, str]:
    """Return (origin, request target, Host header) of an absolute URL.

    Raises:
        UpstreamError: It is not an http or https URL with a host.
    """
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        raise UpstreamError("the channel's base_url is not a URL", kind="refused") from None
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise UpstreamError("the channel's base_url is not an http or https URL", kind="refused")
    tls = parts.scheme == "https"
    origin = Origin(tls, parts.hostname, port or (443 if tls else 80))
    host = f"[{parts.hostname}]" if ":" in parts.hostname else parts.hostname
    if port and port != (443 if tls else 80):
        host = f"{host}:{port}"
    target = parts.path or "/"
    return origin, f"{target}?{parts.query}" if parts.query else target, host


def head(call: HttpCall) -> tuple[Origin, bytes]:
    """Return the origin and the whole request, head and body in one piece, so that it is one write.

    Raises:
        UpstreamError: The URL is not one, or a header has a line break in it.
    """
    origin, target, host = split(call.url)
    lines = [f"{call.method} {target} HTTP/1.1\r\nhost: {host}\r\naccept-encoding: identity\r\n"]
    for name, value in call.headers:
        if name in ("host", "content-length", "transfer-encoding", "connection", "accept-encoding"):
            if name == "host":
                lines[0] = lines[0].replace(f"host: {host}", f"host: {value}", 1)
            continue
        lines.append(f"{name}: {value}\r\n")
    if call.body or call.method in ("POST", "PUT", "PATCH"):
        lines.append(f"content-length: {len(call.body)}\r\n")
    text = "".join(lines)
    if text.count("\r\n") != len(lines) + 2 or "\n" in text.replace("\r\n", "") or " " in target:
        raise UpstreamError("a header or the URL of the channel has a line break or a space in it", kind="refused")
    try:
        return origin, text.encode("latin-1") + b"\r\n" + call.body
    except UnicodeEncodeError:
        raise UpstreamError("a header of the channel has a character that HTTP cannot say", kind="refused") from None
