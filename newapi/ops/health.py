"""Asks a running server whether it lives, and whether it can serve: the whole command in little time, for it is asked
every few seconds where a container's health is.
"""

from __future__ import annotations

import socket
from http import HTTPStatus
from http.client import HTTPConnection, HTTPException, HTTPSConnection
from typing import Literal
from urllib.parse import urlsplit

from newapi.base.errors import NewapiError
from newapi.ops.tunnel import reached

Check = Literal["live", "ready"]


class NotHealthy(NewapiError):
    """The server does not answer, or says that it cannot serve."""

    code = "not_healthy"


def ask(listen: str, check: Check, *, timeout: float = 5.0) -> None:
    """Return when the server says that it is well.

    Args:
        listen: Where it listens, as the configuration says it (`host:port`, `unix:/path`), its URL, or `ssh://…`.
        check: `live`: the process answers; `ready`: requests are served.
        timeout: Seconds for the whole answer.

    Raises:
        NotHealthy: It does not answer, or says anything else.
        NoTunnel: ssh does not get there.
    """
    path = reached(listen)
    connection = _connection(base_url(path), path.removeprefix("unix:") if path.startswith("unix:") else "", timeout)
    try:
        connection.request("GET", f"{urlsplit(base_url(path)).path}/health/{check}")
        status = connection.getresponse().status
    except TimeoutError:
        raise NotHealthy(f"{listen} did not answer within {timeout:g} seconds") from None
    except (OSError, HTTPException, ValueError) as error:
        raise NotHealthy(f"{listen} does not answer: {error}") from None
    finally:
        connection.close()
    if status != HTTPStatus.OK:
        raise NotHealthy(f"{listen} is not {check}: it answered {status}")


def _connection(url: str, path: str, timeout: float) -> HTTPConnection:
    """Return what asks a server, on a Unix socket where there is a `path`. No proxy of the environment is used."""
    if path:
        return _Unix(path, timeout)
    parts = urlsplit(url)
    kind = HTTPSConnection if parts.scheme == "https" else HTTPConnection
    try:
        return kind(parts.hostname or "", parts.port, timeout=timeout)
    except (ValueError, HTTPException) as error:
        raise NotHealthy(f"{url} is no server's: {error}") from None


class _Unix(HTTPConnection):
    def __init__(self, path: str, timeout: float) -> None:
        super().__init__("localhost", timeout=timeout)
        self._path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(self.timeout)
        self.sock.connect(self._path)


def base_url(listen: str) -> str:
    """Return the URL of a server by what it listens on; every address is asked for on this machine's own."""
    if "://" in listen:
        return listen.rstrip("/")
    if listen.startswith("unix:"):
        return "http://localhost"
    host, _, port = listen.rpartition(":")
    host = {"": "127.0.0.1", "0.0.0.0": "127.0.0.1", "[::]": "[::1]", "::": "[::1]"}.get(host, host)  # noqa: S104
    if ":" in host and not host.startswith("["):
        host = f"[{host}]"
    return f"http://{host}:{port}"
