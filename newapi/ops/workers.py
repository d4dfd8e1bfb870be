"""A running server is asked which processes it is, and told to reload or to come to its end."""

from __future__ import annotations

import msgspec

from newapi.base.errors import NewapiError
from newapi.base.secret import Secret
from newapi.ops.processes import Processes
from newapi.ops.remote import call, check


def processes(server: str, token: Secret | None = None, *, timeout: float = 5.0) -> Processes:
    """Return the processes of a running server.

    Args:
        server: As for `newapi.ops.remote.connected`.
        token: A root user's access token; the admin socket wants none.
        timeout: Seconds.

    Raises:
        Unreachable: It does not answer.
        NewapiError: It refuses, or is of another version.
    """
    return _ask(server, "GET", "workers", token, timeout)


def reload(server: str, token: Secret | None = None) -> Processes:
    """Make a running server read `[server]`, `[limits]` and `[log]` again; return its processes of before.

    Raises:
        ConfigError: The file is not valid; nothing has changed.
    """
    return _ask(server, "POST", "reload", token)


def drain(server: str, token: Secret | None = None) -> Processes:
    """Make a running server take no more connections and end with its last request; return its processes."""
    return _ask(server, "POST", "drain", token)


def _ask(server: str, method: str, path: str, token: Secret | None, timeout: float = 30.0) -> Processes:
    answer = call(server, method, f"/api/manage/{path}", token, timeout=timeout)
    check(answer)
    try:
        return msgspec.convert(answer.body["data"], Processes)
    except (msgspec.ValidationError, KeyError, TypeError) as error:
        raise NewapiError(f"The server's answer is not understood by this version: {error}") from None
