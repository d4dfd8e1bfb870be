"""What one process tells the others of a second, on the topic `tick` of the bus: MessagePack, arrays without names."""

from __future__ import annotations

import msgspec
from msgspec import Struct

from newapi.ir.usage import Usage
from newapi.ops.live import ChannelState, LogRow, Process
from newapi.ops.live_rings import Histogram, count
from newapi.relay.tally import Cell, Drained, Place
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

    @property
    def tokens_in(self) -> int:
        """Of prompts, cached ones among them."""
        return self.input + self.cache_read + self.cache_write + self.audio_in + self.image_in

    @property
    def tokens_out(self) -> int:
        """Of answers."""
        return self.output + self.reasoning + self.audio_out + self.image_out


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


def tick(drained: Drained, process: Process, channels: list[ChannelTick], now: float, *, full: bool) -> Tick:
    """Return the tick of what was counted."""
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
    )


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
