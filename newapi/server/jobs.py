"""Work that one process does for all: among those that use a database, whoever holds the lease does it."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import secrets
from collections.abc import Callable, Sequence

from msgspec import Struct

from newapi.base.errors import StoreError
from newapi.store import leases
from newapi.store.database import Database

LEASE = "jobs"
LEASE_SECONDS = 30.0
"""After so long without a word from the process that does the work, another one does it."""
RENEW_SECONDS = 10.0
LOOK_SECONDS = 1.0
"""How often it is looked whether something is due."""

log = logging.getLogger("newapi")


class Job(Struct, frozen=True):
    """Something to be done again and again.

    Attributes:
        name: What the log calls it.
        every: Returns how many seconds lie between two beginnings, 0 for never.
        do: Does it, in a thread.
        first: Whether it is due as soon as there is somebody to do it, or only `every` after that.
    """

    name: str
    every: Callable[[], float]
    do: Callable[[], None]
    first: bool = False


class Jobs:
    """Does the jobs while this process holds the lease, and tries to get it while it does not."""

    def __init__(self, db: Database, jobs: Sequence[Job]) -> None:
        """Prepare to do `jobs`."""
        self._db = db
        self.all = jobs
        self._holder = f"{os.getpid()}-{secrets.token_hex(8)}"
        self._began: dict[str, float] = {}
        self._doing: dict[str, asyncio.Task[None]] = {}
        self._failing: set[str] = set()
        self._task: asyncio.Task[None] | None = None
        self.leads = False
        """Whether this process does the work."""

    def start(self) -> None:
        """Begin, in the event loop that runs."""
        self._task = asyncio.get_running_loop().create_task(self._run())

    async def stop(self) -> None:
        """Begin nothing more, and let another process take over at once."""
        if self._task is None:
            return
        for task in (self._task, *self._doing.values()):
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task
        if self.leads:
            self.leads = False
            try:
                await asyncio.to_thread(leases.release, self._db, LEASE, self._holder)
            except StoreError as error:
                log.debug("the lease of the jobs is not given back, and runs out: %s", error)

    async def _run(self) -> None:
        loop = asyncio.get_running_loop()
        asked = -RENEW_SECONDS
        while True:
            if loop.time() - asked >= RENEW_SECONDS:
                asked = loop.time()
                await self._ask()
            if self.leads:
                self._begin(loop.time())
            await asyncio.sleep(LOOK_SECONDS)

    async def _ask(self) -> None:
        """Try to get the lease, or to keep it."""
        try:
            leads = await asyncio.to_thread(leases.take, self._db, LEASE, self._holder, LEASE_SECONDS)
        except Exception as error:  # noqa: BLE001  (whatever the database says: who cannot ask does not lead)
            log.debug("who does the jobs cannot be asked: %s", error)
            leads = False
        if leads and not self.leads:
            now = asyncio.get_running_loop().time()
            self._began = {job.name: now for job in self.all if not job.first}
        self.leads = leads

    def _begin(self, now: float) -> None:
        """Begin the jobs that are due and not being done."""
        for job in self.all:
            every, before = job.every(), self._began.get(job.name)
            if not every or job.name in self._doing or (before is not None and now - before < every):
                continue
            self._began[job.name] = now
            task = asyncio.get_running_loop().create_task(self._do(job))
            self._doing[job.name] = task

    async def _do(self, job: Job) -> None:
        """Do a job; that it fails is a warning once, until it has worked again."""
        try:
            await asyncio.to_thread(job.do)
        except Exception as error:  # noqa: BLE001  (whatever it is: the next time may do better)
            log.log(logging.DEBUG if job.name in self._failing else logging.WARNING, "%s failed: %s", job.name, error)
            self._failing.add(job.name)
        else:
            if job.name in self._failing:
                self._failing.remove(job.name)
                log.info("%s works again", job.name)
        finally:
            del self._doing[job.name]
