"""What the live stream remembers: fifteen minutes by the second, a day by the minute, a month by the hour.

Nothing here reads a clock: the seconds that come in say when they were.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from typing import Literal, NamedTuple, TypeVar

import msgspec
from msgspec import Struct

from newapi.ops.live import RANGES, Point, Series, series

BOUNDS_MS: tuple[int, ...] = (
    *(5, 10, 25, 50, 75, 100, 150, 200, 250, 300, 400, 500, 600, 750, 1000, 1250, 1500, 2000, 2500, 3000, 4000, 5000),
    *(6000, 7500, 10_000, 12_500, 15_000, 20_000, 25_000, 30_000, 45_000, 60_000, 90_000, 120_000, 180_000),
    *(300_000, 600_000),
)
"""Upper bounds of the classes in which times are counted, milliseconds; one more class has what is longer."""
BOUNDS_US: tuple[int, ...] = (
    *(50, 100, 250, 500, 1000, 2500, 5000, 10_000, 25_000, 50_000, 100_000, 250_000, 500_000),
    *(1_000_000, 2_500_000, 5_000_000, 10_000_000, 30_000_000, 60_000_000),
)
"""The same of short times, microseconds."""
Histogram = dict[int, int]
"""Class -> how many."""

K = TypeVar("K")
Kind = Literal["second", "minute", "hour", "mover"]
KEEP: dict[Kind, int] = {"second": 900, "minute": 86_400, "hour": 31 * 86_400, "mover": 3600}
"""How long each is remembered, in seconds; the hours of a whole month, for what was spent in it."""


class Row(NamedTuple):
    """A row of `newapi.store.series`; `value` is JSON."""

    kind: Kind
    at: int
    value: bytes


def count(histogram: Histogram, times: Iterable[int], bounds: Sequence[int] = BOUNDS_MS) -> None:
    """Count times, in the unit of the bounds of their classes: milliseconds, if nothing else is said."""
    for time in times:
        place = bisect_left(bounds, time)
        histogram[place] = histogram.get(place, 0) + 1


def merge(into: dict[K, int], other: Mapping[K, int]) -> None:
    """Add the counts of `other`."""
    for place, number in other.items():
        into[place] = into.get(place, 0) + number


def quantile(histogram: Mapping[int, int], share: float) -> int:
    """Return the time that `share` of those counted did not exceed, milliseconds, within the width of a class; 0 of
    none.
    """
    total = sum(histogram.values())
    if not total:
        return 0
    wanted = share * total
    seen = 0
    for place in sorted(histogram):
        number = histogram[place]
        if seen + number >= wanted:
            if place >= len(BOUNDS_MS):
                return BOUNDS_MS[-1]
            low = BOUNDS_MS[place - 1] if place else 0
            return round(low + (BOUNDS_MS[place] - low) * (wanted - seen) / number)
        seen += number
    return BOUNDS_MS[-1]


class Sum(Struct, omit_defaults=True):
    """A second, minute or hour while it is added up: `Point`, with the times it takes its quantiles from."""

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
    firsts: Histogram = {}
    durations: Histogram = {}

    def add(self, other: Sum) -> None:
        """Add another; of what is under way the most counts."""
        self.requests += other.requests
        self.errors += other.errors
        self.rejected += other.rejected
        self.tokens_in += other.tokens_in
        self.tokens_out += other.tokens_out
        self.tokens_cached += other.tokens_cached
        self.quota += other.quota
        self.in_flight = max(self.in_flight, other.in_flight)
        self.streams = max(self.streams, other.streams)
        merge(self.firsts, other.firsts)
        merge(self.durations, other.durations)

    def point(self) -> Point:
        """Return it as it is told."""
        return Point(
            at=self.at,
            requests=self.requests,
            errors=self.errors,
            rejected=self.rejected,
            tokens_in=self.tokens_in,
            tokens_out=self.tokens_out,
            tokens_cached=self.tokens_cached,
            quota=self.quota,
            in_flight=self.in_flight,
            streams=self.streams,
            first_p50_ms=quantile(self.firsts, 0.5),
            first_p95_ms=quantile(self.firsts, 0.95),
            duration_p50_ms=quantile(self.durations, 0.5),
            duration_p95_ms=quantile(self.durations, 0.95),
        )


_SUM = msgspec.json.Decoder(Sum)
_SERIES = msgspec.json.Decoder(Series)


class _Ring:
    """Points of one step, the current one still being added up."""

    def __init__(self, step: int, keep: int) -> None:
        self.step = step
        self.keep = keep
        self.points: dict[int, Point] = {}
        self.current: Sum | None = None

    def add(self, second: Sum) -> Sum | None:
        """Add a second; return the sum that it ended, if it began another one."""
        at = second.at - second.at % self.step
        ended = None
        if self.current is None or self.current.at != at:
            ended, self.current = self.current, Sum(at)
            if ended is not None:
                self.points[ended.at] = ended.point()
                self.forget(at)
        self.current.add(second)
        return ended

    def forget(self, now: int) -> None:
        for at in [at for at in self.points if at < now - self.keep]:
            del self.points[at]

    def at(self, when: int) -> Point:
        if self.current is not None and self.current.at == when:
            return self.current.point()
        return self.points.get(when) or Point(at=when)


class Rings:
    """Everything that is remembered of the whole gateway."""

    def __init__(self) -> None:
        self._seconds: dict[int, Point] = {}
        self._minutes = _Ring(60, KEEP["minute"])
        self._hours = _Ring(3600, KEEP["hour"])
        self.last = 0
        """The second that was added last."""

    def add(self, second: Sum) -> list[Row]:
        """Add a second; return what is to be written down, when it began a new minute: rows of `store.series`."""
        self._seconds[second.at] = second.point()
        self.last = second.at
        ended = self._minutes.add(second)
        hour = self._hours.add(second)
        if ended is None:
            return []
        for at in [at for at in self._seconds if at < second.at - KEEP["second"]]:
            del self._seconds[at]
        rows = self._minute_rows(ended)
        if hour is not None:
            rows.append(Row("hour", hour.at, msgspec.json.encode(hour)))
        return rows + self._hour_row()

    def rows(self) -> list[Row]:
        """Return what is to be written down at the end: the minute and the hour that are not over."""
        current = self._minutes.current
        return [*(self._minute_rows(current) if current is not None else ()), *self._hour_row()]

    def _minute_rows(self, minute: Sum) -> list[Row]:
        seconds = [self._seconds.get(at) or Point(at=at) for at in range(minute.at, minute.at + 60)]
        told = series("", 1, seconds)
        return [
            Row("second", minute.at, msgspec.json.encode(told)),
            Row("minute", minute.at, msgspec.json.encode(minute)),
        ]

    def _hour_row(self) -> list[Row]:
        hour = self._hours.current
        return [Row("hour", hour.at, msgspec.json.encode(hour))] if hour is not None else []

    def load(self, kind: Kind, rows: Iterable[tuple[int, bytes | str]], now: int) -> None:
        """Take over what was written down. What cannot be read is left out: another version wrote it.

        Args:
            kind: Of the rows.
            rows: When, and what.
            now: Unix seconds: the minute and hour of it are gone on with.
        """
        for at, value in rows:
            with suppress(msgspec.MsgspecError, ValueError):
                if kind == "second":
                    self._seconds |= {p.at: p for p in _SERIES.decode(value).points() if p.at < now}
                else:
                    self.put(kind, at, _SUM.decode(value), now)

    def put(self, kind: Kind, at: int, value: Sum, now: int) -> None:
        """Take over one minute or hour."""
        ring = self._minutes if kind == "minute" else self._hours
        value.at = at
        if at == now - now % ring.step:
            ring.current = value
        else:
            ring.points[at] = value.point()

    @property
    def has_hours(self) -> bool:
        """Whether any hour is remembered."""
        return bool(self._hours.points) or self._hours.current is not None

    def series(self, name: str, now: int) -> Series:
        """Return a range of history that ends with the step which `now` is in, or of seconds the last that is over."""
        length, step = RANGES[name]
        if step == 1:
            last = min(now, self.last or now)
            return series(name, 1, [self._seconds.get(at) or Point(at=at) for at in range(last - length + 1, last + 1)])
        ring = self._minutes if step == 60 else self._hours
        last = now - now % step
        return series(name, step, [ring.at(at) for at in range(last - length + step, last + step, step)])

    def spent(self, since: int) -> int:
        """Return the quota that the hours from `since` on have cost."""
        current = self._hours.current
        past = sum(p.quota for at, p in self._hours.points.items() if at >= since)
        return past + (current.quota if current is not None and current.at >= since else 0)
