"""Watching the database where no server runs: the same events, from the lines of the log as they come."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator, Awaitable, Callable, Collection, Sequence

import msgspec

from newapi.base.errors import StoreError
from newapi.ir.usage import Usage
from newapi.ops.channels import list_channels
from newapi.ops.live import TOPICS, Hello, Link, LogRow, Process, Range, Series, Told, Topic, name_of
from newapi.ops.live_hub import Hub
from newapi.ops.live_rings import KEEP, Row, Sum
from newapi.ops.live_tick import ChannelTick, Tick, log_row, tick
from newapi.relay.tally import Outcome, Tally
from newapi.store import series as store_series
from newapi.store.database import Database
from newapi.store.ledger import RecordFilter, StoredRecord, last_record_id, query_records
from newapi.store.usage import sums

POLL_SECONDS = 1.0
CHANNELS_EVERY = 4
"""Seconds after which the states of the channels are read again: before the hub takes their reader for gone."""
_BATCH = 2000
_SHOWN = ("consume", "error")
_USAGE = msgspec.json.Decoder(Usage)
_TRIES = msgspec.json.Decoder(list[msgspec.Raw])
_OUTCOMES: dict[str, Outcome] = {"done": "ok", "client_gone": "client_abort", "stopped": "internal_error"}
_LOST = "the database cannot be read"

Sleep = Callable[[float], Awaitable[None]]


def usage_of(record: StoredRecord) -> Usage:
    """Return the tokens of a line of the log; only those in and out where it does not say more."""
    if record.usage:
        try:
            return _USAGE.decode(record.usage)
        except (msgspec.MsgspecError, UnicodeEncodeError):  # cut short, or another version's
            pass
    return Usage(input=record.prompt_tokens, output=record.completion_tokens)


def tries_of(record: StoredRecord) -> int:
    """Return how many attempts a line of the log tells of."""
    try:
        return len(_TRIES.decode(record.tries)) if record.tries else 1
    except (msgspec.MsgspecError, UnicodeEncodeError):
        return 1


def last_rows(db: Database, limit: int = 200) -> list[LogRow]:
    """Return the last requests of the log, the earliest first."""
    found = query_records(db, RecordFilter(kinds=_SHOWN, limit=limit))
    return [log_row(r, usage_of(r), tries_of(r)) for r in reversed(found)]


def stored_rows(db: Database, now: int) -> list[Row]:
    """Return what a server has written down of the past."""
    rows: list[Row] = []
    for kind, keep in KEEP.items():
        rows += (Row(kind, at, value.encode()) for at, value in store_series.read(db, kind, now - keep - 3600))
    return rows


def stored_hours(db: Database, now: int) -> list[tuple[int, Sum]]:
    """Return the hours of a month as the log has them, for where nothing was written down."""
    found = sums(db, RecordFilter(since=now - KEEP["hour"]), ("hour",))
    return [
        (s.at, Sum(s.at, requests=s.requests, tokens_in=s.prompt_tokens, tokens_out=s.completion_tokens, quota=s.quota))
        for s in found
    ]


def restored(db: Database, hub: Hub, now: int) -> None:
    """Fill a hub with what the database knows. Waits for it: call it in a thread.

    Raises:
        StoreError: It cannot be read.
    """
    hub.restore(stored_rows(db, now), now)
    if not hub.rings.has_hours:
        for at, hour in stored_hours(db, now):
            hub.rings.put("hour", at, hour, now)
    hub.remember(last_rows(db))


def series(db: Database, range: Range, now: float | None = None) -> Series:
    """Return a range of history, as far as the database has it.

    Raises:
        StoreError: It cannot be read.
    """
    now = time.time() if now is None else now
    hub = Hub()
    restored(db, hub, int(now))
    return hub.rings.series(range, int(now))


class _Reader:
    """Reads what came since it read last."""

    def __init__(self, db: Database, clock: Callable[[], float]) -> None:
        self._db = db
        self._clock = clock
        self.hub = Hub(db.shown)
        self._last_id = 0
        self._second = 0
        self._channels_at = -float(CHANNELS_EVERY)

    def begin(self, topics: Collection[Topic], range: Range) -> Hello:
        now = self._clock()
        self._last_id = last_record_id(self._db)
        restored(self._db, self.hub, int(now))
        self.hub.take(self._tick(Tally(), now), now)
        self._second = int(now) - 1
        self.hub.close(self._second, now, watched=False)
        return msgspec.structs.replace(self.hub.hello(topics, range, now), source="database")

    def poll(self) -> list[Told]:
        """Return the events of the seconds that are over."""
        now = self._clock()
        tally = Tally()
        for record in self._new():
            tally.note(record, usage_of(record), tries_of(record), _outcome(record))
        self.hub.take(self._tick(tally, now), now)
        self._second = max(self._second + 1, int(now) - 1)
        events, _ = self.hub.close(self._second, now)
        return [Told("", event) for event in events]

    def _new(self) -> Sequence[StoredRecord]:
        found = query_records(self._db, RecordFilter(kinds=_SHOWN, after_id=self._last_id, limit=_BATCH))
        if found:
            self._last_id = found[-1].id
        return found

    def _tick(self, tally: Tally, now: float) -> Tick:
        full = now - self._channels_at >= CHANNELS_EVERY or now < self._channels_at
        if full:
            self._channels_at = now
        channels = self._channels() if full else []
        return tick(tally.drain(), Process(""), channels, now, full=full)

    def _channels(self) -> list[ChannelTick]:
        return [
            ChannelTick(
                c.id,
                c.name,
                "up" if c.state == "enabled" else c.state,
                max(1, len(c.references)) - len(c.key_states),
                max(1, len(c.references)),
                reason=c.state_reason,
            )
            for c in list_channels(self._db)
        ]


async def watch(
    db: Database,
    *,
    topics: Collection[Topic] = TOPICS,
    range: Range = "15m",
    sleep: Sleep = asyncio.sleep,
    clock: Callable[[], float] = time.time,
) -> AsyncGenerator[Told]:
    """Yield what happens in a database, without an end: as `newapi.ops.live_client.watch` does of a server.

    What only a server knows (what is under way, breakers, processes) is not told; `Hello.source` is `database`.
    """
    reader = _Reader(db, clock)
    hello: Hello | None = None
    lost = False
    while True:
        try:
            if hello is None:
                hello = await asyncio.to_thread(reader.begin, topics, range)
                yield Told("", Link("connected", db.shown, "no server answers: the log in the database is read"))
                yield Told("", hello)
            else:
                for told in await asyncio.to_thread(reader.poll):
                    if name_of(told.event) in topics:
                        yield told
            if lost:
                lost = False
                yield Told("", Link("connected", db.shown))
        except StoreError as error:
            lost = True
            yield Told("", Link("lost", db.shown, error.message, POLL_SECONDS))
        await sleep(POLL_SECONDS)


def _outcome(record: StoredRecord) -> Outcome:
    if record.kind == "error":
        return "upstream_error" if record.status >= 500 or not record.status else "invalid"
    return _OUTCOMES.get(record.end_reason, "upstream_error")
