"""A running server is asked which processes it is, and told to reload or to come to its end."""

from __future__ import annotations

import os
import time

import msgspec

from newapi.base.errors import NewapiError
from newapi.base.secret import Secret
from newapi.ops.local import Local, admin_socket
from newapi.ops.processes import Processes
from newapi.ops.remote import call, check

_LOOK_SECONDS = 0.05


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


def running(local: Local, *, timeout: float = 5.0) -> Processes | None:
    """Return the processes of this machine's server; None when none answers on the admin socket."""
    socket = admin_socket(local.config.server, local.path)
    if socket is None or not socket.exists():
        return None
    try:
        return processes(f"unix:{socket}", timeout=timeout)
    except NewapiError:  # it comes or goes just now, or is of another version
        return None


def reload(server: str, token: Secret | None = None) -> Processes:
    """Make a running server read `[server]`, `[limits]` and `[log]` again; return its processes of before.

    Raises:
        ConfigError: The file is not valid; nothing has changed.
    """
    return _ask(server, "POST", "reload", token)


def drain(server: str, token: Secret | None = None) -> Processes:
    """Make a running server take no more connections and end with its last request; return its processes."""
    return _ask(server, "POST", "drain", token)


def wait_for(pid: int) -> None:
    """Return when a process of this machine has ended."""
    while True:
        try:
            os.kill(pid, 0)
        except ProcessLookupError:
            return
        except PermissionError:  # it is there, and another user's
            pass
        time.sleep(_LOOK_SECONDS)


def _ask(server: str, method: str, path: str, token: Secret | None, timeout: float = 30.0) -> Processes:
    answer = call(server, method, f"/api/manage/{path}", token, timeout=timeout)
    check(answer)
    try:
        return msgspec.convert(answer.body["data"], Processes)
    except (msgspec.ValidationError, KeyError, TypeError) as error:
        raise NewapiError(f"The server's answer is not understood by this version: {error}") from None
