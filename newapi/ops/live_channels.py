"""How each channel is doing: what the processes see of it, put together, and windows over what it did."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Mapping

from newapi.ops.live import ChannelRow, ChannelState
from newapi.ops.live_rings import Histogram, merge, quantile
from newapi.ops.live_tick import CellTick, ChannelTick, LaneTick

_RATE_SECONDS = 10
_ERROR_SECONDS = 60
_LATENCY_SECONDS = 300
_COST_SECONDS = 3600
_WORSE: tuple[ChannelState, ...] = ("up", "half_open", "resting", "tripped", "disabled")
"""States, each worse than the one before: of several processes the worst is told."""


class _Window:
    """What a channel did in the last hour, as far as it is told."""

    def __init__(self) -> None:
        self.attempts: deque[tuple[int, int, int]] = deque()
        """(second, ended, failed) of the last minute."""
        self.times: deque[tuple[int, Histogram, Histogram]] = deque()
        """(minute, first tokens, durations) of the last five."""
        self.spent: deque[list[int]] = deque()
        """[minute, quota] of the last hour."""

    def note(self, at: int, cell: CellTick) -> None:
        minute = at - at % 60
        if not self.times or self.times[-1][0] != minute:
            self.times.append((minute, {}, {}))
        _, firsts, durations = self.times[-1]
        merge(firsts, cell.firsts)
        merge(durations, cell.durations)
        if cell.quota:
            if not self.spent or self.spent[-1][0] != minute:
                self.spent.append([minute, 0])
            self.spent[-1][1] += cell.quota

    def forget(self, now: int) -> None:
        while self.attempts and self.attempts[0][0] <= now - _ERROR_SECONDS:
            self.attempts.popleft()
        while self.times and self.times[0][0] <= now - _LATENCY_SECONDS:
            self.times.popleft()
        while self.spent and self.spent[0][0] <= now - _COST_SECONDS:
            self.spent.popleft()

    def __bool__(self) -> bool:
        return bool(self.attempts or self.times or self.spent)


class ChannelBook:
    """The rows of all channels."""

    def __init__(self) -> None:
        self._windows: dict[str, _Window] = {}
        self._errors: dict[int, tuple[str, float]] = {}

    def note(self, at: int, cells: Iterable[CellTick], lanes: Iterable[LaneTick], names: Mapping[int, str]) -> None:
        """Add what a second brought; `names` are those of the channels by id."""
        for cell in cells:
            if cell.channel:
                self._window(cell.channel).note(at, cell)
        for lane in lanes:
            if lane.error and lane.error_at >= self._errors.get(lane.channel, ("", 0.0))[1]:
                self._errors[lane.channel] = lane.error, lane.error_at
            if (name := names.get(lane.channel)) is not None:
                self._window(name).attempts.append((at, lane.ended, sum(lane.failed.values())))

    def _window(self, name: str) -> _Window:
        window = self._windows.get(name)
        if window is None:
            window = self._windows[name] = _Window()
        return window

    def rows(self, seen: Iterable[Mapping[int, ChannelTick]], now: int) -> dict[int, ChannelRow]:
        """Return all rows by id, in order; `seen` is what each process sees."""
        merged: dict[int, ChannelTick] = {}
        for channels in seen:
            for id, channel in channels.items():
                known = merged.get(id)
                merged[id] = channel if known is None else _both(known, channel)
        for name in list(self._windows):
            self._windows[name].forget(now)
            if not self._windows[name]:
                del self._windows[name]
        for id in self._errors.keys() - merged.keys():
            del self._errors[id]
        return {id: self._row(merged[id], now) for id in sorted(merged)}

    def _row(self, channel: ChannelTick, now: int) -> ChannelRow:
        error, error_at = self._errors.get(channel.id, ("", 0.0))
        window = self._windows.get(channel.name)
        ended = failed = first = p95 = quota = 0
        if window is not None:
            ended = sum(e for at, e, _ in window.attempts if at > now - _RATE_SECONDS)
            failed = sum(f for _, _, f in window.attempts)
            firsts: Histogram = {}
            durations: Histogram = {}
            for _, some, others in window.times:
                merge(firsts, some)
                merge(durations, others)
            first, p95 = quantile(firsts, 0.5), quantile(durations, 0.95)
            quota = sum(quota for _, quota in window.spent)
        return ChannelRow(
            id=channel.id,
            name=channel.name,
            state=channel.state,
            keys_up=channel.keys_up,
            keys=channel.keys,
            in_flight=channel.in_flight,
            requests_per_second=ended / _RATE_SECONDS,
            errors_per_minute=failed,
            first_p50_ms=first,
            p95_ms=p95,
            quota_per_hour=quota,
            last_error=error or channel.reason,
            last_error_at=error_at,
            rests_until=channel.rests_until,
        )


def _both(one: ChannelTick, other: ChannelTick) -> ChannelTick:
    worse = max(one, other, key=lambda c: _WORSE.index(c.state))
    return ChannelTick(
        id=one.id,
        name=worse.name,
        state=worse.state,
        keys_up=min(one.keys_up, other.keys_up),
        keys=max(one.keys, other.keys),
        in_flight=one.in_flight + other.in_flight,
        rests_until=worse.rests_until,
        reason=worse.reason or one.reason or other.reason,
    )
