"""A worker: one of several processes that serve the same socket. `newapi serve` starts it; nobody else does."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import socket
import sys
from collections.abc import Coroutine
from pathlib import Path
from typing import Literal

import msgspec

from newapi.base.errors import NewapiError, StoreError
from newapi.ops.local import open_local
from newapi.ops.processes import Processes
from newapi.server.app import create_app
from newapi.server.control import Ask, Assignment, Drain, Line, Message, Pulse, Ready, Recover, Told
from newapi.server.http import HttpServer
from newapi.server.logs import configure
from newapi.server.runtime import Runtime

PULSE_SECONDS = 1.0
RECOVER_SECONDS = 5.0

log = logging.getLogger("newapi")


class Worker:
    """What this process does for its supervisor, beside serving."""

    def __init__(self, assignment: Assignment) -> None:
        """Read the configuration and the database.

        Raises:
            NewapiError: They cannot be read.
        """
        local = open_local(Path(assignment.config))
        configure(local.config.log, local.path.resolve().parent, part=str(assignment.slot))
        self._assignment = assignment
        self._drain_seconds: float | None = local.config.limits.drain_timeout
        hub = Path(assignment.hub) if assignment.hub else None
        self.runtime = Runtime(local, Path(assignment.state), part=str(assignment.slot), hub=hub)
        self.runtime.processes = self
        self._doors = [socket.socket(fileno=fd) for fd in assignment.doors]
        self._number = assignment.slot if len(self._doors) > 1 else 0
        self._looking = asyncio.Lock()
        self._tasks: set[asyncio.Task[None]] = set()
        self._told = Processes(0, 0, ())
        self._loop: asyncio.AbstractEventLoop | None = None
        self._line = Line(self._heard, self._orphaned)
        self._server = HttpServer(
            create_app(self.runtime, Path(assignment.admin) if assignment.admin else None),
            drain_seconds=lambda: float("inf") if self._drain_seconds is None else self._drain_seconds,
            ready=self._ready,
            draining=self.runtime.drain,
            header_timeout=lambda: self.runtime.gateway.limits.header_timeout,
            supervised=True,
        )

    def run(self) -> None:
        """Serve until told to end."""
        with asyncio.Runner(loop_factory=self._server.config.get_loop_factory()) as runner:
            runner.run(self._run())

    async def _run(self) -> None:
        loop = self._loop = asyncio.get_running_loop()
        await loop.create_connection(lambda: self._line, sock=socket.socket(fileno=self._assignment.control))
        pulse = loop.create_task(self._pulse())
        doors, number = self._doors, self._number
        own = doors[number].dup()
        await self._server.serve([own, *(socket.socket(fileno=fd) for fd in self._assignment.sockets)])
        pulse.cancel()
        for door in doors:
            door.close()

    # -- the face of `newapi reload`, `drain`, `status` --------------------------------

    def list(self) -> Processes:
        """Return the processes of this server, as the supervisor told it last."""
        return self._told

    def reload(self) -> None:
        """Ask the supervisor to replace the workers by ones that read the configuration anew."""
        self._ask("reload")

    def drain(self) -> None:
        """Ask the supervisor to let the server come to its end."""
        self._ask("drain")

    def _ask(self, what: Literal["reload", "drain"]) -> None:
        assert self._loop is not None  # noqa: S101  (who asks was served)
        self._loop.call_soon_threadsafe(self._line.say, Ask(what))

    # -- the supervisor ----------------------------------------------------------------

    def _ready(self) -> None:
        snapshot = self.runtime.gateway.snapshot
        self._line.say(Ready(len(snapshot.channels), snapshot.epoch))

    def _heard(self, message: Message) -> None:
        match message:
            case Told(processes):
                self._told = processes
                self._do(self._look_after())
            case Drain(seconds):
                self._drain_seconds = seconds
                self._server.should_exit = True
            case Recover():
                self._do(self._recover())
            case _:
                raise NewapiError(f"the supervisor does not say {message!r}")

    def _do(self, work: Coroutine[None, None, None]) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _look_after(self) -> None:
        """Accept what comes to the doors that have nobody who serves, those among them that are this worker's share."""
        async with self._looking:
            serving = sorted({worker.slot for worker in self._told.workers if worker.state == "serving"})
            if self._assignment.slot in serving and self._server.started and len(self._doors) > 1:
                left = [number for number in range(len(self._doors)) if number not in serving]
                share = [n for n in left if serving[n % len(serving)] == self._assignment.slot]
                await self._server.look_after({n: self._doors[n] for n in share})

    def _orphaned(self) -> None:
        """The supervisor was killed: whoever starts the server again wants the address."""
        self._server.should_exit = True

    async def _recover(self) -> None:
        """Write what another worker left, as soon as the database takes it."""
        while True:
            try:
                return await asyncio.to_thread(self.runtime.ledger.recover)
            except StoreError as error:
                log.warning("what another worker left is not written yet: %s", error)
                await asyncio.sleep(RECOVER_SECONDS)

    async def _pulse(self) -> None:
        while True:
            await asyncio.sleep(PULSE_SECONDS)
            self._line.say(Pulse(self.runtime.gateway.in_flight, self.runtime.ledger.reserved))


def main() -> None:
    """Serve as the one argument says."""
    assignment = msgspec.json.decode(sys.argv[1], type=Assignment)
    try:
        worker = Worker(assignment)
    except NewapiError as error:
        sys.exit(f"error: {error}")
    with contextlib.suppress(KeyboardInterrupt):
        worker.run()


if __name__ == "__main__":
    main()
