"""A gateway on another machine, by the system's own ssh: `ssh://[user@]host[:port][/path/of/newapi.sock]`.

ssh carries its admin socket here, where it is a Unix socket like any: so whoever may open the socket there is root
there, as on that machine itself, and no token is needed. One ssh serves a whole command; where the user's own
configuration of ssh shares a connection that is there already, it is used.
"""

from __future__ import annotations

import atexit
import re
import shlex
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from threading import Lock
from typing import IO

from msgspec import Struct

from newapi.base.errors import NewapiError
from newapi.ops.listening import answers

SCHEME = "ssh://"
SOCKET = "/var/lib/newapi/newapi.sock"
"""Of the server there, where no path is said: where the systemd unit of `newapi init` has it."""
CONNECT_SECONDS = 60.0
"""How long ssh may take, somebody typing a password included."""
_REACH_SECONDS = 20
"""How long the other machine may take to say that it is there."""
_LOOK_SECONDS = 0.02
_STOP_SECONDS = 5.0
_PLACE = re.compile(
    r"ssh://(?:(?P<user>[A-Za-z0-9_][\w.-]*)@)?(?P<host>[A-Za-z0-9_][\w.-]*|\[[0-9A-Fa-f:.]+\])(?::(?P<port>\d{1,5}))?(?P<path>/.*)?"
)


_KEEPER = """\
trap '' INT
exec 3<&0
"$@" </dev/null 3<&- & ssh=$!
{ read -r _ <&3 || rm -rf -- "$0"; kill $ssh; } & keeper=$!
wait $ssh
code=$?
kill $keeper 2>/dev/null
exit $code
"""
"""Runs ssh until standard input says a line; where that just ends, whoever began it was killed: nothing is left."""
_PROBE = b"GET /health/live HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n"


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
    place: Place
    directory: Path
    ssh: tuple[str, ...]
    """The program, with its options."""
    process: subprocess.Popen[bytes]

    @property
    def socket(self) -> Path:
        return self.directory / "s"

    @property
    def says(self) -> str:
        """The last that ssh has said, "" when that is nothing."""
        lines = (self.directory / "says").read_text("utf-8", "replace").split("\n")
        return next((line.strip().rstrip(".") for line in reversed(lines) if line.strip()), "").removeprefix("ssh: ")

    def close(self) -> None:
        assert self.process.stdin is not None  # noqa: S101  (it is a pipe)
        try:
            self.process.communicate(b"\n", _STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        if answers(self.socket):  # of a connection that is shared: whoever keeps that up still listens
            argv = [*self.ssh, "-O", "cancel", "-L", _carried(self.place, self.socket), "--", self.place.destination]
            subprocess.run(argv, stdin=subprocess.DEVNULL, capture_output=True, timeout=_STOP_SECONDS, check=False)  # noqa: S603
        shutil.rmtree(self.directory, ignore_errors=True)


_open: dict[str, _Tunnel] = {}
_options = [
    # A connection that is shared already is used; one that others could share would outlive this.
    "ControlMaster=no",
    "RemoteCommand=none",
    # What the user's configuration carries beside is in use, maybe, by another ssh.
    "ExitOnForwardFailure=no",
    f"ConnectTimeout={_REACH_SECONDS}",
    "ServerAliveInterval=15",
    "StreamLocalBindMask=0177",
    "LogLevel=ERROR",
]
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


def ask_nothing() -> None:
    """Let no ssh that begins from now on ask anything: the terminal is somebody else's. What it has to ask fails."""
    _options.append("BatchMode=yes")


def _begin(server: str) -> _Tunnel:
    try:
        place = parse(server)
    except ValueError as error:
        raise NoTunnel(str(error)) from None
    program = shutil.which("ssh")
    if program is None:
        raise NoTunnel(f"There is no ssh here to reach {server}")
    directory = Path(tempfile.mkdtemp(prefix="newapi-"))  # 0700; and short, as the path of a socket has to be
    ssh = (program, *(word for option in _options for word in ("-o", option)), *(("-p", place.port) * bool(place.port)))
    argv = ["sh", "-c", _KEEPER, str(directory), *ssh, "-N", "-T", "-L", _carried(place, directory / "s")]
    with (directory / "says").open("wb") as says:
        # ssh asks for what it needs on the terminal itself.
        process = _started([*argv, "--", place.destination], says)
    tunnel = _Tunnel(place, directory, ssh, process)
    try:
        _wait(server, tunnel)
    except BaseException:
        tunnel.close()
        raise
    return tunnel


def _started(argv: Sequence[str], says: IO[bytes]) -> subprocess.Popen[bytes]:
    return subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=says)  # noqa: S603


def _carried(place: Place, socket: Path) -> str:
    """Return what `-L` takes: in a path ssh looks for `:`, a backslash, and tokens with `%`."""
    there = re.sub(r"([\\:])", r"\\\1", place.socket).replace("%", "%%")
    return f"{socket}:{there}"


def _wait(server: str, tunnel: _Tunnel) -> None:
    """Return when the server there answers.

    Raises:
        NoTunnel: It does not, or ssh does not get there.
    """
    deadline = time.monotonic() + CONNECT_SECONDS
    while not answers(tunnel.socket):
        if tunnel.process.poll() is not None:
            why = tunnel.says or f"it left with {tunnel.process.returncode}"
            port = ("-p", tunnel.place.port) if tunnel.place.port else ()
            works = shlex.join(["ssh", *port, tunnel.place.destination])
            raise NoTunnel(f"ssh did not reach {server}: {why}", hint=f"`{works}` has to work")
        if time.monotonic() > deadline:
            raise NoTunnel(f"ssh did not reach {server} within {CONNECT_SECONDS:g} seconds")
        time.sleep(_LOOK_SECONDS)
    if not _listens(tunnel.socket):
        place = tunnel.place
        raise NoTunnel(
            f"No server answers at {place.socket} on {place.destination}, or it is not this user's to open there",
            hint="newapi serve has to run there; ssh://host/PATH says where its socket is; and its sshd has to allow "
            "AllowStreamLocalForwarding",
        )


def _listens(path: Path) -> bool:
    """Say whether somebody answers at the other end: ssh takes every connection, and ends those that go nowhere."""
    with socket.socket(socket.AF_UNIX) as probe:
        probe.settimeout(CONNECT_SECONDS)
        try:
            probe.connect(str(path))
            probe.sendall(_PROBE)
            return bool(probe.recv(1))
        except OSError:
            return False
