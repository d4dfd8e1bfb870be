"""Talking to a running server: over its address, or its socket."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import msgspec
from msgspec import Struct

from newapi.base.errors import CallerError, Conflict, NewapiError, NotFound
from newapi.base.secret import Secret
from newapi.ops.health import base_url
from newapi.ops.listening import answers
from newapi.ops.tunnel import reached

DENIED = (401, 403)


class Unreachable(NewapiError):
    """The server does not answer, or the connection broke."""

    code = "unreachable"

    def __init__(self, server: str, why: object) -> None:
        super().__init__(f"{server} does not answer: {why}")
        self.hint = "newapi serve starts one; --server says where another one is"


class NotSignedIn(CallerError):
    """No credential was shown."""

    status = 401
    code = "not_signed_in"

    def __init__(self, message: str, *, hint: str) -> None:
        super().__init__(message)
        self.hint = hint


class Answer(Struct, frozen=True):
    """What a server said: `body` is decoded JSON, or text."""

    status: int
    body: Any


@contextmanager
def connected(server: str, *, timeout: float) -> Iterator[httpx.Client]:
    """Give a client of the server, whose failures are told as `Unreachable`.

    Args:
        server: Its URL, or what it listens on as the configuration says it: `host:port`, `unix:/path`; or `ssh://…`.
        timeout: Seconds of silence.
    """
    named, server = server, reached(server)
    if server.startswith("unix:") and not answers(Path(server.removeprefix("unix:"))):
        # httpx would leave the socket open that it could not connect.
        raise Unreachable(server, "nothing listens there, or it is not ours to open")
    url, socket_path = base_url(server), server.removeprefix("unix:") if server.startswith("unix:") else None
    # Without TLS no certificates are read, which takes longer than an answer does; redirects are not followed.
    transport = None if url.startswith("https:") else httpx.HTTPTransport(uds=socket_path, verify=False)
    try:
        # No proxy of the environment: the server is this machine's, or the URL is said.
        with httpx.Client(base_url=url, transport=transport, timeout=timeout, trust_env=False) as http:
            yield http
    except httpx.TimeoutException:
        raise Unreachable(named, f"nothing for {timeout:g} seconds") from None
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        raise Unreachable(named, error) from None


def call(
    server: str,
    method: str,
    path: str,
    token: Secret | None,
    body: bytes | None = None,
    *,
    timeout: float = 30.0,
    headers: Mapping[str, str] | None = None,
) -> Answer:
    """Ask the management API.

    Args:
        server: As for `connected`.
        method: GET, POST, ….
        path: Below the server's root, with its query.
        token: A user's access token; None shows none.
        body: JSON.
        timeout: Seconds.
        headers: Sent beside the others, in small letters.

    Raises:
        Unreachable: The server does not answer.
    """
    sent = {"content-type": "application/json"} if body is not None else {}
    if token is not None:
        sent["authorization"] = f"Bearer {token.reveal()}"
    sent |= headers or {}
    with connected(server, timeout=timeout) as http:
        reply = http.request(method, path, content=body, headers=sent)
    try:
        return Answer(reply.status_code, msgspec.json.decode(reply.content))
    except msgspec.DecodeError:
        return Answer(reply.status_code, reply.text)


def check(answer: Answer) -> None:
    """Return when the server did what it was asked.

    Raises:
        CallerError: It did not: 401 or 403, not allowed.
        NotFound: There is no such thing, or no such path.
        Conflict: It exists, or was changed since.
        NewapiError: Anything else.
    """
    body: dict[str, Any] = answer.body if isinstance(answer.body, dict) else {}
    if answer.status < 400 and body.get("success", True):
        return
    said: Any = body.get("message") or body.get("error") or answer.body
    message = said if isinstance(said, str) and said else f"The server answered {answer.status}"
    match answer.status:
        case 401 | 403:
            raise CallerError(message, status=answer.status, code="denied")
        case 404:
            raise NotFound(message)
        case 409:
            raise Conflict(message)
        case _ if "access token" in message:  # told under 200, as New API does
            raise CallerError(message, status=401, code="denied")
        case _:
            raise NewapiError(message, code="refused")
