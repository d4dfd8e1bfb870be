"""What the live stream says: the values of its events, for the server that tells them and for whoever watches.

`GET /api/stream` is a stream of server-sent events, one block a topic and second. A watcher is told `hello` first, with
all it missed, then only what changes:

    hello     who serves, and the picture so far: history, channels, the last log lines, alerts, processes
    stats     one a second: what ended in that second, and what is under way
    channels  channels of which something changed
    logs      requests that ended, at most 200 a second
    alerts    all that is in force, whenever one comes or goes
    system    the processes, every few seconds
    gap       something is missing here; a `hello` follows, and replaces the picture

Prompts and answers are never in it. Money is quota, 500,000 to the US dollar; times are unix seconds; `*_ms`
milliseconds, 0 where there was none. Fields that are zero or empty are left out on the wire.
"""

from __future__ import annotations

from typing import Literal, TypeAlias

import msgspec
from msgspec import Struct

from newapi.frames.sse import write

Topic = Literal["stats", "channels", "logs", "alerts", "system"]
TOPICS: tuple[Topic, ...] = ("stats", "channels", "logs", "alerts", "system")
"""What can be asked for; `hello` and `gap` are always told."""

Range = Literal["5m", "15m", "1h", "24h", "7d", "30d"]
RANGES: dict[str, tuple[int, int]] = {
    "5m": (300, 1),
    "15m": (900, 1),
    "1h": (3600, 60),
    "24h": (86_400, 60),
    "7d": (7 * 86_400, 3600),
    "30d": (30 * 86_400, 3600),
}
"""A range of history -> its length and the step of its points, both in seconds."""

ROWS_A_SECOND = 200
"""Log lines that are told of one second; of more, some are."""

ChannelState = Literal["up", "half_open", "resting", "disabled", "tripped"]
"""`resting`: the breaker is open; `half_open`: one request is trying it; `disabled`: by hand; `tripped`: by itself, for
a reason that waiting does not mend."""
Sync = Literal["in sync", "drifted", "never applied", "unknown"]
"""Whether the database is what the file says; unknown where there is no file to compare."""


class Point(Struct, frozen=True, omit_defaults=True, gc=False):
    """What one second, minute or hour brought.

    Attributes:
        at: When it began.
        requests: Those that ended in it, errors among them; not those that were turned away.
        errors: Those that failed: an upstream's or our own failure, told to the caller.
        rejected: Turned away before any channel was asked: no such key, no quota, a limit, no such model.
        tokens_in, tokens_out: Prompts (cached tokens among them) and answers.
        tokens_cached: Of `tokens_in` those read from a cache.
        quota: What it cost.
        in_flight: Requests under way at its end; in a minute or hour the most.
        streams: Of those in flight, answers that are being streamed.
        first_p50_ms, first_p95_ms: Time to the first token; `duration_*`: to the end.
    """

    at: int = 0
    requests: int = 0
    errors: int = 0
    rejected: int = 0
    tokens_in: int = 0
    tokens_out: int = 0
    tokens_cached: int = 0
    quota: int = 0
    in_flight: int = 0
    streams: int = 0
    first_p50_ms: int = 0
    first_p95_ms: int = 0
    duration_p50_ms: int = 0
    duration_p95_ms: int = 0


class Mover(Struct, frozen=True, omit_defaults=True, gc=False):
    """What one model, token or channel had of a second."""

    name: str
    requests: int = 0
    errors: int = 0
    tokens_in: int = 0
    tokens_out: int = 0
    quota: int = 0


class Stats(Point, frozen=True, omit_defaults=True, gc=True):
    """One second: `at` is its number, and every second is told, also an empty one.

    Attributes:
        models, tokens, channels: Who had what of it, the dearest first, at most 20 of each; those without a request are
            left out.
        today, month: Quota spent since midnight and since the first of the month, UTC.
    """

    models: tuple[Mover, ...] = ()
    tokens: tuple[Mover, ...] = ()
    channels: tuple[Mover, ...] = ()
    today: int = 0
    month: int = 0


class Series(Struct, frozen=True, omit_defaults=True):
    """History, a column for each number of `Point`: all columns are as long as `requests`.

    Attributes:
        range, step: What was asked for, and the seconds between two points.
        since: When the first point begins; the i-th is `since + i * step`. There are no holes: what is not known is 0.
    """

    range: str = "15m"
    step: int = 1
    since: int = 0
    requests: tuple[int, ...] = ()
    errors: tuple[int, ...] = ()
    rejected: tuple[int, ...] = ()
    tokens_in: tuple[int, ...] = ()
    tokens_out: tuple[int, ...] = ()
    tokens_cached: tuple[int, ...] = ()
    quota: tuple[int, ...] = ()
    in_flight: tuple[int, ...] = ()
    streams: tuple[int, ...] = ()
    first_p50_ms: tuple[int, ...] = ()
    first_p95_ms: tuple[int, ...] = ()
    duration_p50_ms: tuple[int, ...] = ()
    duration_p95_ms: tuple[int, ...] = ()

    def __len__(self) -> int:
        return len(self.requests)

    def points(self) -> list[Point]:
        """Return the points, the earliest first."""
        columns = zip(*(getattr(self, name) for name in COLUMNS), strict=True)
        return [Point(self.since + i * self.step, *values) for i, values in enumerate(columns)]


COLUMNS: tuple[str, ...] = Point.__struct_fields__[1:]
"""The numbers of a `Point`, in order: the columns of a `Series`."""


def series(range: str, step: int, points: list[Point]) -> Series:
    """Return `points`, which are `step` seconds apart, the earliest first, as columns."""
    columns = {name: tuple(getattr(p, name) for p in points) for name in COLUMNS}
    return Series(range=range, step=step, since=points[0].at if points else 0, **columns)


class Top(Mover, frozen=True, omit_defaults=True, gc=True):
    """The same of the last hour; `spark` is its requests by the minute, the latest last."""

    spark: tuple[int, ...] = ()


class Tops(Struct, frozen=True, omit_defaults=True):
    """Who used most in the last hour, the dearest first, at most 20 of each."""

    models: tuple[Top, ...] = ()
    tokens: tuple[Top, ...] = ()
    channels: tuple[Top, ...] = ()


class ChannelRow(Struct, frozen=True, omit_defaults=True, gc=False):
    """How one channel is doing.

    Attributes:
        id, name: Of the channel. The rest of what it is (type, groups, priority) is the management API's to say.
        state: Its own, or that of its keys: it rests when all of them do.
        keys_up, keys: How many of its keys can be used, of how many.
        in_flight: Attempts under way.
        requests_per_second: Attempts that ended, over the last ten seconds.
        errors_per_minute: Failed attempts in the last minute.
        first_p50_ms, p95_ms: Time to the first token, and to the end, of the last five minutes.
        quota_per_hour: What requests it served cost in the last hour.
        last_error, last_error_at: Masked and cut short.
        rests_until: When the first of its keys may be tried again; 0 when it does not rest, or for no known time.
    """

    id: int
    name: str
    state: ChannelState = "up"
    keys_up: int = 1
    keys: int = 1
    in_flight: int = 0
    requests_per_second: float = 0.0
    errors_per_minute: int = 0
    first_p50_ms: int = 0
    p95_ms: int = 0
    quota_per_hour: int = 0
    last_error: str = ""
    last_error_at: float = 0.0
    rests_until: float = 0.0


class Channels(Struct, frozen=True, omit_defaults=True):
    """Channels whose row changed, and ids of those that are gone."""

    at: int
    rows: tuple[ChannelRow, ...] = ()
    gone: tuple[int, ...] = ()


class LogRow(Struct, frozen=True, omit_defaults=True, gc=False):
    """A request that ended.

    Attributes:
        at: When it ended.
        request_id: By which `newapi trace` finds the whole of it.
        kind: `consume`, or `error` when nothing was served; others of the log where the log is what is read.
        model, upstream_model: As asked for, and as sent upstream.
        status: What the caller got.
        tokens_in, tokens_out, tokens_cached: As `Point` has them.
        tries: Attempts, the last among them.
        endpoint: `chat`, `embeddings`, ….
        entry_format, upstream_format: What the caller and the upstream speak.
        end_reason: `done`, `client_gone`, `upstream_broken`, `stopped` or `error`.
        error: What went wrong, masked and cut short; "" when nothing did.
    """

    at: float
    request_id: str
    kind: str = "consume"
    user: str = ""
    token: str = ""
    group: str = ""
    model: str = ""
    upstream_model: str = ""
    channel: str = ""
    status: int = 200
    stream: bool = False
    first_ms: int = 0
    duration_ms: int = 0
    tokens_in: int = 0
    tokens_out: int = 0
    tokens_cached: int = 0
    quota: int = 0
    tries: int = 1
    endpoint: str = "chat"
    entry_format: str = ""
    upstream_format: str = ""
    end_reason: str = "done"
    error: str = ""


class Logs(Struct, frozen=True, omit_defaults=True):
    """Requests that ended in a second, the earliest first; `left_out` more did, and are in the log alone."""

    at: int
    rows: tuple[LogRow, ...] = ()
    left_out: int = 0


AlertKind = Literal["channel_resting", "channel_tripped", "budget", "no_price", "drift", "ledger"]


class Alert(Struct, frozen=True, omit_defaults=True, gc=False):
    """Something that somebody ought to look at.

    Attributes:
        kind: `channel_resting` and `channel_tripped`: no key of a channel can be used. `budget`: a token has spent 80 %
            of a budget, or all of it. `no_price`: a model that a channel serves has none, and is refused. `drift`: the
            database is not what the file says. `ledger`: settlements cannot be written to the database.
        subject: The name of the channel, token or model; with the kind it is what the alert is known by.
        level: `error` when requests fail because of it.
    """

    kind: AlertKind
    subject: str = ""
    message: str = ""
    level: Literal["warning", "error"] = "warning"
    since: float = 0.0


class Alerts(Struct, frozen=True, omit_defaults=True):
    """All alerts in force, the latest first."""

    at: int
    alerts: tuple[Alert, ...] = ()


class Process(Struct, frozen=True, omit_defaults=True, gc=False):
    """One serving process.

    Attributes:
        id: Of this process and this start of it.
        node: The machine's name.
        memory: Resident, bytes.
        loop_lag_ms: The longest the event loop kept a timer waiting since it was last told.
        reserved: Quota set aside for requests under way.
        ledger_queue: Settlements that are not in the database yet.
        ledger_failures: Batches that the database refused in a row.
        journal_bytes: What the journal of settlements holds.
        viewers: Who watches this stream through it.
        ledger_lag: Seconds since the request ended whose settlement has waited longest for the database; 0 when none.
    """

    id: str
    node: str = ""
    pid: int = 0
    version: str = ""
    started_at: float = 0.0
    memory: int = 0
    loop_lag_ms: float = 0.0
    in_flight: int = 0
    streams: int = 0
    reserved: int = 0
    ledger_queue: int = 0
    ledger_failures: int = 0
    journal_bytes: int = 0
    viewers: int = 0
    ledger_lag: float = 0.0


class System(Struct, frozen=True, omit_defaults=True):
    """The processes of the gateway, the oldest first, and what they share.

    Attributes:
        generation: The last apply, 0 before the first; `applied_at` is when that was, Unix seconds.
        differences: Objects that an apply would change.
        database: Which one, without its password; `database_bytes` 0 where it does not say.
    """

    at: int
    processes: tuple[Process, ...] = ()
    generation: int = 0
    sync: Sync = "unknown"
    differences: int = 0
    database: str = ""
    database_bytes: int = 0
    applied_at: float = 0.0


class Hello(Struct, frozen=True, omit_defaults=True):
    """The picture so far: what a watcher begins with, and after a gap begins again with.

    Attributes:
        version: Of the server.
        source: `database` when no server runs and the log is read instead: then `in_flight` and the like are 0.
        now: The server's clock.
        started_at: Of the oldest process.
        system: Processes, generation, drift.
        history: The range that was asked for.
        stats: The last second that is over.
        tops: Who used most in the last hour.
        channels: All of them, if they were asked for.
        logs: The last lines, the earliest first, at most 200, if they were asked for.
        alerts: Those in force, if they were asked for.
    """

    version: str
    now: float
    started_at: float = 0.0
    source: Literal["server", "database"] = "server"
    system: System = System(0)
    history: Series = Series()
    stats: Stats = Stats()
    tops: Tops = Tops()
    channels: tuple[ChannelRow, ...] = ()
    logs: tuple[LogRow, ...] = ()
    alerts: tuple[Alert, ...] = ()


class Gap(Struct, frozen=True, omit_defaults=True):
    """Something is missing here.

    Attributes:
        reason: `slow`: the watcher did not read fast enough. `old`: it was away longer than the server remembers.
            `restart`: another start of the server, or another process, answers.
        missed: Events that are lost, where that is known.
    """

    reason: Literal["slow", "old", "restart"]
    missed: int = 0


class Link(Struct, frozen=True, omit_defaults=True):
    """Not the server's word but the client's: how the connection is.

    Attributes:
        state: `connecting`, `connected`; `lost`, and tried again in `retry_in` seconds; `ended`: it is not tried again.
        message: Why.
    """

    state: Literal["connecting", "connected", "lost", "ended"]
    where: str = ""
    message: str = ""
    retry_in: float = 0.0


Event: TypeAlias = Hello | Stats | Channels | Logs | Alerts | System | Gap | Link
EVENTS: dict[str, type[Event]] = {
    "hello": Hello,
    "stats": Stats,
    "channels": Channels,
    "logs": Logs,
    "alerts": Alerts,
    "system": System,
    "gap": Gap,
    "link": Link,
}
"""The name of an event -> what is in it."""
_NAMES = {kind: name for name, kind in EVENTS.items()}
_DECODERS = {name: msgspec.json.Decoder(kind) for name, kind in EVENTS.items()}
_ENCODER = msgspec.json.Encoder()


class Told(Struct, frozen=True):
    """An event as it came; `id` is what to ask for to go on after it, "" where that is not possible."""

    id: str
    event: Event


def name_of(event: Event) -> str:
    """Return the name under which an event is told."""
    return _NAMES[type(event)]


def encode(event: Event) -> bytes:
    """Return an event as one line of JSON."""
    return _ENCODER.encode(event)


def decode(name: str, data: bytes | str) -> Event | None:
    """Return an event, None for a name that this version does not know: a newer server may tell more.

    Raises:
        msgspec.MsgspecError: It is not what the name promises.
    """
    decoder = _DECODERS.get(name)
    return decoder.decode(data) if decoder is not None else None


def sse(event: Event, id: str = "") -> bytes:
    """Return an event as a block of a stream of server-sent events."""
    head = f"id: {id}\n".encode() if id else b""
    return head + write(encode(event), name_of(event))
