"""Asks a running server whether it lives, and whether it can serve."""

from __future__ import annotations

from typing import Literal

import httpx

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
    listen, named = reached(listen), listen
    url, path = base_url(listen), listen.removeprefix("unix:") if listen.startswith("unix:") else None
    # Without TLS no certificates are read, which takes longer than an answer does.
    transport = None if url.startswith("https:") else httpx.HTTPTransport(uds=path, verify=False)
    try:
        # No proxy of the environment: the server is this machine's, or the URL is said.
        with httpx.Client(transport=transport, timeout=timeout, trust_env=False) as client:
            answer = client.get(f"{url}/health/{check}")
    except httpx.TimeoutException:
        raise NotHealthy(f"{named} did not answer within {timeout:g} seconds") from None
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        raise NotHealthy(f"{named} does not answer: {error}") from None
    if answer.status_code != httpx.codes.OK:
        raise NotHealthy(f"{named} is not {check}: it answered {answer.status_code}")


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
