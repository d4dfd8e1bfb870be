"""Whether the certificates of upstreams are good, and for how long."""

from __future__ import annotations

import socket
import ssl
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from urllib.parse import urlsplit

from msgspec import Struct

SECONDS = 5.0
"""How long a server may take to show its certificate."""
_AT_ONCE = 8
_NOT_YET, _EXPIRED = 9, 10
"""OpenSSL's numbers for a certificate that does not hold yet, or no more. Source:
https://docs.openssl.org/3.0/man3/X509_STORE_CTX_get_error/ (read 2026-11-24)"""


class Shown(Struct, frozen=True):
    """What a server showed.

    Attributes:
        until: When its certificate ends, unix seconds; 0 where it showed none that is good.
        problem: Why not, or "".
        is_time: Whether it does not hold at this moment: the certificate's fault, or the clock's.
    """

    host: str
    port: int
    until: float = 0
    problem: str = ""
    is_time: bool = False


Show = Callable[[str, int], Shown]


def places(urls: Iterable[str]) -> list[tuple[str, int]]:
    """Return host and port of each `https` URL, sorted and none twice."""
    parts = [urlsplit(url) for url in urls]
    return sorted({(p.hostname, p.port or 443) for p in parts if p.scheme == "https" and p.hostname})


def shown(host: str, port: int, *, context: ssl.SSLContext | None = None) -> Shown:
    """Ask a server for its certificate, and check it as requests to it do."""
    context = context or ssl.create_default_context()
    try:
        with (
            socket.create_connection((host, port), SECONDS) as plain,
            context.wrap_socket(plain, server_hostname=host) as secure,
        ):
            found = secure.getpeercert() or {}
    except ssl.SSLCertVerificationError as error:
        is_time = error.verify_code in (_NOT_YET, _EXPIRED)
        return Shown(host, port, problem=error.verify_message.lower(), is_time=is_time)
    except OSError as error:
        return Shown(host, port, problem=(error.strerror or str(error) or "it does not answer").lower())
    return Shown(host, port, until=float(ssl.cert_time_to_seconds(str(found["notAfter"]))))


def all_shown(asked: Iterable[tuple[str, int]], show: Show = shown) -> list[Shown]:
    """Return what several servers show, asked a few at a time, in their order."""
    with ThreadPoolExecutor(_AT_ONCE) as pool:
        return list(pool.map(lambda place: show(*place), asked))
