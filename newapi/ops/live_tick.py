"""What one process tells the others of a second, on the topic `tick` of the bus: MessagePack, arrays without names."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import msgspec
from msgspec import Struct

from newapi.ir.usage import Usage
from newapi.ops.live import ChannelState, LogRow, Process
from newapi.ops.live_rings import BOUNDS_MS, BOUNDS_US, Histogram, count
from newapi.relay.tally import Cell, Drained, HttpPlace, Place
from newapi.store.ledger import UsageRecord

TOPIC = "tick"
ERROR_LENGTH = 160
"""Characters of an error that are told: what went wrong, not what was asked."""


class CellTick(Struct, array_like=True, gc=False):
    """`newapi.relay.tally.Cell`, its place before it and its times in classes."""

    endpoint: str
    model: str
    channel: str
    token: str
    group: str
    outcome: str
    requests: int = 0
    quota: int = 0
    input: int = 0
    output: int = 0
    cache_read: int = 0
    cache_write: int = 0
    reasoning: int = 0
    audio_in: int = 0
    audio_out: int = 0
    image_in: int = 0
    image_out: int = 0
    estimated: int = 0
    uncounted: int = 0
    firsts: Histogram = {}
    durations: Histogram = {}
    first_ms: int = 0
    duration_ms: int = 0
    """Sums of the times."""
    paces: Histogram = {}
    pace_us: int = 0
    """Of streams, microseconds a token: in classes of `BOUNDS_US`, and their sum."""

    @property
    def tokens_in(self) -> int:
        """Of prompts, cached ones among them."""
        return self.input + self.cache_read + self.cache_write + self.audio_in + self.image_in

    @property
    def tokens_out(self) -> int:
        """Of answers."""
        return self.output + self.reasoning + self.audio_out + self.image_out


class Times(Struct, array_like=True):
    """Times in classes, and their sum: milliseconds, or microseconds where that is said."""

    classes: Histogram = {}
    total: int = 0

    @property
    def number(self) -> int:
        """How many were counted."""
        return sum(self.classes.values())


class ServedTick(Struct, array_like=True):
    """`newapi.relay.tally.Served`, its times in classes, and what else this process did and does.

    Attributes:
        requests: HTTP requests that ended.
        open: Route -> HTTP requests under way.
        overheads: Endpoint -> microseconds.
        keepalives: Endpoint -> how many.
        database: `read` or `write` -> how long the database was used for it each time, microseconds.
    """

    requests: list[tuple[HttpPlace, Times]] = []
    open: dict[str, int] = {}
    overheads: dict[str, Times] = {}
    keepalives: dict[str, int] = {}
    database: dict[str, Times] = {}


class LaneTick(Struct, array_like=True, gc=False):
    """`newapi.relay.tally.Lane` of a channel."""

    channel: int
    ended: int = 0
    failed: dict[str, int] = {}
    error: str = ""
    error_at: float = 0.0


class ChannelTick(Struct, array_like=True, frozen=True, gc=False):
    """What one process sees of a channel at this moment."""

    id: int
    name: str
    state: ChannelState = "up"
    keys_up: int = 1
    keys: int = 1
    in_flight: int = 0
    rests_until: float = 0.0
    reason: str = ""


class Tick(Struct, array_like=True):
    """One second of one process.

    Attributes:
        process: Which one, and how it is.
        at: Unix seconds: when it was over.
        full: Whether `channels` are all there are, or those that changed.
        refused: Outcome -> requests that were turned away.
        rows: The last requests that ended, at most 200.
        settled: How many ended.
        served: What HTTP was served.
    """

    process: Process
    at: float
    cells: list[CellTick] = []
    lanes: list[LaneTick] = []
    channels: list[ChannelTick] = []
    full: bool = False
    refused: dict[str, int] = {}
    rows: list[LogRow] = []
    settled: int = 0
    served: ServedTick = msgspec.field(default_factory=ServedTick)


_ENCODER = msgspec.msgpack.Encoder()
_DECODER = msgspec.msgpack.Decoder(Tick)


def encode(tick: Tick) -> bytes:
    """Return a tick as it goes over the bus."""
    return _ENCODER.encode(tick)


def decode(message: bytes) -> Tick:
    """Return the tick of a message.

    Raises:
        msgspec.MsgspecError: It is none: another version sent it.
    """
    return _DECODER.decode(message)


def tick(
    drained: Drained,
    process: Process,
    channels: list[ChannelTick],
    now: float,
    *,
    full: bool,
    open: Mapping[str, int] | None = None,
    database: Sequence[tuple[str, int]] = (),
) -> Tick:
    """Return the tick of what was counted; `open` and `database` (kind, microseconds) as `ServedTick` has them."""
    return Tick(
        process=process,
        at=now,
        cells=[_cell(place, cell) for place, cell in drained.cells.items()],
        lanes=_lanes(drained),
        channels=channels,
        full=full,
        refused={str(outcome): number for outcome, number in drained.refused.items()},
        rows=sorted((log_row(*row) for row in drained.rows), key=lambda row: row.at),
        settled=drained.settled,
        served=_served(drained, open or {}, database),
    )


def _served(drained: Drained, open: Mapping[str, int], database: Sequence[tuple[str, int]]) -> ServedTick:
    served = drained.served
    uses: dict[str, list[int]] = {}
    for kind, micros in database:
        uses.setdefault(kind, []).append(micros)
    return ServedTick(
        requests=[(place, _times(times, BOUNDS_MS)) for place, times in served.requests.items()],
        open={route: number for route, number in open.items() if number},
        overheads={endpoint: _times(times, BOUNDS_US) for endpoint, times in served.overheads.items()},
        keepalives=served.keepalives,
        database={kind: _times(times, BOUNDS_US) for kind, times in uses.items()},
    )


def _times(times: Sequence[int], bounds: Sequence[int]) -> Times:
    counted = Times({}, sum(times))
    count(counted.classes, times, bounds)
    return counted


def _lanes(drained: Drained) -> list[LaneTick]:
    return [
        LaneTick(id, lane.ended, lane.failed, lane.error[:ERROR_LENGTH], lane.error_at)
        for id, lane in drained.lanes.items()
    ]


def _cell(place: Place, cell: Cell) -> CellTick:
    firsts: Histogram = {}
    durations: Histogram = {}
    count(firsts, cell.firsts)
    count(durations, cell.durations)
    paces: Histogram = {}
    count(paces, cell.paces, BOUNDS_US)
    return CellTick(
        *place,
        requests=cell.requests,
        quota=cell.quota,
        input=cell.input,
        output=cell.output,
        cache_read=cell.cache_read,
        cache_write=cell.cache_write,
        reasoning=cell.reasoning,
        audio_in=cell.audio_in,
        audio_out=cell.audio_out,
        image_in=cell.image_in,
        image_out=cell.image_out,
        estimated=cell.estimated,
        uncounted=cell.uncounted,
        firsts=firsts,
        durations=durations,
        first_ms=sum(cell.firsts),
        duration_ms=sum(cell.durations),
        paces=paces,
        pace_us=sum(cell.paces),
    )


def log_row(record: UsageRecord, usage: Usage, tries: int) -> LogRow:
    """Return a line of the log as it is told."""
    return LogRow(
        at=record.created_at,
        request_id=record.request_id,
        kind=record.kind,
        user=record.user_name,
        token=record.token_name,
        group=record.group,
        model=record.model,
        upstream_model=record.upstream_model,
        channel=record.channel_name,
        status=record.status,
        stream=record.stream,
        first_ms=record.first_token_ms,
        duration_ms=record.duration_ms,
        tokens_in=usage.prompt,
        tokens_out=usage.completion,
        tokens_cached=usage.cache_read,
        quota=record.quota,
        tries=tries,
        endpoint=record.endpoint,
        entry_format=record.entry_format,
        upstream_format=record.upstream_format,
        end_reason=record.end_reason,
        error=record.error[:ERROR_LENGTH],
    )
