"""The supervisor: several processes that serve one socket, and this one, which looks after them.

The socket is bound once, here, and shared: what waits to be accepted outlives any worker. A worker that ends without
being asked to is started again; on SIGHUP each is replaced in turn by one that has read the configuration anew, and
goes on until its last request is answered; on SIGTERM all of them do. This process serves nothing, and loads little.
"""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Coroutine, Sequence
from pathlib import Path

import msgspec
from msgspec import Struct

from newapi.base.errors import ConfigError, NewapiError
from newapi.config.load import load
from newapi.config.schema import Config
from newapi.ops.processes import Processes, State
from newapi.ops.processes import Worker as View
from newapi.relay.hub import serve_hub
from newapi.server.control import Ask, Assignment, Drain, Line, Message, Pulse, Ready, Recover, Told
from newapi.server.logs import configure

START_SECONDS = 60.0
"""A worker that does not serve by then is given up."""
STEADY_SECONDS = 5.0
"""One that ends sooner than this after it was started, or before it serves, is started again only after a while."""
FIRST_WAIT, LONGEST_WAIT = 0.1, 10.0
MARGIN_SECONDS = 10.0
"""So long after its time a worker that is to end is killed."""

log = logging.getLogger("newapi")


class NotStarted(NewapiError):
    """The workers do not come up."""

    code = "not_started"


def count(workers: int | str) -> int:
    """Return how many workers `server.workers` means: `auto` is one for each core this process may use."""
    if workers != "auto":
        return max(1, int(workers))
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _nothing() -> None:
    """A worker that is gone is noticed by its end, not by its silence."""


class Worker:
    """One of the processes, as the supervisor sees it."""

    def __init__(self, slot: int, process: subprocess.Popen[bytes]) -> None:
        self.slot = slot
        self.process = process
        self.line: Line | None = None
        self.state: State = "starting"
        self.started = time.monotonic()
        self.since = time.time()
        self.pulse = Pulse(0, 0)
        self.ready: Ready | None = None
        self.settled = asyncio.Event()
        """Set once it serves, or has ended."""

    def hear(self, heard: Callable[[Worker, Message], None]) -> Callable[[Message], None]:
        """Return what takes the messages of this worker."""
        return lambda message: heard(self, message)

    def view(self, restarts: int) -> View:
        """Return what is told of it."""
        return View(
            self.slot,
            self.process.pid,
            self.state,
            self.since,
            self.pulse.in_flight,
            self.pulse.reserved,
            restarts,
        )


class Listening(Struct):
    """What the workers accept connections from.

    Attributes:
        doors: On the server's address: a socket for each slot, or one for all. They are never closed while the server
            runs, so that nothing that waits in them is lost; whoever serves looks after those of the others.
        sockets: Shared: for administration and metrics.
        admin: The path of the admin socket.
        more: Returns one more door; None where there is one for all.
    """

    doors: list[socket.socket]
    sockets: Sequence[socket.socket]
    admin: Path | None
    more: Callable[[], socket.socket] | None


class Supervisor:
    """Keeps as many workers running as the configuration wants."""

    def __init__(self, path: Path, config: Config, state: Path, listening: Listening) -> None:
        """Prepare to start workers.

        Args:
            path: The configuration file.
            config: What it says.
            state: The directory of the journals.
            listening: What the workers accept connections from.
        """
        self._path = path
        self._config = config
        self._state = state
        self._listening = listening
        self._all: list[Worker] = []
        self._current: dict[int, Worker] = {}
        self._restarts: Counter[int] = Counter()
        self._quick: Counter[int] = Counter()
        """How many in a row ended at once, by slot."""
        self._replacing: int | None = None
        self._begun = False
        self._reload = asyncio.Event()
        self._stopping = asyncio.Event()
        self._nobody = asyncio.Event()
        self._asked = 0
        self._hub: Path | None = None
        """Where the workers count together."""
        self.ended_by = 0
        """The signal that ended it, 0 for none."""
        self._tasks: set[asyncio.Task[None]] = set()

    async def run(self, say: Callable[[int, Ready], None]) -> None:
        """Keep the workers running until SIGTERM or SIGINT, or until one is asked to drain the server.

        Args:
            say: Told how many serve, once they do, and what one of them said.

        Raises:
            NotStarted: They do not come up.
        """
        loop = asyncio.get_running_loop()
        loop.add_signal_handler(signal.SIGCHLD, self._reap)
        loop.add_signal_handler(signal.SIGHUP, self._reload.set)
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self.stop, number)
        # Short, since a socket's path is, and nobody else's.
        with tempfile.TemporaryDirectory(prefix="newapi-", ignore_cleanup_errors=True) as directory:
            async with serve_hub(Path(directory) / "hub"):
                self._hub = Path(directory) / "hub"
                try:
                    if (first := await self._start_all()) is not None:
                        say(len(self._current), first)
                        self._do(self._reload_when_asked())
                        await self._stopping.wait()
                finally:
                    await self._end()

    def stop(self, number: int = 0) -> None:
        """Let every worker end with its last request; asked again, cut off what is under way; then kill them.

        Args:
            number: The signal that asks for it, 0 for none.
        """
        for sock in (*self._listening.doors, *self._listening.sockets):
            sock.close()
        self._asked += 1
        self.ended_by = self.ended_by or number
        self._stopping.set()
        for worker in self._all:
            match self._asked:
                case 1:
                    self._retire(worker, self._config.limits.drain_timeout)
                case 2:
                    self._retire(worker, 0)
                case _:
                    worker.process.kill()

    # -- starting ----------------------------------------------------------------------

    async def _start_all(self) -> Ready | None:
        """Start the first workers; return what one of them said, None when they are to end already."""
        for slot in range(count(self._config.server.workers)):
            self._current[slot] = await self._spawn(slot)
        workers = tuple(self._current.values())
        for worker in workers:
            await self._serves(worker)
        self._begun = True
        if self._stopping.is_set():
            return None
        ready = [worker.ready for worker in workers if worker.ready is not None]
        if not ready:
            raise NotStarted("no worker came up: what went wrong is told above")
        for worker in workers:
            if worker.slot not in self._current:  # it ended meanwhile
                self._again(worker)
        self._tell()
        return ready[0]

    async def _spawn(self, slot: int) -> Worker:
        """Start a process."""
        ours, theirs = socket.socketpair()
        with theirs:
            doors = [sock.fileno() for sock in self._listening.doors]
            fds = [sock.fileno() for sock in self._listening.sockets]
            assignment = Assignment(
                slot=slot,
                config=str(self._path),
                state=str(self._state),
                control=theirs.fileno(),
                doors=tuple(doors),
                sockets=tuple(fds),
                admin=str(self._listening.admin or ""),
                hub=str(self._hub or ""),
            )
            # What is imported is what this process imported: the working directory only where it is a place of that.
            flags = [] if sys.path[0] in ("", str(Path.cwd())) else ["-P"]
            argv = [sys.executable, *flags, "-m", "newapi.server.worker", msgspec.json.encode(assignment).decode()]
            fds += [*doors, theirs.fileno()]
            process = subprocess.Popen(argv, stdin=subprocess.DEVNULL, pass_fds=fds)  # noqa: ASYNC220, S603
        worker = Worker(slot, process)
        self._all.append(worker)
        loop = asyncio.get_running_loop()
        _, worker.line = await loop.create_connection(lambda: Line(worker.hear(self._heard), _nothing), sock=ours)
        return worker

    async def _serves(self, worker: Worker) -> bool:
        """Wait until a new worker serves; return whether it does."""
        try:
            async with asyncio.timeout(START_SECONDS):
                await worker.settled.wait()
        except TimeoutError:
            log.error("worker %d (process %d) does not come up", worker.slot, worker.process.pid)
            worker.process.kill()
        return worker.ready is not None

    # -- what they say, and their ends -------------------------------------------------

    def _heard(self, worker: Worker, message: Message) -> None:
        match message:
            case Ready():
                worker.ready = message
                if worker.state == "starting":
                    worker.state = "serving"
                worker.settled.set()
                self._tell()
            case Pulse():
                if worker.pulse != message:
                    worker.pulse = message
                    self._tell()
            case Ask("reload"):
                self._reload.set()
            case Ask("drain"):
                self.stop()
            case _:
                log.error("worker %d says what only this process may say: %r", worker.slot, message)

    def _reap(self) -> None:
        """Take note of the workers that have ended, and start others in their places."""
        for worker in tuple(self._all):
            if worker.process.poll() is not None:
                self._all.remove(worker)
                worker.settled.set()
                if worker.line is not None:
                    worker.line.close()
                self._ended(worker, worker.process.returncode)
        if not self._all:
            self._nobody.set()
        self._tell()

    def _ended(self, worker: Worker, code: int) -> None:
        asked = worker.state == "draining"
        if code or not asked:
            how = f"was killed by signal {-code}" if code < 0 else f"ended with {code}"
            log.warning("worker %d (process %d) %s", worker.slot, worker.process.pid, how)
        if self._current.get(worker.slot) is not worker:
            # Nobody takes its place: another one writes what it may have left.
            if code and (other := next(iter(self._current.values()), None)) is not None and other.line is not None:
                other.line.say(Recover())
            return
        del self._current[worker.slot]
        if self._stopping.is_set() or not self._begun or self._replacing == worker.slot:
            return
        self._again(worker)

    def _again(self, worker: Worker) -> None:
        """Start another one in the place of one that ended."""
        self._restarts[worker.slot] += 1
        steady = worker.ready is not None and time.monotonic() - worker.started >= STEADY_SECONDS
        self._quick[worker.slot] = 0 if steady else self._quick[worker.slot] + 1
        self._do(self._respawn(worker.slot))

    async def _respawn(self, slot: int) -> None:
        """Start a worker in the place of one that ended: at once, or after a while when those before ended at once."""
        if quick := self._quick[slot]:
            await asyncio.sleep(min(LONGEST_WAIT, FIRST_WAIT * 2 ** (quick - 1)))
        if not self._stopping.is_set() and slot not in self._current and slot < self._wanted:
            self._current[slot] = await self._spawn(slot)
            self._tell()

    @property
    def _wanted(self) -> int:
        return count(self._config.server.workers)

    def _tell(self) -> None:
        """Tell every worker which there are."""
        views = tuple(worker.view(self._restarts[worker.slot]) for worker in self._all)
        told = Told(Processes(os.getpid(), self._wanted, views))
        for worker in self._all:
            if worker.line is not None:
                worker.line.say(told)

    # -- reloading and ending ----------------------------------------------------------

    async def _reload_when_asked(self) -> None:
        while True:
            await self._reload.wait()
            self._reload.clear()
            try:
                config = load(self._path).config
            except ConfigError as error:
                log.error("the configuration is not valid, and what was read before stays in force: %s", error)
                continue
            for name in needing_restart(self._config, config):
                log.warning("server.%s takes effect when the server is started anew", name)
            configure(config.log, self._path.parent)
            self._config = config
            await self._replace_all()

    async def _replace_all(self) -> None:
        """Start a new worker in every place, and retire the one before once it serves, one after the other."""
        listening = self._listening
        while listening.more is not None and len(listening.doors) < self._wanted:
            listening.doors.append(listening.more())
        for slot in range(self._wanted):
            self._replacing = slot
            try:
                new = await self._spawn(slot)
                self._tell()
                if not await self._serves(new):
                    log.error("a worker with the new configuration does not come up: the others go on")
                    return
                old, self._current[slot] = self._current.get(slot), new
                if old is not None:
                    self._retire(old, None)
            finally:
                self._replacing = None
                if slot not in self._current:  # it ended meanwhile
                    self._do(self._respawn(slot))
        for slot in [slot for slot in self._current if slot >= self._wanted]:
            self._retire(self._current.pop(slot), None)
        log.info("the configuration was read again, by %d workers", self._wanted)

    def _retire(self, worker: Worker, seconds: float | None) -> None:
        """Let a worker end; its requests may go on for so long, or as long as they need."""
        worker.state = "draining"
        if worker.line is not None:
            worker.line.say(Drain(seconds))
        if seconds is not None:
            asyncio.get_running_loop().call_later(seconds + MARGIN_SECONDS, self._kill, worker)

    def _kill(self, worker: Worker) -> None:
        if worker in self._all:
            log.error("worker %d (process %d) does not end, and is killed", worker.slot, worker.process.pid)
            worker.process.kill()

    async def _end(self) -> None:
        """Wait until every worker has ended."""
        for task in tuple(self._tasks):
            task.cancel()
        if not self._stopping.is_set():
            self.stop()
        self._reap()
        await self._nobody.wait()

    def _do(self, work: Coroutine[None, None, None]) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._done)

    def _done(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            log.error("the supervisor of the workers failed", exc_info=error)


def needing_restart(before: Config, after: Config) -> list[str]:
    """Return the settings of `[server]` that a reload does not change, and that are not what they were."""
    names = ("listen", "admin_socket", "metrics")
    return [name for name in names if getattr(before.server, name) != getattr(after.server, name)]
