"""A running server is asked which processes it is, and told to reload or to come to its end."""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import TYPE_CHECKING

from newapi.base.errors import NewapiError
from newapi.base.secret import Secret
from newapi.config.schema import LogLevel
from newapi.ops.local import Local, admin_socket
from newapi.ops.processes import Processes

if TYPE_CHECKING:
    from newapi.ops.remote_gateway import RemoteGateway

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
    return _at(server, token, timeout).workers()


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
    return _at(server, token).reload()


def drain(server: str, token: Secret | None = None) -> Processes:
    """Make a running server take no more connections and end with its last request; return its processes."""
    return _at(server, token).drain()


def log_level(server: str, level: LogLevel, token: Secret | None = None) -> None:
    """Let every process of a running server tell what is `level` or worse, until it reloads or ends."""
    _at(server, token).log_level(level)


def _at(server: str, token: Secret | None, timeout: float | None = None) -> RemoteGateway:
    from newapi.ops.remote_gateway import RemoteGateway  # noqa: PLC0415  (httpx: `status` mostly finds no server)

    return RemoteGateway(server, token) if timeout is None else RemoteGateway(server, token, seconds=timeout)


def wait_for(pid: int) -> None:
    """Return when a process of this machine has ended, whether or not whoever started it has noticed."""
    while _runs(pid):
        time.sleep(_LOOK_SECONDS)


def _runs(pid: int) -> bool:
    try:
        os.kill(pid, 0)
        return Path(f"/proc/{pid}/stat").read_text("utf-8").rpartition(") ")[2][:1] != "Z"
    except ProcessLookupError:
        return False
    except (PermissionError, FileNotFoundError):  # another user's; or a system that does not tell so
        return True
