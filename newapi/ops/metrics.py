"""What Prometheus reads: counters of the whole gateway since its oldest process began, and what is at the moment.

The text format: https://prometheus.io/docs/instrumenting/exposition_formats/ (read 2026-11-24).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TypeAlias

import msgspec
from msgspec import Struct

from newapi import __version__
from newapi.base.units import QUOTA_PER_USD
from newapi.ops.live import ChannelRow, ChannelState, Process, System
from newapi.ops.live_rings import BOUNDS_MS, Histogram, merge
from newapi.ops.live_tick import CellTick, Tick

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
MODELS = 500
"""Models that have series of their own; the others are `other`. Where a channel takes any name, callers choose them."""
OTHER = "other"
_SHOWN_MS = (5, 10, 25, 50, 100, 250, 500, 1000, 2500, 5000, 10_000, 30_000, 60_000, 120_000, 300_000, 600_000)
"""Of the classes in which times are counted, those whose bounds are told."""
_STATES: tuple[ChannelState, ...] = ("up", "half_open", "resting", "tripped", "disabled")
_TOKEN_TYPES = (
    *("input", "output", "cache_read", "cache_write", "reasoning"),
    *("audio_in", "audio_out", "image_in", "image_out"),
)
_LIMITS = {"rejected_rate": "rate", "rejected_quota": "quota", "rejected_auth": "auth"}


class Times(Struct, array_like=True):
    """A histogram: classes, and the sum in milliseconds."""

    classes: Histogram = {}
    total: int = 0


Labels: TypeAlias = tuple[str, ...]


class Totals(Struct, array_like=True):
    """Counters that only grow. They are MessagePack between processes, so that a new one goes on where another was."""

    requests: dict[Labels, int] = {}
    """(endpoint, model, channel, group, outcome)"""
    quota: dict[Labels, int] = {}
    """(model, channel, group)"""
    tokens: dict[Labels, int] = {}
    """(model, channel, type)"""
    durations: dict[Labels, Times] = {}
    """(endpoint, model, channel)"""
    firsts: dict[Labels, Times] = {}
    attempts: dict[Labels, int] = {}
    """(channel, reason)"""
    sources: dict[str, int] = {}
    models: set[str] = set()

    def count(self, tick: Tick, names: dict[int, str]) -> None:
        """Add what one process told of a second; `names` are those of the channels by id."""
        for cell in tick.cells:
            self._cell(cell)
        for outcome, number in tick.refused.items():
            _add(self.requests, ("", "", "", "", outcome), number)
        for lane in tick.lanes:
            channel = names.get(lane.channel, "")
            failed = sum(lane.failed.values())
            _add(self.attempts, (channel, "ok"), lane.ended - failed)
            for reason, number in lane.failed.items():
                _add(self.attempts, (channel, reason), number)

    def _cell(self, cell: CellTick) -> None:
        model = cell.model
        if model not in self.models:
            if len(self.models) < MODELS:
                self.models.add(model)
            else:
                model = OTHER
        _add(self.requests, (cell.endpoint, model, cell.channel, cell.group, cell.outcome), cell.requests)
        _add(self.quota, (model, cell.channel, cell.group), cell.quota)
        for kind in _TOKEN_TYPES:
            _add(self.tokens, (model, cell.channel, kind), getattr(cell, kind))
        place = (cell.endpoint, model, cell.channel)
        for times, classes, total in (
            (self.durations, cell.durations, cell.duration_ms),
            (self.firsts, cell.firsts, cell.first_ms),
        ):
            if classes:
                known = times.setdefault(place, Times())
                merge(known.classes, classes)
                known.total += total
        for source, number in (
            ("upstream", cell.requests - cell.estimated - cell.uncounted),
            ("estimate", cell.estimated),
            ("none", cell.uncounted),
        ):
            if number:
                self.sources[source] = self.sources.get(source, 0) + number


_ENCODER = msgspec.msgpack.Encoder()
_DECODER = msgspec.msgpack.Decoder(Totals)


def encode(totals: Totals) -> bytes:
    """Return counters as they go to another process."""
    return _ENCODER.encode(totals)


def decode(message: bytes) -> Totals | None:
    """Return the counters of a message, None where another version sent it."""
    try:
        return _DECODER.decode(message)
    except msgspec.MsgspecError:
        return None


def _add(into: dict[Labels, int], labels: Labels, number: int) -> None:
    if number:
        into[labels] = into.get(labels, 0) + number


# -- as text -----------------------------------------------------------------------------------


def text(totals: Totals, system: System, channels: Iterable[ChannelRow]) -> str:
    """Return everything in Prometheus' text format."""
    channels = list(channels)
    out = _Text()
    out.counter(
        "newapi_relay_requests_total",
        "Requests that ended, by how",
        ("endpoint", "model", "channel", "group", "outcome"),
        totals.requests.items(),
    )
    out.counter(
        "newapi_relay_attempts_total",
        "Requests sent to channels, by how they ended",
        ("channel", "reason"),
        totals.attempts.items(),
    )
    place = ("endpoint", "model", "channel")
    out.histogram("newapi_relay_duration_seconds", "From the request to the end of the answer", place, totals.durations)
    out.histogram(
        "newapi_relay_time_to_first_token_seconds",
        "From the request to the first token of a stream",
        place,
        totals.firsts,
    )
    out.counter(
        "newapi_tokens_total",
        "Tokens, each of one type",
        ("model", "channel", "type"),
        totals.tokens.items(),
    )
    out.counter(
        "newapi_cost_usd_total",
        "What requests cost those who made them, US dollars",
        ("model", "channel", "group"),
        ((labels, quota / QUOTA_PER_USD) for labels, quota in totals.quota.items()),
    )
    out.counter(
        "newapi_usage_source_total",
        "Requests by who counted their tokens",
        ("source",),
        (((source,), number) for source, number in totals.sources.items()),
    )
    rejected = [((kind,), totals.requests.get(("", "", "", "", o), 0)) for o, kind in _LIMITS.items()]
    out.counter("newapi_limit_rejections_total", "Requests that a limit turned away", ("kind",), rejected)
    _channels(out, channels)
    _processes(out, system.processes)
    out.gauge("newapi_config_generation", "The last apply", (), [((), system.generation)])
    out.gauge("newapi_config_drift_objects", "Objects that an apply would change", (), [((), system.differences)])
    out.gauge("newapi_database_size_bytes", "Of the database, where it says", (), [((), system.database_bytes)])
    out.gauge("newapi_build_info", "The version that serves", ("version",), [((__version__,), 1)])
    return out.done()


def _channels(out: _Text, channels: Sequence[ChannelRow]) -> None:
    out.gauge(
        "newapi_channel_state",
        "1 for the state a channel is in",
        ("channel", "state"),
        [((c.name, state), int(c.state == state)) for c in channels for state in _STATES],
    )
    keys = [((c.name, "up"), c.keys_up) for c in channels] + [((c.name, "down"), c.keys - c.keys_up) for c in channels]
    out.gauge("newapi_channel_keys", "Keys of a channel that can be used, and that cannot", ("channel", "state"), keys)
    out.gauge(
        "newapi_channel_inflight",
        "Requests under way at a channel",
        ("channel",),
        [((c.name,), c.in_flight) for c in channels],
    )


def _processes(out: _Text, processes: Sequence[Process]) -> None:
    out.gauge(
        "newapi_requests_in_flight", "Requests under way", (), [((), sum(process.in_flight for process in processes))]
    )
    out.gauge("newapi_streams_open", "Answers that are being streamed", (), [((), sum(p.streams for p in processes))])
    reserved = sum(p.reserved for p in processes) / QUOTA_PER_USD
    out.gauge("newapi_quota_reserved_usd", "Set aside for requests under way, US dollars", (), [((), reserved)])
    out.gauge(
        "newapi_settlement_queue_depth",
        "Settlements that are not in the database yet",
        (),
        [((), sum(p.ledger_queue for p in processes))],
    )
    out.gauge("newapi_stream_viewers", "Who watches the live stream", (), [((), sum(p.viewers for p in processes))])
    label = ("process",)
    out.gauge(
        "newapi_event_loop_lag_seconds",
        "The longest that a timer waited in the last second",
        label,
        [((p.id,), p.loop_lag_ms / 1000) for p in processes],
    )
    out.gauge(
        "process_resident_memory_bytes", "Resident memory", label, [((p.id,), float(p.memory)) for p in processes]
    )
    out.gauge(
        "process_start_time_seconds",
        "When it was started, unix time",
        label,
        [((p.id,), p.started_at) for p in processes],
    )


class _Text:
    def __init__(self) -> None:
        self._lines: list[str] = []

    def counter(self, name: str, about: str, names: Labels, values: Iterable[tuple[Labels, float]]) -> None:
        self._family(name, about, "counter", names, values)

    def gauge(self, name: str, about: str, names: Labels, values: Iterable[tuple[Labels, float]]) -> None:
        self._family(name, about, "gauge", names, values)

    def histogram(self, name: str, about: str, names: Labels, values: dict[Labels, Times]) -> None:
        self._head(name, about, "histogram")
        for labels, times in sorted(values.items()):
            total = sum(times.classes.values())
            for bound in _SHOWN_MS:
                below = sum(
                    n for place, n in times.classes.items() if place < len(BOUNDS_MS) and BOUNDS_MS[place] <= bound
                )
                self._line(f"{name}_bucket", (*names, "le"), (*labels, f"{bound / 1000:g}"), below)
            self._line(f"{name}_bucket", (*names, "le"), (*labels, "+Inf"), total)
            self._line(f"{name}_sum", names, labels, times.total / 1000)
            self._line(f"{name}_count", names, labels, total)

    def _family(self, name: str, about: str, kind: str, names: Labels, values: Iterable[tuple[Labels, float]]) -> None:
        self._head(name, about, kind)
        for labels, value in sorted(values):
            self._line(name, names, labels, value)

    def _head(self, name: str, about: str, kind: str) -> None:
        self._lines += (f"# HELP {name} {about}", f"# TYPE {name} {kind}")

    def _line(self, name: str, names: Labels, labels: Labels, value: float) -> None:
        inner = ",".join(f'{n}="{_escaped(v)}"' for n, v in zip(names, labels, strict=True))
        shown = f"{value:d}" if isinstance(value, int) else repr(value)
        self._lines.append(f"{name}{{{inner}}} {shown}" if inner else f"{name} {shown}")

    def done(self) -> str:
        return "\n".join(self._lines) + "\n"


def _escaped(value: str) -> str:
    return value.replace("\\", "\\\\").replace("\n", "\\n").replace('"', '\\"')
