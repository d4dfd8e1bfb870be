"""What the screens know: fed by the live stream, read by everybody.

Everything here is bounded, however long the stream goes on.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Sequence
from itertools import islice
from typing import Literal

import msgspec

from newapi.base.units import QUOTA_PER_USD
from newapi.ops.live import (
    Alert,
    Alerts,
    ChannelRow,
    Channels,
    Event,
    Gap,
    Hello,
    Link,
    LogRow,
    Logs,
    Mover,
    Point,
    Series,
    Stats,
    System,
    Top,
    Tops,
)

RANGES = ("5m", "1h", "24h", "7d")
"""The times that `t` goes through."""
SPANS = {"5m": (300, 1), "1h": (3600, 60), "24h": (86_400, 60), "7d": (7 * 86_400, 3600)}
"""A range -> its length and the step of its points, in seconds."""
LOG_ROWS = 5000
"""Rows of the log that are kept; older ones are asked for when somebody wants them."""
_KEPT = {1: 900, 60: 1440, 3600: 168}
"""Step of points -> how many are kept."""
_TOP_MINUTES = 60

TopKind = Literal["models", "tokens", "channels"]
KINDS: tuple[TopKind, ...] = ("models", "tokens", "channels")


class Model:
    """What is known of one gateway.

    Attributes:
        hello: What the stream began with, None until then.
        link: How the connection is.
        stats: The last second.
        system: Processes, generation, drift, database.
        channels: By id.
        alerts: Those in force, the latest first.
        logs: The last rows, the earliest first; `logged` counts all that ever came, `left_out` those that were not
            told.
        gaps: How often something was missing.
        range: The time that plots and sums are about: one of `RANGES`.
    """

    def __init__(self) -> None:
        self.hello: Hello | None = None
        self.link = Link("connecting")
        self.stats = Stats()
        self.system = System(0)
        self.channels: dict[int, ChannelRow] = {}
        self.alerts: tuple[Alert, ...] = ()
        self.logs: deque[LogRow] = deque(maxlen=LOG_ROWS)
        self.logged = 0
        self.left_out = 0
        self.gaps = 0
        self.range = RANGES[0]
        self._points = {step: _Points(step, count) for step, count in _KEPT.items()}
        self._tops: dict[TopKind, dict[str, _Tally]] = {kind: {} for kind in KINDS}

    # -- what comes --------------------------------------------------------------------------

    def apply(self, event: Event) -> None:
        """Take in one event of the stream."""
        match event:
            case Hello():
                self._begin(event)
            case Stats():
                self._second(event)
            case Channels():
                for row in event.rows:
                    self.channels[row.id] = row
                for id in event.gone:
                    self.channels.pop(id, None)
            case Logs():
                self._log(event.rows)
                self.left_out += event.left_out
            case Alerts():
                self.alerts = event.alerts
            case System():
                self.system = event
            case Gap():
                self.gaps += 1
            case Link():
                self.link = event

    def _begin(self, hello: Hello) -> None:
        known = {row.request_id for row in islice(reversed(self.logs), 400)}
        self.hello, self.stats, self.system, self.alerts = hello, hello.stats, hello.system, hello.alerts
        self.channels = {row.id: row for row in hello.channels}
        self._log([row for row in hello.logs if row.request_id not in known])
        self.load(hello.history)
        self._load_tops(hello.tops, int(hello.now) // 60)

    def _second(self, stats: Stats) -> None:
        self.stats = stats
        for points in self._points.values():
            points.add(stats)
        minute = stats.at // 60
        for kind, tallies in self._tops.items():
            for mover in getattr(stats, kind):
                tallies.setdefault(mover.name, _Tally()).add(minute, mover)
            for name in [name for name, tally in tallies.items() if tally.is_over(minute)]:
                del tallies[name]

    def _log(self, rows: Sequence[LogRow]) -> None:
        self.logs.extend(rows)
        self.logged += len(rows)

    def load(self, series: Series) -> None:
        """Take over a piece of history that was asked for."""
        if len(series):
            self._points[series.step].load(series.points())

    def _load_tops(self, tops: Tops, minute: int) -> None:
        self._tops = {kind: {top.name: _Tally.of(top, minute) for top in getattr(tops, kind)} for kind in KINDS}

    # -- what is asked -----------------------------------------------------------------------

    @property
    def is_known(self) -> bool:
        """Whether anything has come yet."""
        return self.hello is not None

    @property
    def now(self) -> float:
        """The gateway's clock, unix seconds: it stands still when nothing comes."""
        if self.hello is None:
            return 0.0
        return max(self.hello.now, self.stats.at + 1.0)

    @property
    def version(self) -> str:
        """Of the server."""
        return self.hello.version if self.hello else ""

    @property
    def per_second(self) -> float:
        """Requests a second, over the last ten."""
        return _mean(p.requests for p in self._points[1].last(10))

    @property
    def error_share(self) -> float:
        """Of the requests of the last minute those that failed, 0 to 1."""
        last = self._points[1].last(60)
        requests = sum(p.requests for p in last)
        return sum(p.errors for p in last) / requests if requests else 0.0

    @property
    def usd_per_hour(self) -> float:
        """What an hour would cost that went on as the last minute."""
        return _mean(p.quota for p in self._points[1].last(60)) * 3600 / QUOTA_PER_USD

    def points(self, range: str) -> list[Point | None]:
        """Return the points of a range, the earliest first and evenly apart; None where nothing is known."""
        span, step = SPANS[range]
        return self._points[step].spread(int(self.now), span // step)

    def tops(self, kind: TopKind, count: int) -> list[Top]:
        """Return who used most in the last hour, the dearest first; the spark is the requests of each minute."""
        minute = int(self.now) // 60
        found = [tally.top(name, minute) for name, tally in self._tops[kind].items()]
        return sorted(found, key=lambda top: (-top.quota, -top.requests, top.name))[:count]

    def top(self, kind: TopKind, name: str) -> Top | None:
        """Return what one model, token or channel had in the last hour; None where it had nothing."""
        tally = self._tops[kind].get(name)
        return tally.top(name, int(self.now) // 60) if tally else None

    def rows_since(self, logged: int) -> list[LogRow]:
        """Return the rows that came after `logged` of them had, as many as are kept."""
        count = min(self.logged - logged, len(self.logs))
        return list(islice(self.logs, len(self.logs) - count, None)) if count > 0 else []


class _Points:
    """The last points of one step; the one that is under way grows."""

    def __init__(self, step: int, count: int) -> None:
        self._step = step
        self._points: deque[Point] = deque(maxlen=count)

    def add(self, second: Point) -> None:
        begin = second.at - second.at % self._step
        if self._step > 1 and self._points and self._points[-1].at == begin:
            self._points[-1] = _together(self._points[-1], second)
        elif not self._points or self._points[-1].at < begin:
            self._points.append(_point(second, begin))

    def load(self, points: Sequence[Point]) -> None:
        """Take over points; those that are later than all of them stay."""
        later = [p for p in self._points if p.at > points[-1].at]
        self._points = deque([*points, *later], self._points.maxlen)

    def last(self, count: int) -> list[Point]:
        return list(islice(reversed(self._points), count))

    def spread(self, now: int, count: int) -> list[Point | None]:
        end = now - now % self._step + (self._step if self._step > 1 else 0)
        first = end - count * self._step
        found: list[Point | None] = [None] * count
        for point in self._points:
            at = (point.at - first) // self._step
            if 0 <= at < count:
                found[at] = point
        return found


class _Tally:
    """What one model, token or channel had, by the minute."""

    def __init__(self) -> None:
        self._minutes: dict[int, list[int]] = {}

    @classmethod
    def of(cls, top: Top, minute: int) -> _Tally:
        """Take over what a server counted: it tells requests by the minute, and all else of the hour together."""
        tally = cls()
        first = minute - len(top.spark) + 1
        for i, requests in enumerate(top.spark):
            if requests and top.requests:
                sums = (top.errors, top.tokens_in, top.tokens_out, top.quota)
                tally._minutes[first + i] = [requests, *(value * requests // top.requests for value in sums)]
        return tally

    def add(self, minute: int, mover: Mover) -> None:
        sums = self._minutes.setdefault(minute, [0, 0, 0, 0, 0])
        for i, value in enumerate((mover.requests, mover.errors, mover.tokens_in, mover.tokens_out, mover.quota)):
            sums[i] += value
        while len(self._minutes) > _TOP_MINUTES:
            del self._minutes[min(self._minutes)]

    def is_over(self, minute: int) -> bool:
        return not self._minutes or max(self._minutes) <= minute - _TOP_MINUTES

    def top(self, name: str, minute: int) -> Top:
        first = minute - _TOP_MINUTES + 1
        inside = [sums for at, sums in self._minutes.items() if at >= first]
        spark = tuple(self._minutes.get(at, (0,))[0] for at in range(first, minute + 1))
        totals = [sum(column) for column in zip(*inside, strict=True)] or [0, 0, 0, 0, 0]
        requests, errors, tokens_in, tokens_out, quota = totals
        return Top(name, requests, errors, tokens_in, tokens_out, quota, spark)


def _point(second: Point, begin: int) -> Point:
    return Point(begin, *(getattr(second, name) for name in Point.__struct_fields__[1:]))


_SUMS = ("requests", "errors", "rejected", "tokens_in", "tokens_out", "tokens_cached", "quota")
_MOST = ("in_flight", "streams")
_TIMES = ("first_p50_ms", "first_p95_ms", "duration_p50_ms", "duration_p95_ms")


def _together(point: Point, second: Point) -> Point:
    """Return a minute or hour with one second more; its percentiles are means of the seconds', by their requests."""
    requests = point.requests + second.requests
    changed = {name: getattr(point, name) + getattr(second, name) for name in _SUMS}
    changed |= {name: max(getattr(point, name), getattr(second, name)) for name in _MOST}
    for name in _TIMES:
        one, other = getattr(point, name), getattr(second, name)
        weighted = one * point.requests + other * second.requests
        changed[name] = round(weighted / requests) if requests else one
    return msgspec.structs.replace(point, **changed)


def _mean(values: Iterable[int]) -> float:
    found = list(values)
    return sum(found) / len(found) if found else 0.0
