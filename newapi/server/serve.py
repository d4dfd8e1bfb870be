"""`newapi serve`: the process."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import functools
import signal
import socket
import stat
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from newapi.base.errors import NewapiError
from newapi.ops.listening import answers
from newapi.ops.local import Local, admin_socket
from newapi.server.control import Ready
from newapi.server.logs import configure
from newapi.server.workers import Listening, NotStarted, Supervisor, count

if TYPE_CHECKING:
    from newapi.server.alone import Alone


class CannotListen(NewapiError):
    """The address is taken, or not ours."""

    code = "cannot_listen"

    def __init__(self, address: str, reason: str, hint: str = "") -> None:
        super().__init__(f"cannot listen on {address}: {reason}")
        self.hint = hint


def listen(address: str, *, beside: bool = False) -> socket.socket:
    """Return a listening socket for `host:port`, `[v6]:port` or `unix:/path`.

    Args:
        address: Where.
        beside: Whether others of this process may listen there too: the kernel spreads connections evenly then. Who
            does not say so finds the address taken.

    Raises:
        CannotListen: It is taken, or makes no sense.
    """
    with contextlib.ExitStack() as failed:
        try:
            if address.startswith("unix:"):
                sock = failed.enter_context(contextlib.closing(socket.socket(socket.AF_UNIX)))
                _claim(sock, Path(address.removeprefix("unix:")))
            else:
                host, _, port = address.rpartition(":")
                host = host.strip("[]") or "127.0.0.1"
                family = socket.AF_INET6 if ":" in host else socket.AF_INET
                sock = failed.enter_context(contextlib.closing(socket.socket(family)))
                sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                if beside:
                    sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
                sock.bind((host, int(port)))
        except (OSError, ValueError) as error:
            raise CannotListen(address, _reason(error)) from None
        sock.listen(2048)
        failed.pop_all()
        return sock


def listen_beside(address: str, count: int) -> list[socket.socket]:
    """Return a listening socket for each of several processes, or one for all where they cannot have their own.

    They accept as the kernel says, which spreads connections evenly; from a socket that they share, whoever is first
    takes as many as there are: of 64 that came at once one of four processes took 60.

    Raises:
        CannotListen: It is taken, or makes no sense.
    """
    if address.startswith("unix:") or address.rpartition(":")[2] == "0" or not sys.platform.startswith("linux"):
        return [listen(address)]
    listen(address).close()  # others that would share it, another server's, are found out
    return [listen(address, beside=True) for _ in range(count)]


def _claim(sock: socket.socket, path: Path) -> None:
    """Bind to a file that nobody else can open, in place of one that a server left behind without coming to its end.

    Raises:
        OSError: Another server listens there, it is another kind of file, or it cannot be made.
    """
    if path.exists():
        if not stat.S_ISSOCK(path.stat().st_mode):
            raise OSError(errno.EEXIST, "the file is no socket")
        if answers(path):
            raise OSError(errno.EADDRINUSE, "another server listens there")
        path.unlink()
    sock.bind(str(path))
    path.chmod(0o600)  # before it listens: until then nobody gets through


def _reason(error: OSError | ValueError) -> str:
    return (error.strerror if isinstance(error, OSError) and error.strerror else str(error)).lower()


@contextlib.contextmanager
def administered(path: Path | None) -> Iterator[list[socket.socket]]:
    """Give the listening admin socket, which the one who runs this can open and nobody else; none without a path.

    Its file is there as long as the socket is. One that a server left behind, which did not come to its end, is
    replaced.

    Raises:
        CannotListen: Another server listens there, it is another kind of file, or it cannot be made.
    """
    if path is None:
        yield []
        return
    address = f"unix:{path}"
    hint = 'server.admin_socket says where it is to be; "" does without'
    with contextlib.closing(socket.socket(socket.AF_UNIX)) as sock:
        try:
            _claim(sock, path)
            made = path.stat()
        except OSError as error:
            raise CannotListen(address, _reason(error), hint) from None
        sock.listen()
        try:
            yield [sock]
        finally:
            with contextlib.suppress(FileNotFoundError):
                if path.stat().st_ino == made.st_ino:  # a server that was started meanwhile has its own
                    path.unlink()


@contextlib.contextmanager
def measured(address: str, beside: str, say: Callable[[str], None]) -> Iterator[list[socket.socket]]:
    """Give the listening socket of metrics; none without an address, or where it cannot be had, which is said.

    That nobody can measure is no reason not to serve.

    Args:
        address: Where metrics are to be read.
        beside: Where everything else is: requests are told apart by their port.
        say: Told why there are none.
    """
    if not address:
        yield []
        return
    try:
        if not address.startswith("unix:") and address.rpartition(":")[2] == beside.rpartition(":")[2]:
            raise CannotListen(address, "server.listen has that port")
        sock = listen(address)
    except CannotListen as error:
        say(f"note: no metrics: {error.message}; server.metrics says where they are to be")
        yield []
        return
    with contextlib.closing(sock):
        yield [sock]


def serve(local: Local, *, state: Path, say: Callable[[str], None]) -> None:
    """Serve until SIGTERM or SIGINT, or until told to drain; requests under way may finish.

    Args:
        local: The configuration and its database.
        state: Directory of the journals.
        say: Told where it listens, once it does.

    Raises:
        CannotListen: The address is taken.
        NotStarted: There are to be several workers, and they do not come up.
    """
    directory = local.path.resolve().parent
    configure(local.config.log, directory)
    address = local.config.server.listen
    admin = admin_socket(local.config.server, local.path)
    workers = count(local.config.server.workers)
    doors = [listen(address)] if workers == 1 else listen_beside(address, workers)
    where = address if address.startswith("unix:") else f"http://{address}"
    with (
        _dying_last() as dying,
        _closing(doors),
        administered(admin) as admin_sockets,
        measured(local.config.server.metrics, address, say) as metrics_sockets,
    ):
        sockets = [*admin_sockets, *metrics_sockets]
        if workers == 1:
            # Here, since the supervisor of several workers is to stay small.
            from newapi.server.alone import Alone  # noqa: PLC0415

            alone = Alone(local, state, admin)
            dying.server = alone
            snapshot = alone.runtime.gateway.snapshot
            say(f"newapi serves {where}, {len(snapshot.channels)} channels, configuration {snapshot.epoch}")
            with contextlib.suppress(KeyboardInterrupt):
                alone.run([*doors, *sockets])
        elif str(local.path) == "-":
            raise NotStarted("several workers read the configuration from its file, not from standard input")
        else:
            local.db.close()
            more = functools.partial(listen, address, beside=True)
            listening = Listening(doors, sockets, admin, more if len(doors) > 1 else None)
            supervisor = Supervisor(local.path.resolve(), local.config, state, listening)
            dying.server = supervisor

            def began(workers: int, first: Ready) -> None:
                say(
                    f"newapi serves {where} with {workers} workers, {first.channels} channels, "
                    f"configuration {first.epoch}"
                )

            asyncio.run(supervisor.run(began))
            dying.ended = supervisor.ended_by == signal.SIGTERM


@contextlib.contextmanager
def _closing(sockets: list[socket.socket]) -> Iterator[None]:
    """Close them in the end, those too that were added meanwhile."""
    try:
        yield
    finally:
        for sock in sockets:
            sock.close()


class _Dying:
    """What ends the process: a server that is told to stop, and whether SIGTERM did."""

    def __init__(self) -> None:
        self.server: Alone | Supervisor | None = None
        self.ended = False

    def on_term(self, _number: int, _frame: object) -> None:
        self.ended = True
        if self.server is None:  # what is begun is cleaned up on the way out
            raise SystemExit(128 + signal.SIGTERM)
        self.server.stop()  # one that does not listen for signals yet


@contextlib.contextmanager
def _dying_last() -> Iterator[_Dying]:
    """Let the process die of SIGTERM, but only after everything inside is cleaned up.

    When it has ended, uvicorn raises the signal that ended it again: at its default that is the end at once.
    """
    dying = _Dying()
    before = signal.signal(signal.SIGTERM, dying.on_term)
    try:
        yield dying
    finally:
        signal.signal(signal.SIGTERM, before)
        if dying.ended:
            signal.raise_signal(signal.SIGTERM)
