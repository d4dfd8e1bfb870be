"""What Prometheus reads: counters of the whole gateway since its oldest process began, and what is at the moment.

The text format: https://prometheus.io/docs/instrumenting/exposition_formats/ (read 2026-11-24).

What is not told, and why:

- What a request cost us: no provider says it for all requests, and the price table has what callers pay.
- The connections of a database pool in use: there is no pool, each thread has a connection.
- Lines of the log that were dropped: none are; those that the database refuses wait in the journal.
- Open streams by endpoint, rejections by what is limited: not known where they are counted.
- The overhead of telling the pieces of an answer: measuring it would cost each piece two looks at the clock.
  `newapi_relay_overhead_seconds` ends with the head of the upstream's answer.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import accumulate
from typing import TypeAlias, TypeVar, get_args

from msgspec import Struct

from newapi import __version__
from newapi.base.units import QUOTA_PER_USD
from newapi.ops.live import ChannelRow, ChannelState, Process, System
from newapi.ops.live_hub import Balance
from newapi.ops.live_rings import BOUNDS_MS, BOUNDS_US, Histogram, merge
from newapi.ops.live_tick import CellTick, ServedTick, Tick, Times

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
MODELS = 500
"""Models that have series of their own; the others are `other`. Where a channel takes any name, callers choose them."""
OTHER = "other"
_SHOWN_MS = (5, 10, 25, 50, 100, 250, 500, 1000, 2500, 5000, 10_000, 30_000, 60_000, 120_000, 300_000, 600_000)
"""Of the classes in which times are counted, those whose bounds are told."""
_STATES: tuple[ChannelState, ...] = get_args(ChannelState)
_TOKEN_TYPES = (
    *("input", "output", "cache_read", "cache_write", "reasoning"),
    *("audio_in", "audio_out", "image_in", "image_out"),
)
_METHODS = frozenset(("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"))
"""Callers choose the others: they are `other`."""
_GONE = 499
"""The status of a request whose caller hung up before it was answered."""
_LIMITS = {"rejected_rate": "rate", "rejected_quota": "quota", "rejected_auth": "auth"}


K = TypeVar("K")
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
    http: dict[Labels, int] = {}
    """(method, route, status class, code)"""
    http_times: dict[Labels, Times] = {}
    """(route)"""
    overheads: dict[Labels, Times] = {}
    """(endpoint); microseconds"""
    paces: dict[Labels, Times] = {}
    """(endpoint, model, channel); microseconds"""
    database: dict[Labels, Times] = {}
    """(kind); microseconds"""
    keepalives: dict[Labels, int] = {}
    """(endpoint)"""
    rows: int = 0
    """Lines of the log."""

    def count(self, tick: Tick, names: dict[int, str]) -> None:
        """Add what one process told of a second; `names` are those of the channels by id."""
        for cell in tick.cells:
            self._cell(cell)
        for outcome, number in tick.refused.items():
            _add(self.requests, ("", "", "", "", outcome), number)
        self._served(tick.served)
        self.rows += tick.settled
        for lane in tick.lanes:
            channel = names.get(lane.channel, "")
            failed = sum(lane.failed.values())
            _add(self.attempts, (channel, "ok"), lane.ended - failed)
            for reason, number in lane.failed.items():
                _add(self.attempts, (channel, reason), number)

    def reach(self, other: Totals) -> None:
        """Count at least what another process has counted.

        All count the same ticks, but one may have missed some, or not have heard them yet: the greater number is of the
        one that misses fewer. So no counter goes backwards, whichever process is asked.
        """
        for name in ("requests", "quota", "tokens", "attempts", "sources", "http", "keepalives"):
            _reach(getattr(self, name), getattr(other, name))
        for name in ("durations", "firsts", "http_times", "overheads", "paces", "database"):
            mine: dict[Labels, Times] = getattr(self, name)
            for labels, times in getattr(other, name).items():
                known = mine.setdefault(labels, Times({}))
                _reach(known.classes, times.classes)
                known.total = max(known.total, times.total)
        self.models |= other.models
        self.rows = max(self.rows, other.rows)

    def _served(self, served: ServedTick) -> None:
        for (route, method, status), times in served.requests:
            method = method if method in _METHODS else OTHER
            status = status or _GONE
            known = 100 <= status <= 599
            labels = (method, route, f"{status // 100}xx" if known else OTHER, str(status) if known else OTHER)
            _add(self.http, labels, times.number)
            _sum(self.http_times, (route,), times.classes, times.total)
        for endpoint, times in served.overheads.items():
            _sum(self.overheads, (endpoint,), times.classes, times.total)
        for kind, times in served.database.items():
            _sum(self.database, (kind,), times.classes, times.total)
        for endpoint, number in served.keepalives.items():
            _add(self.keepalives, (endpoint,), number)

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
        _sum(self.durations, place, cell.durations, cell.duration_ms)
        _sum(self.firsts, place, cell.firsts, cell.first_ms)
        _sum(self.paces, place, cell.paces, cell.pace_us)
        for source, number in (
            ("upstream", cell.requests - cell.estimated - cell.uncounted),
            ("estimate", cell.estimated),
            ("none", cell.uncounted),
        ):
            _add(self.sources, source, number)


def _add(into: dict[K, int], key: K, number: int) -> None:
    if number:
        into[key] = into.get(key, 0) + number


def _reach(into: dict[K, int], other: dict[K, int]) -> None:
    for key, number in other.items():
        into[key] = max(into.get(key, 0), number)


def _sum(into: dict[Labels, Times], labels: Labels, classes: Histogram, total: int) -> None:
    if classes:
        known = into.setdefault(labels, Times({}))
        merge(known.classes, classes)
        known.total += total


# -- as text -----------------------------------------------------------------------------------


class Moment(Struct):
    """What is at the moment: the processes and what they share, the channels, HTTP requests under way by route."""

    system: System
    channels: tuple[ChannelRow, ...] = ()
    balances: tuple[Balance, ...] = ()
    open: dict[str, int] = {}


def text(totals: Totals, moment: Moment) -> str:
    """Return everything in Prometheus' text format."""
    system, channels = moment.system, moment.channels
    out = _Text()
    _http(out, totals, moment)
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
    out.histogram(
        "newapi_relay_time_per_output_token_seconds",
        "For each token of a whole stream after the first, where the upstream counted 10 or more and none of reasoning",
        place,
        totals.paces,
        BOUNDS_US,
    )
    out.histogram(
        "newapi_relay_overhead_seconds",
        "From the request to the head of an upstream's answer, less the waiting for upstreams",
        ("endpoint",),
        totals.overheads,
        BOUNDS_US,
    )
    out.counter(
        "newapi_stream_keepalives_total",
        "Signs of life sent to callers while an upstream was silent",
        ("endpoint",),
        totals.keepalives.items(),
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
    _balances(out, moment.balances)
    _processes(out, system.processes)
    out.counter("newapi_log_rows_total", "Requests that were noted in the log", (), [((), totals.rows)])
    out.histogram(
        "newapi_db_query_duration_seconds",
        "Each reading of the database, and each writing transaction from asking for it to its commit",
        ("kind",),
        totals.database,
        BOUNDS_US,
    )
    out.gauge("newapi_config_generation", "The last apply", (), [((), system.generation)])
    applied = [((), system.applied_at)] if system.applied_at else []
    out.gauge("newapi_config_last_apply_timestamp_seconds", "When the last apply was", (), applied)
    out.gauge("newapi_config_drift_objects", "Objects that an apply would change", (), [((), system.differences)])
    out.gauge("newapi_database_size_bytes", "Of the database, where it says", (), [((), system.database_bytes)])
    out.gauge("newapi_build_info", "The version that serves", ("version",), [((__version__,), 1)])
    return out.done()


def _http(out: _Text, totals: Totals, moment: Moment) -> None:
    out.counter(
        "newapi_http_requests_total",
        "HTTP requests that ended; 499 where the caller hung up before an answer",
        ("method", "route", "status_class", "code"),
        totals.http.items(),
    )
    out.histogram(
        "newapi_http_request_duration_seconds",
        "From the head of an HTTP request to the end of its answer",
        ("route",),
        totals.http_times,
    )
    routes = sorted({route for (route,) in totals.http_times} | moment.open.keys())
    out.gauge(
        "newapi_http_requests_in_flight",
        "HTTP requests under way",
        ("route",),
        [((route,), moment.open.get(route, 0)) for route in routes],
    )


def _balances(out: _Text, balances: Sequence[Balance]) -> None:
    out.gauge(
        "newapi_channel_balance_usd",
        "What is left at the provider of a channel, US dollars, as it last said",
        ("channel",),
        [((b.channel,), b.usd) for b in balances],
    )
    out.gauge(
        "newapi_channel_balance_timestamp_seconds",
        "When the provider of a channel last said what is left, unix time",
        ("channel",),
        [((b.channel,), b.at) for b in balances],
    )


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
    lag = max((p.ledger_lag for p in processes), default=0.0)
    out.gauge(
        "newapi_settlement_lag_seconds",
        "Since the request ended whose settlement has waited longest for the database",
        (),
        [((), lag)],
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

    def histogram(
        self, name: str, about: str, names: Labels, values: dict[Labels, Times], bounds: Sequence[int] = BOUNDS_MS
    ) -> None:
        """Add a histogram of times in classes of milliseconds, or with `BOUNDS_US` of microseconds."""
        self._head(name, about, "histogram")
        second, shown = (1000, _SHOWN_MS) if bounds is BOUNDS_MS else (1_000_000, bounds)
        told = [(place, f'le="{bound / second:g}"') for place, bound in enumerate(bounds) if bound in shown]
        for labels, times in sorted(values.items()):
            inner = _inner(names, labels)
            below = list(accumulate(times.classes.get(place, 0) for place in range(len(bounds))))
            for place, le in told:
                self._line(f"{name}_bucket", f"{inner},{le}", below[place])
            self._line(f"{name}_bucket", f'{inner},le="+Inf"', times.number)
            self._line(f"{name}_sum", inner, times.total / second)
            self._line(f"{name}_count", inner, times.number)

    def _family(self, name: str, about: str, kind: str, names: Labels, values: Iterable[tuple[Labels, float]]) -> None:
        self._head(name, about, kind)
        for labels, value in sorted(values):
            self._line(name, _inner(names, labels), value)

    def _head(self, name: str, about: str, kind: str) -> None:
        self._lines += (f"# HELP {name} {about}", f"# TYPE {name} {kind}")

    def _line(self, name: str, inner: str, value: float) -> None:
        shown = f"{value:d}" if isinstance(value, int) else repr(value)
        self._lines.append(f"{name}{{{inner}}} {shown}" if inner else f"{name} {shown}")

    def done(self) -> str:
        return "\n".join(self._lines) + "\n"


def _inner(names: Labels, labels: Labels) -> str:
    return ",".join(f'{n}="{_escaped(v)}"' for n, v in zip(names, labels, strict=True))


def _escaped(value: str) -> str:
    return value.replace("\\", "\\\\").replace("\n", "\\n").replace('"', '\\"')
