"""A server of one worker: one process, which nobody looks after."""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import socket
import time
from collections.abc import Sequence
from pathlib import Path

from newapi.base.errors import NewapiError
from newapi.ops.local import Local, reopened
from newapi.ops.processes import Processes, Worker
from newapi.server.app import create_app
from newapi.server.http import HttpServer
from newapi.server.logs import configure
from newapi.server.runtime import Runtime
from newapi.server.workers import needing_restart

log = logging.getLogger("newapi")


class Alone:
    """The process that serves, reads its configuration again, and comes to its end."""

    def __init__(self, local: Local, state: Path, admin: Path | None) -> None:
        """Prepare to serve.

        Args:
            local: The gateway.
            state: The directory of the journal.
            admin: The path of the admin socket.
        """
        self.runtime = Runtime(local, state)
        self.runtime.processes = self
        self._since = time.time()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._server = HttpServer(
            create_app(self.runtime, admin),
            drain_seconds=lambda: self.runtime.local.config.limits.drain_timeout,
            ready=lambda: None,
            draining=self.runtime.drain,
            header_timeout=lambda: self.runtime.gateway.limits.header_timeout,
        )

    def run(self, sockets: Sequence[socket.socket]) -> None:
        """Serve until SIGTERM or SIGINT, or until told to drain."""
        with asyncio.Runner(loop_factory=self._server.config.get_loop_factory()) as runner:
            runner.run(self._run(sockets))

    def stop(self) -> None:
        """Come to an end."""
        self._server.should_exit = True

    async def _run(self, sockets: Sequence[socket.socket]) -> None:
        self._loop = asyncio.get_running_loop()
        self._loop.add_signal_handler(signal.SIGHUP, self.reload)
        await self._server.serve(list(sockets))

    def list(self) -> Processes:
        """Return this process."""
        gateway = self.runtime.gateway
        state = "draining" if self.runtime.draining else "serving"
        me = Worker(0, os.getpid(), state, self._since, gateway.in_flight, self.runtime.ledger.reserved)
        return Processes(os.getpid(), 1, (me,))

    def reload(self) -> None:
        """Read the configuration again, in the background."""
        assert self._loop is not None  # noqa: S101  (it runs)
        self._loop.run_in_executor(None, self._reload)

    def drain(self) -> None:
        """Come to an end."""
        self.stop()

    def _reload(self) -> None:
        before = self.runtime.local
        try:
            local = reopened(before)
            configure(local.config.log, local.path.resolve().parent)
        except (NewapiError, OSError) as error:
            log.error("the configuration cannot be read, and what was read before stays in force: %s", error)
            return
        for name in (*needing_restart(before.config, local.config), *_fixed(before, local)):
            log.warning("server.%s takes effect when the server is started anew", name)
        self.runtime.reload(local)
        log.info("the configuration was read again")


def _fixed(before: Local, after: Local) -> Sequence[str]:
    """Return what else a single process does not change while it runs."""
    names = ("database", "workers", "cache")
    return [name for name in names if getattr(before.config.server, name) != getattr(after.config.server, name)]
