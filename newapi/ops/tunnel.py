"""A gateway on another machine, by the system's own ssh: `ssh://[user@]host[:port][/path/of/newapi.sock]`.

ssh carries its admin socket here, where it is a Unix socket like any: so whoever may open the socket there is root
there, as on that machine itself, and no token is needed. One ssh serves a whole command.
"""

from __future__ import annotations

import atexit
import re
import shutil
import subprocess
import tempfile
import time
from pathlib import Path
from threading import Lock

from msgspec import Struct

from newapi.base.errors import NewapiError
from newapi.ops.listening import answers

SCHEME = "ssh://"
SOCKET = "/var/lib/newapi/newapi.sock"
"""Of the server there, where no path is said: where the systemd unit of `newapi init` has it."""
CONNECT_SECONDS = 60.0
"""How long ssh may take, somebody typing a password included."""
_LOOK_SECONDS = 0.02
_STOP_SECONDS = 5.0
_PLACE = re.compile(
    r"ssh://(?:(?P<user>[A-Za-z0-9_][\w.-]*)@)?(?P<host>[A-Za-z0-9_][\w.-]*|\[[0-9A-Fa-f:.]+\])(?::(?P<port>\d{1,5}))?(?P<path>/.*)?"
)


class NoTunnel(NewapiError):
    """ssh does not reach the other machine, or there is no ssh."""

    code = "unreachable"

    def __init__(self, message: str, *, hint: str = "") -> None:
        super().__init__(message)
        self.hint = hint


class Place(Struct, frozen=True):
    """Where a gateway is: `destination` for ssh, its port or "", and the path of the socket there."""

    destination: str
    port: str
    socket: str


class _Tunnel(Struct):
    process: subprocess.Popen[bytes]
    directory: Path

    def close(self) -> None:
        self.process.terminate()
        try:
            self.process.wait(_STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        shutil.rmtree(self.directory, ignore_errors=True)


_open: dict[str, _Tunnel] = {}
_lock = Lock()


def parse(server: str) -> Place:
    """Return where `ssh://…` says that a gateway is.

    Raises:
        ValueError: It says no such thing.
    """
    found = _PLACE.fullmatch(server)
    if found is None or found["path"] == "/":
        raise ValueError(f"{server!r} is no place: write ssh://user@host/path/of/newapi.sock")
    host = found["host"].strip("[]")
    destination = f"{found['user']}@{host}" if found["user"] else host
    return Place(destination, found["port"] or "", found["path"] or SOCKET)


def reached(server: str) -> str:
    """Return the server that is to be asked instead of `server`: itself, or for `ssh://…` the socket that ssh brings.

    Raises:
        NoTunnel: ssh does not get there.
    """
    if not server.startswith(SCHEME):
        return server
    with _lock:
        tunnel = _open.get(server)
        if tunnel is not None and tunnel.process.poll() is not None:
            _open.pop(server).close()
            tunnel = None
        if tunnel is None:
            tunnel = _open[server] = _begin(server)
        return f"unix:{tunnel.directory / 's'}"


def close_all() -> None:
    """End every ssh that `reached` began."""
    with _lock:
        for tunnel in _open.values():
            tunnel.close()
        _open.clear()


atexit.register(close_all)


def _begin(server: str) -> _Tunnel:
    try:
        place = parse(server)
    except ValueError as error:
        raise NoTunnel(str(error)) from None
    program = shutil.which("ssh")
    if program is None:
        raise NoTunnel(f"There is no ssh here to reach {server}")
    directory = Path(tempfile.mkdtemp(prefix="newapi-"))  # 0700; and short, as the path of a socket has to be
    argv = [program, "-N", "-T", "-o", "ExitOnForwardFailure=yes", "-o", "ServerAliveInterval=15"]
    argv += ["-o", "StreamLocalBindMask=0177", "-L", f"{directory / 's'}:{place.socket}"]
    argv += ["-p", place.port] if place.port else []
    # Not standard input: that is the command's. ssh asks for what it needs on the terminal, and says what is wrong.
    process = subprocess.Popen([*argv, "--", place.destination], stdin=subprocess.DEVNULL)  # noqa: S603
    tunnel = _Tunnel(process, directory)
    try:
        _wait(server, tunnel)
    except BaseException:
        tunnel.close()
        raise
    return tunnel


def _wait(server: str, tunnel: _Tunnel) -> None:
    deadline = time.monotonic() + CONNECT_SECONDS
    while not answers(tunnel.directory / "s"):
        if tunnel.process.poll() is not None:
            raise NoTunnel(
                f"ssh did not reach {server}: it left with {tunnel.process.returncode}",
                hint=f"ssh {parse(server).destination} has to work",
            )
        if time.monotonic() > deadline:
            raise NoTunnel(f"ssh did not reach {server} within {CONNECT_SECONDS:g} seconds")
        time.sleep(_LOOK_SECONDS)
