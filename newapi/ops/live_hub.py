"""The picture of the whole gateway that a process keeps: the ticks of all processes, put together second by second."""

from __future__ import annotations

from collections import defaultdict, deque
from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import UTC, datetime

import msgspec
from msgspec import Struct

from newapi import __version__
from newapi.ops.live import (
    ROWS_A_SECOND,
    Alert,
    Alerts,
    ChannelRow,
    Channels,
    Event,
    Hello,
    LogRow,
    Logs,
    Process,
    Stats,
    Sync,
    System,
    Topic,
)
from newapi.ops.live_channels import ChannelBook
from newapi.ops.live_movers import Hour, Movers
from newapi.ops.live_rings import Kind, Rings, Row, Sum, merge
from newapi.ops.live_tick import ChannelTick, Tick, decode
from newapi.relay.tally import FAILED

GONE_SECONDS = 5.0
"""A process that has not ticked for so long is no more."""
SYSTEM_EVERY = 5
"""Seconds between two events `system`."""
LAST_ROWS = 200


class Balance(Struct, frozen=True):
    """What the upstream of a channel last said that is left: US dollars, and when (unix seconds)."""

    channel: str
    usd: float
    at: float


class Look(Struct, frozen=True):
    """What was found: the attributes as `newapi.ops.live.System` has them; `balances` of channels that told one."""

    alerts: tuple[Alert, ...]
    generation: int
    sync: Sync
    differences: int
    database_bytes: int
    balances: tuple[Balance, ...] = ()
    applied_at: float = 0.0


class _Seen:
    """A process, as its ticks tell of it."""

    def __init__(self) -> None:
        self.process = Process("")
        self.heard = 0.0
        self.channels: dict[int, ChannelTick] = {}
        self.open: dict[str, int] = {}


class Hub:
    """Takes ticks, closes seconds, and says what changed."""

    def __init__(self, database: str = "") -> None:
        """Know nothing yet; `database` is its name for people."""
        self.rings = Rings()
        self.hour = Hour()
        self._book = ChannelBook()
        self._pending: list[Tick] = []
        self._processes: dict[str, _Seen] = {}
        self._rows: deque[LogRow] = deque(maxlen=LAST_ROWS)
        self._watched = False
        """Whether somebody was told of the last second."""
        self._told: dict[int, ChannelRow] = {}
        self._watching: tuple[Alert, ...] = ()
        """What was found by whoever looks now and then; channels' alerts come from their rows."""
        self._alerts: tuple[Alert, ...] = ()
        self._since: dict[tuple[str, str], float] = {}
        self._stats = Stats()
        self._system = System(0, database=database)
        self.balances: tuple[Balance, ...] = ()
        """Of channels, as the database has them."""

    # -- what comes in -----------------------------------------------------------------

    def hear(self, message: bytes, now: float) -> Tick | None:
        """Take a tick from the bus; return it, None where another version sent what cannot be read."""
        try:
            tick = decode(message)
        except msgspec.MsgspecError:
            return None
        self.take(tick, now)
        return tick

    def take(self, tick: Tick, now: float) -> None:
        """Take the tick of a process, heard at `now` (unix seconds of this process)."""
        self._pending.append(tick)
        seen = self._processes.setdefault(tick.process.id, _Seen())
        seen.process, seen.heard, seen.open = tick.process, now, tick.served.open
        channels = {c.id: c for c in tick.channels}
        seen.channels = channels if tick.full else seen.channels | channels

    def looked(self, found: Look) -> None:
        """Take what somebody found who looked at the database and the file."""
        self._watching = found.alerts
        self.balances = found.balances
        self._system = msgspec.structs.replace(
            self._system,
            generation=found.generation,
            applied_at=found.applied_at,
            sync=found.sync,
            differences=found.differences,
            database_bytes=found.database_bytes,
        )

    def processes(self) -> tuple[Process, ...]:
        """Return those that tick, the oldest first."""
        ticking = (seen.process for seen in self._processes.values() if seen.process.id)
        return tuple(sorted(ticking, key=lambda p: (p.started_at, p.id)))

    def open(self) -> dict[str, int]:
        """Return how many HTTP requests are under way in all processes, by route."""
        total: dict[str, int] = {}
        for seen in self._processes.values():
            merge(total, seen.open)
        return total

    def channel_names(self) -> dict[int, str]:
        """Return the names of the channels by id."""
        return {id: c.name for seen in self._processes.values() for id, c in seen.channels.items()}

    # -- a second is over ----------------------------------------------------------------

    def close(self, second: int, now: float, *, watched: bool = True) -> tuple[list[Event], list[Row]]:
        """Put together what came, as what the second brought.

        Args:
            second: Its number: unix seconds.
            now: Unix seconds.
            watched: Whether anyone is told: events that nobody wants are not made.

        Returns:
            The events of the second, and what is to be written down.
        """
        ticks, self._pending = self._pending, []
        for id in [id for id, seen in self._processes.items() if now - seen.heard > GONE_SECONDS]:
            del self._processes[id]
        names = self.channel_names()
        total, movers = Sum(second), Movers()
        for tick in ticks:
            _count(total, tick)
            movers.count(tick.cells)
            self._book.note(second, tick.cells, tick.lanes, names)
        total.in_flight = sum(seen.process.in_flight for seen in self._processes.values())
        total.streams = sum(seen.process.streams for seen in self._processes.values())
        written = self.rings.add(total)
        if (row := self.hour.add(second, movers)) is not None:
            written.append(Row("mover", *row))
        self._stats = self._stats_of(total, movers, now)
        rows = sorted((row for tick in ticks for row in tick.rows), key=lambda row: row.at)
        left_out = sum(tick.settled for tick in ticks) - min(len(rows), ROWS_A_SECOND)
        rows = rows[-ROWS_A_SECOND:]
        self._rows += rows
        self._watched = watched
        if not watched:
            return [], written
        events: list[Event] = [self._stats]
        if (channels := self._changed(second)) is not None:
            events.append(channels)
        if rows:
            events.append(Logs(second, tuple(rows), left_out))
        alerts = self._alerts_now(now)
        if alerts != self._alerts:
            self._alerts = alerts
            events.append(Alerts(second, alerts))
        if second % SYSTEM_EVERY == 0:
            events.append(self.system(second))
        return events, written

    def _stats_of(self, total: Sum, movers: Movers, now: float) -> Stats:
        models, tokens, channels = movers.dearest()
        today = datetime.fromtimestamp(now, UTC).replace(hour=0, minute=0, second=0, microsecond=0)
        return Stats(
            **msgspec.structs.asdict(total.point()),
            models=models,
            tokens=tokens,
            channels=channels,
            today=self.rings.spent(int(today.timestamp())),
            month=self.rings.spent(int(today.replace(day=1).timestamp())),
        )

    def _changed(self, second: int) -> Channels | None:
        before, after = self._told, self.channel_rows(second)
        self._told = after
        changed = tuple(row for id, row in after.items() if before.get(id) != row)
        gone = tuple(before.keys() - after.keys())
        return Channels(second, changed, gone) if changed or gone else None

    def channel_rows(self, second: int) -> dict[int, ChannelRow]:
        """Return how the channels are doing, by id."""
        return self._book.rows((seen.channels for seen in self._processes.values()), second)

    def alerts(self, second: int, now: float) -> tuple[Alert, ...]:
        """Return all alerts in force after `second`, the one that was closed last, whoever watches."""
        return self._alerts if self._watched else self._alerts_of(self.channel_rows(second), now)

    def _alerts_now(self, now: float) -> tuple[Alert, ...]:
        return self._alerts_of(self._told, now)

    def _alerts_of(self, channels: Mapping[int, ChannelRow], now: float) -> tuple[Alert, ...]:
        found = [*_of_channels(channels.values()), *_of_processes(self.processes()), *self._watching]
        places = {(alert.kind, alert.subject) for alert in found}
        for place in self._since.keys() - places:
            del self._since[place]
        dated = [
            msgspec.structs.replace(a, since=self._since.setdefault((a.kind, a.subject), a.since or now)) for a in found
        ]
        return tuple(sorted(dated, key=lambda a: (-a.since, a.kind, a.subject)))

    # -- for whoever comes now -------------------------------------------------------------

    def system(self, second: int) -> System:
        """Return the processes, and what they share."""
        return msgspec.structs.replace(self._system, at=second, processes=self.processes())

    def hello(self, topics: Collection[Topic], range: str, now: float) -> Hello:
        """Return the picture as it is after the last second that was closed."""
        second = self.rings.last or int(now)
        processes = self.processes()
        if not self._watched:  # otherwise it is what those who watch were told last, and changes come from there
            self._told = self.channel_rows(second)
            self._alerts = self._alerts_now(now)
        return Hello(
            version=__version__,
            now=now,
            started_at=processes[0].started_at if processes else now,
            system=self.system(second),
            history=self.rings.series(range, second),
            stats=self._stats,
            tops=self.hour.tops(second),
            channels=tuple(self._told.values()) if "channels" in topics else (),
            logs=tuple(self._rows) if "logs" in topics else (),
            alerts=self._alerts if "alerts" in topics else (),
        )

    # -- across restarts, and to processes that come later -----------------------------------

    def rows(self) -> list[Row]:
        """Return what is to be written down before this process ends."""
        row = self.hour.row()
        return [*self.rings.rows(), *([Row("mover", *row)] if row is not None else [])]

    def restore(self, rows: Iterable[Row], now: int) -> None:
        """Take over what `rows` returned once."""
        kinds: defaultdict[Kind, list[tuple[int, bytes]]] = defaultdict(list)
        for kind, at, value in rows:
            kinds[kind].append((at, value))
        self.hour.load(kinds.pop("mover", ()))
        for kind, values in kinds.items():
            self.rings.load(kind, values, now)

    def last_rows(self) -> tuple[LogRow, ...]:
        """Return the last lines of the log, the earliest first."""
        return tuple(self._rows)

    def remember(self, rows: Sequence[LogRow]) -> None:
        """Take the last lines of the log from before, the earliest first; those that are known are not taken twice."""
        known = {row.request_id for row in self._rows}
        self._rows = deque([*(r for r in rows if r.request_id not in known), *self._rows], maxlen=LAST_ROWS)


def _count(total: Sum, tick: Tick) -> None:
    for cell in tick.cells:
        total.requests += cell.requests
        if cell.outcome in FAILED:
            total.errors += cell.requests
        total.tokens_in += cell.tokens_in
        total.tokens_out += cell.tokens_out
        total.tokens_cached += cell.cache_read
        total.quota += cell.quota
        merge(total.firsts, cell.firsts)
        merge(total.durations, cell.durations)
    total.rejected += sum(tick.refused.values())


def _of_channels(rows: Iterable[ChannelRow]) -> Iterable[Alert]:
    for row in rows:
        if row.state in ("resting", "half_open"):
            yield Alert("channel_resting", row.name, row.last_error, level="error")
        elif row.state == "tripped":
            yield Alert("channel_tripped", row.name, row.last_error, level="error")


def _of_processes(processes: Iterable[Process]) -> Iterable[Alert]:
    failing = [p for p in processes if p.ledger_failures]
    if failing:
        waiting = sum(p.ledger_queue for p in failing)
        yield Alert("ledger", "", f"{waiting} settlements cannot be written to the database", level="error")
