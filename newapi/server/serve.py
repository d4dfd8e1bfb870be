"""`newapi serve`: the process."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import signal
import socket
from collections.abc import Callable
from pathlib import Path

import uvicorn

from newapi.base.errors import NewapiError
from newapi.ops.local import Local
from newapi.server.app import create_app
from newapi.server.runtime import Runtime

DRAIN_SECONDS = 30
"""How long requests under way may go on after SIGTERM."""


class CannotListen(NewapiError):
    """The address is taken, or not ours."""

    code = "cannot_listen"


def listen(address: str) -> socket.socket:
    """Return a listening socket for `host:port`, `[v6]:port` or `unix:/path`.

    Raises:
        CannotListen: It is taken, or makes no sense.
    """
    try:
        if address.startswith("unix:"):
            path = Path(address.removeprefix("unix:"))
            path.unlink(missing_ok=True)
            sock = socket.socket(socket.AF_UNIX)
            sock.bind(str(path))
            path.chmod(0o600)
        else:
            host, _, port = address.rpartition(":")
            host = host.strip("[]") or "127.0.0.1"
            family = socket.AF_INET6 if ":" in host else socket.AF_INET
            sock = socket.socket(family)
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            sock.bind((host, int(port)))
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
        raise CannotListen(f"cannot listen on {address}: {reason.lower()}") from None
    sock.listen(2048)
    return sock


def serve(local: Local, *, state: Path, say: Callable[[str], None]) -> None:
    """Serve until SIGTERM or SIGINT; requests under way may finish.

    Args:
        local: The configuration and its database.
        state: Directory of the journal.
        say: Told where it listens, once it does.

    Raises:
        CannotListen: The address is taken.
    """
    logging.basicConfig(level=local.config.log.level.upper(), format="%(asctime)s %(levelname)s %(message)s")
    address = local.config.server.listen
    sock = listen(address)
    runtime = Runtime(local, state)
    with contextlib.closing(sock):
        config = uvicorn.Config(
            create_app(runtime),
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
        where = address if address.startswith("unix:") else f"http://{address}"
        channels = len(runtime.gateway.snapshot.channels)
        say(f"newapi serves {where}, {channels} channels, configuration {runtime.gateway.snapshot.epoch}")
        with contextlib.suppress(KeyboardInterrupt), asyncio.Runner(loop_factory=config.get_loop_factory()) as runner:
            runner.run(_run(server, sock))


async def _run(server: uvicorn.Server, sock: socket.socket) -> None:
    asyncio.get_running_loop().add_signal_handler(signal.SIGHUP, lambda: None)
    await server.serve(sockets=[sock])
