"""The live stream of this process: a tick a second, what is made of all processes' ticks, and those who watch."""

from __future__ import annotations

import asyncio
import contextlib
import functools
import itertools
import logging
import os
import secrets
import socket
from collections import deque
from collections.abc import AsyncGenerator, Callable, Collection, Sequence

import msgspec
from msgspec import Struct

from newapi import __version__
from newapi.base.errors import NewapiError
from newapi.ops import metrics
from newapi.ops.live import Alert, Event, Gap, LogRow, Process, Series, Topic, name_of, sse
from newapi.ops.live_database import restored
from newapi.ops.live_hub import Hub
from newapi.ops.live_look import look
from newapi.ops.live_rings import KEEP, Row
from newapi.ops.live_tick import TOPIC, encode
from newapi.ops.live_ticker import Ticker
from newapi.ops.local import Local
from newapi.relay.gateway import Gateway
from newapi.store import series as store_series
from newapi.store.database import Database
from newapi.store.snapshot import StoredChannel

PICTURE = "picture"
"""The topic on which the oldest process tells a new one what it remembers."""
TOTALS = "totals"
"""The topic on which a process that was asked for metrics tells the others what it has counted."""
TOGETHER_SECONDS = 0.25
"""How long the ticks of the other processes are waited for after our own."""
KEEPALIVE_SECONDS = 10.0
RING_EVENTS = 1500
RING_BYTES = 4 * 1024 * 1024
"""How much is kept for watchers that fall behind or come back; who is farther behind is told of a gap."""
LINGER_SECONDS = 60.0
"""So long after the last watcher has gone, events are still made: it may come back."""
LOOK_SECONDS = 30.0
"""How often the file and the database are looked at, while somebody wants to know."""
_PROBE_SECONDS = 0.25
_SET_BACK_SECONDS = 5.0
_PATIENCE = 2
"""For so many seconds more it waits to be told what they remember, before it says what it knows itself."""
_STARTED = 3
"""After so many seconds a process knows whether there are older ones."""

log = logging.getLogger("newapi")


class _Picture(Struct, array_like=True):
    """What the oldest process remembers, for one that is new."""

    rows: list[Row]
    logs: tuple[LogRow, ...]
    totals: metrics.Totals


_PICTURE = msgspec.msgpack.Decoder(_Picture)
_TOTALS = msgspec.msgpack.Decoder(metrics.Totals)


class Live:
    """Ticks, watches over the picture, serves those who watch."""

    def __init__(
        self, local: Callable[[], Local], gateway: Gateway, declared: Callable[[], Sequence[StoredChannel]]
    ) -> None:
        """Prepare.

        Args:
            local: Gives the configuration that was read last, and the database.
            gateway: What is watched.
            declared: Gives all channels as the database has them.
        """
        self._local = local
        self._gateway = gateway
        self._declared = declared
        self._boot = secrets.token_hex(4)
        self.id = f"{socket.gethostname()}.{os.getpid()}.{self._boot}"
        self._started_at = gateway.clock()
        self.hub = Hub(local().db.shown)
        self.totals = metrics.Totals()
        self._ticker = Ticker(gateway)
        self._last = 0
        self._lag = 0.0
        self._closed = 0
        self._known: set[str] = set()
        self._settled = asyncio.Event()
        """Whether this process knows what it can know of the time before it."""
        self._new = True
        """Whether what others remember is still to be taken over."""
        self._ring: deque[tuple[int, str, bytes]] = deque()
        self._ring_bytes = 0
        self._sequence = 0
        self._oldest = 1
        """The first event that can be told again."""
        self._news = asyncio.Event()
        self._ended = False
        self._viewers = 0
        self._wanted_at = -LINGER_SECONDS
        """When somebody watched last, on the event loop's clock."""
        self.alerts: tuple[Alert, ...] | None = None
        """Those in force, while somebody is to be given notices; None until they are known."""
        self._looked_at = -LOOK_SECONDS
        self._look: asyncio.Task[None] | None = None
        self._has_looked = False
        self._task: asyncio.Task[None] | None = None
        self._writing: set[asyncio.Future[None]] = set()
        self._unsubscribe: list[Callable[[], None]] = []

    # -- its life ------------------------------------------------------------------------

    async def start(self) -> None:
        """Take over what was written down, then tick. Called in the event loop that serves."""
        bus = self._gateway.bus
        told = {TOPIC: self._heard, PICTURE: self._shown, TOTALS: self._counted}
        self._unsubscribe = [bus.subscribe(topic, take) for topic, take in told.items()]
        try:
            await asyncio.to_thread(self._load)
        except NewapiError as error:
            log.warning("what the live stream remembers cannot be read: %s", error)
        self._last = int(self._gateway.clock()) - 1
        self.beat()  # who watches before the first second is over knows the channels, and the processes
        self._task = asyncio.get_running_loop().create_task(self._run())

    def end(self) -> None:
        """Let those who watch go, so that nobody waits for them."""
        self._ended = True
        self._settled.set()
        self._tell()

    async def stop(self) -> None:
        """End; write down what is remembered."""
        self.end()
        if self._task is not None:
            self._task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._task
            self.beat()
            self.close()
            if self._is_oldest():
                self._write(self.hub.rows())
        for task in (*self._writing, *([self._look] if self._look is not None else [])):
            with contextlib.suppress(asyncio.CancelledError, NewapiError):
                await task
        for unsubscribe in self._unsubscribe:
            unsubscribe()

    async def _run(self) -> None:
        while True:
            await self._until_it_is_over()
            try:
                self.beat()
                if len(self.hub.processes()) > 1:
                    await asyncio.sleep(TOGETHER_SECONDS)
                self.close()
            except Exception:
                log.exception("the live stream failed")

    async def _until_it_is_over(self) -> None:
        """Wait until a second is over that is not closed; see meanwhile how long timers are kept waiting."""
        loop = asyncio.get_running_loop()
        while (left := self._last + 2 - self._gateway.clock()) > 0:
            if left > _SET_BACK_SECONDS:  # the clock was set back
                self._last = int(self._gateway.clock()) - 1
                continue
            wait = min(left, _PROBE_SECONDS)
            due = loop.time() + wait
            await asyncio.sleep(wait)
            self._lag = max(self._lag, loop.time() - due)

    # -- a second ------------------------------------------------------------------------

    def beat(self) -> None:
        """Tell all processes, this one too, what this one did since it last told."""
        tick = self._ticker.tick(self._process(), self._declared(), self._local().db.drain())
        self._lag = 0.0
        self._gateway.bus.publish(TOPIC, encode(tick))

    def _process(self) -> Process:
        gateway, ledger = self._gateway, self._gateway.ledger
        oldest = ledger.oldest
        return Process(
            id=self.id,
            node=socket.gethostname(),
            pid=os.getpid(),
            version=__version__,
            started_at=self._started_at,
            memory=_memory(),
            loop_lag_ms=round(self._lag * 1000, 1),
            in_flight=gateway.in_flight,
            streams=gateway.tally.streams,
            reserved=ledger.reserved,
            ledger_queue=ledger.waiting,
            ledger_failures=ledger.failures,
            journal_bytes=ledger.journal_bytes,
            viewers=self._viewers,
            ledger_lag=round(max(0.0, gateway.clock() - oldest), 3) if oldest is not None else 0.0,
        )

    def _heard(self, message: bytes) -> None:
        """Take a tick from the bus."""
        now = self._gateway.clock()
        tick = self.hub.hear(message, now)
        if tick is None:
            return
        self.totals.count(tick, self.hub.channel_names())
        if tick.process.id not in self._known:
            self._known.add(tick.process.id)
            if tick.process.id != self.id and self._is_oldest() and not self._new:
                self._show()

    def _show(self) -> None:
        """Tell new processes what this one remembers."""
        picture = _Picture(self.hub.rows(), self.hub.last_rows(), self.totals)
        self._gateway.bus.publish(PICTURE, msgspec.msgpack.encode(picture))

    def _counted(self, message: bytes) -> None:
        """Count what another process told whoever asked for metrics."""
        with contextlib.suppress(msgspec.MsgspecError):  # another version
            self.totals.reach(_TOTALS.decode(message))

    def _shown(self, message: bytes) -> None:
        """Take over what an older process remembers, once, if this one is new."""
        if not self._new or self._is_oldest():
            return
        self._new = False
        try:
            picture = _PICTURE.decode(message)
        except msgspec.MsgspecError:  # another version: the database has most of it
            return
        self.hub.restore(picture.rows, int(self._gateway.clock()))
        self.hub.remember(picture.logs)
        self.totals.reach(picture.totals)

    def _is_oldest(self) -> bool:
        processes = self.hub.processes()
        return not processes or processes[0].id == self.id

    def close(self) -> None:
        """Put together what came, and tell those who watch."""
        now = self._gateway.clock()
        second = self._last = max(int(now) - 1, self._last + 1)
        loop_now = asyncio.get_running_loop().time()
        if self._viewers:
            self._wanted_at = loop_now
        watched = loop_now - self._wanted_at < LINGER_SECONDS
        self._closed += 1
        if self._closed >= _STARTED and self._new and self._is_oldest():
            self._new = False
            if len(self.hub.processes()) > 1:
                self._show()
        if not self._new or self._closed >= _STARTED + _PATIENCE:
            self._settled.set()
        events, rows = self.hub.close(second, now, watched=watched)
        if watched:
            for event in events:
                self._append(event)
            self._tell()
            self._look_if_due(loop_now)
        elif self._ring:
            # Nobody is told of what comes now: who comes back later begins anew.
            self._ring.clear()
            self._ring_bytes = 0
            self._sequence += 1
            self._oldest = self._sequence + 1
        if rows and not self._new and self._is_oldest():
            self._write(rows)
        if self._local().config.notices:
            self._look_if_due(loop_now)
            self.alerts = self.hub.alerts(second, now) if self._has_looked else None
        self._known &= {p.id for p in self.hub.processes()}

    def _append(self, event: Event) -> None:
        self._sequence += 1
        block = sse(event, f"{self._boot}.{self._sequence}")
        self._ring.append((self._sequence, name_of(event), block))
        self._ring_bytes += len(block)
        while len(self._ring) > RING_EVENTS or self._ring_bytes > RING_BYTES:
            sequence, _, dropped = self._ring.popleft()
            self._ring_bytes -= len(dropped)
            self._oldest = sequence + 1

    def _tell(self) -> None:
        news, self._news = self._news, asyncio.Event()
        news.set()

    # -- those who watch ---------------------------------------------------------------------

    async def follow(self, topics: Collection[Topic], range: str, last: str = "") -> AsyncGenerator[bytes]:
        """Yield the stream, from after the event `last` where that is still known, until the server ends.

        There is no queue of its own: it looks into the ring when what it gave before is taken. Who takes so slowly that
        the ring has moved on is told of a gap, and begins anew.
        """
        self._viewers += 1
        self._wanted_at = asyncio.get_running_loop().time()
        try:
            cursor, gap = self._resume(last)
            if cursor is None:
                yield (sse(gap) if gap is not None else b"") + self._hello(topics, range)
                cursor = self._sequence
            else:
                yield b": resumed\n\n"
            self._look_if_due(self._wanted_at)
            while not self._ended:
                news = self._news
                if cursor + 1 < self._oldest:
                    gap = Gap("slow", self._oldest - 1 - cursor)
                    cursor = self._sequence
                    yield sse(gap) + self._hello(topics, range)
                elif cursor < self._sequence:
                    blocks = self._after(cursor, topics)
                    cursor = self._sequence
                    if blocks:
                        yield blocks
                else:
                    try:
                        async with asyncio.timeout(KEEPALIVE_SECONDS):
                            await news.wait()
                    except TimeoutError:
                        yield b": keepalive\n\n"
        finally:
            self._viewers -= 1

    def _resume(self, last: str) -> tuple[int | None, Gap | None]:
        if not last:
            return None, None
        boot, _, number = last.partition(".")
        if boot != self._boot or not number.isdecimal() or len(number) > 18:
            return None, Gap("restart")
        cursor = int(number)
        if cursor + 1 < self._oldest or cursor > self._sequence:
            return None, Gap("old", max(0, self._oldest - 1 - cursor))
        return cursor, None

    def _after(self, cursor: int, topics: Collection[Topic]) -> bytes:
        wanted = itertools.takewhile(lambda entry: entry[0] > cursor, reversed(self._ring))
        return b"".join(reversed([block for _, topic, block in wanted if topic in topics]))

    def _hello(self, topics: Collection[Topic], range: str) -> bytes:
        return sse(self.hub.hello(topics, range, self._gateway.clock()), f"{self._boot}.{self._sequence}")

    def series(self, range: str) -> Series:
        """Return a range of history."""
        return self.hub.rings.series(range, self._last)

    async def metrics(self) -> str:
        """Return everything for Prometheus.

        A process that has just begun first waits for what the others know. All are told what was answered: whichever of
        them is asked next has counted as much.
        """
        if self._task is not None and not self._ended:
            await self._settled.wait()
            if len(self.hub.processes()) > 1:
                self._gateway.bus.publish(TOTALS, msgspec.msgpack.encode(self.totals))
        self._look_if_due(asyncio.get_running_loop().time())
        hub = self.hub
        channels = tuple(hub.channel_rows(self._last).values())
        return metrics.text(self.totals, metrics.Moment(hub.system(self._last), channels, hub.balances, hub.open()))

    # -- the database --------------------------------------------------------------------------

    def _look_if_due(self, loop_now: float) -> None:
        if loop_now - self._looked_at >= LOOK_SECONDS and self._look is None and not self._ended:
            self._looked_at = loop_now
            self._look = asyncio.get_running_loop().create_task(self._look_around())

    async def _look_around(self) -> None:
        try:
            now = self._gateway.clock()
            found = await asyncio.to_thread(look, self._local(), self._gateway.snapshot, now)
            self.hub.looked(found)
            self._has_looked = True
        except NewapiError as error:
            log.warning("the live stream cannot look at the database: %s", error)
        except Exception:
            log.exception("the live stream failed to look around")
        finally:
            self._look = None

    def _write(self, rows: Sequence[Row]) -> None:
        """Write down what is remembered, in the background."""
        told = [(kind, at, bytes(value).decode()) for kind, at, value in rows]
        work = functools.partial(_written, self._local().db, told, int(self._gateway.clock()))
        future = asyncio.get_running_loop().run_in_executor(None, work)
        self._writing.add(future)
        future.add_done_callback(self._written)

    def _written(self, done: asyncio.Future[None]) -> None:
        self._writing.discard(done)
        if not done.cancelled() and (error := done.exception()) is not None:
            log.warning("what the live stream remembers cannot be written: %s", error)

    def _load(self) -> None:
        restored(self._local().db, self.hub, int(self._gateway.clock()))


def _written(db: Database, rows: Sequence[tuple[str, int, str]], now: int) -> None:
    store_series.write(db, rows)
    for kind, keep in KEEP.items():
        store_series.prune(db, kind, now - keep - 3600)


def _memory() -> int:
    """Return this process's resident memory in bytes, 0 where the system does not say."""
    try:
        with open("/proc/self/statm", "rb") as file:  # noqa: PTH123  (once a second: the quickest way)
            return int(file.read().split()[1]) * _PAGE
    except (OSError, IndexError, ValueError):
        return 0


_PAGE = os.sysconf("SC_PAGE_SIZE")
