"""`newapi serve`: the process."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import signal
import socket
import stat
from collections.abc import Callable, Iterator
from pathlib import Path

import uvicorn

from newapi.base.errors import NewapiError
from newapi.config.schema import Config
from newapi.ops.local import Local, admin_socket
from newapi.ops.remote import answers
from newapi.server.app import create_app
from newapi.server.logs import configure
from newapi.server.runtime import Runtime

DRAIN_SECONDS = 30
"""How long requests under way may go on after SIGTERM."""


class CannotListen(NewapiError):
    """The address is taken, or not ours."""

    code = "cannot_listen"

    def __init__(self, address: str, reason: str, hint: str = "") -> None:
        super().__init__(f"cannot listen on {address}: {reason}")
        self.hint = hint


def listen(address: str) -> socket.socket:
    """Return a listening socket for `host:port`, `[v6]:port` or `unix:/path`.

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
                sock.bind((host, int(port)))
        except (OSError, ValueError) as error:
            raise CannotListen(address, _reason(error)) from None
        sock.listen(2048)
        failed.pop_all()
        return sock


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


def without_effect(config: Config) -> list[str]:
    """Return the settings that a configuration may say, and this version does not act on."""
    said = {
        "server.workers": config.server.workers != 1,
        "server.cache": bool(config.server.cache),
        "notices": bool(config.notices),
        "health.balance_every": bool(config.health.balance_every),
        "models.*.fallback": any(m.fallback for m in config.models.values()),
    }
    return [name for name, is_said in said.items() if is_said]


def serve(local: Local, *, state: Path, say: Callable[[str], None]) -> None:
    """Serve until SIGTERM or SIGINT; requests under way may finish.

    Args:
        local: The configuration and its database.
        state: Directory of the journal.
        say: Told where it listens, once it does.

    Raises:
        CannotListen: The address is taken.
    """
    configure(local.config.log, local.path.resolve().parent)
    for what in without_effect(local.config):
        say(f"note: {what} has no effect yet")
    address = local.config.server.listen
    admin = admin_socket(local.config.server, local.path)
    sock = listen(address)
    with _dying_last() as die, contextlib.closing(sock), administered(admin) as admin_sockets:
        runtime = Runtime(local, state)
        config = uvicorn.Config(
            create_app(runtime, admin),
            loop="uvloop",
            http="httptools",
            ws="none",
            lifespan="on",
            log_level="warning",
            access_log=False,
            server_header=False,
            proxy_headers=False,
            timeout_keep_alive=75,
            timeout_graceful_shutdown=DRAIN_SECONDS,
        )
        server = uvicorn.Server(config)
        die(server)
        where = address if address.startswith("unix:") else f"http://{address}"
        channels = len(runtime.gateway.snapshot.channels)
        say(f"newapi serves {where}, {channels} channels, configuration {runtime.gateway.snapshot.epoch}")
        with contextlib.suppress(KeyboardInterrupt), asyncio.Runner(loop_factory=config.get_loop_factory()) as runner:
            runner.run(_run(server, [sock, *admin_sockets]))


@contextlib.contextmanager
def _dying_last() -> Iterator[Callable[[uvicorn.Server], None]]:
    """Let the process die of SIGTERM, but only after everything inside is cleaned up.

    When it has ended, uvicorn raises the signal that ended it again: at its default that is the end at once.
    """
    servers: list[uvicorn.Server] = []
    ended: list[int] = []

    def on_term(number: int, _: object) -> None:
        ended.append(number)
        for server in servers:  # of one that does not listen for signals yet
            server.should_exit = True

    before = signal.signal(signal.SIGTERM, on_term)
    try:
        yield servers.append
    finally:
        signal.signal(signal.SIGTERM, before)
        if ended:
            signal.raise_signal(signal.SIGTERM)


async def _run(server: uvicorn.Server, sockets: list[socket.socket]) -> None:
    asyncio.get_running_loop().add_signal_handler(signal.SIGHUP, lambda: None)
    await server.serve(sockets=sockets)
