"""Which channel, and which of its keys, next."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from decimal import Decimal
from itertools import count
from random import Random
from typing import Protocol

from msgspec import Struct

from newapi.config.schema import RoutingSpec
from newapi.relay.figures import Figures
from newapi.relay.snapshot import Channel, Snapshot
from newapi.relay.values import Caller

_NEAR = 1.2
_NEAR_SECONDS = 0.05
"""Latencies within a fifth of the best, or fifty milliseconds, are as good as the best: they share the requests."""
_TIERS = 20_000
"""(group, model, priority)s whose turns are remembered: a caller who makes names up must not fill the memory."""


class Rests(Protocol):
    """Knows which keys rest for a model."""

    def rests(self, channel: Channel, key: int, model: str, now: float) -> bool:
        """Return whether a key rests; asking changes nothing."""
        ...

    def admits(self, channel: Channel, key: int, model: str, now: float) -> bool:
        """Return whether a key may be asked now: the first to hear so after its rest is its trial."""
        ...

    def waits(self, channel: Channel, key: int, model: str, now: float) -> float:
        """Return until when an upstream asked to be left alone, unix seconds; 0 where it did not."""
        ...


class NeverRests:
    """For where nothing is known of health."""

    def rests(self, channel: Channel, key: int, model: str, now: float) -> bool:
        return False

    def admits(self, channel: Channel, key: int, model: str, now: float) -> bool:
        return True

    def waits(self, channel: Channel, key: int, model: str, now: float) -> float:
        return 0.0


class Preferred(Struct, frozen=True):
    """A channel, by its id, and a key of it, by its print, that come before others of the same priority."""

    channel: int
    key: str


Prefers = Callable[[Caller, str], Preferred | None]
"""Returns what a caller prefers for a model; asked where there is something to choose."""


class Passed:
    """What was passed over and will be free again."""

    __slots__ = ("full", "until")

    def __init__(self) -> None:
        self.until = 0.0
        """When the first of it is, unix seconds; 0 where nothing was."""
        self.full = False
        """Whether any of it is at a limit; else upstreams have asked to wait."""

    def note(self, until: float, *, full: bool = False) -> None:
        """Take note of one more."""
        self.until = min(self.until or until, until)
        self.full = self.full or full


class Router:
    """Chooses; remembers whose turn it is among the channels of a priority, and among the keys of a channel."""

    def __init__(
        self,
        rng: Random,
        health: Rests | None = None,
        figures: Figures | None = None,
        clock: Callable[[], float] = lambda: 0.0,
    ) -> None:
        """Take chance, what knows which keys rest, what the channels are doing, and the time."""
        self._rng = rng
        self._health = health or NeverRests()
        self._figures = figures or Figures()
        self._clock = clock
        self._turn: dict[int, count[int]] = {}
        self._due: dict[tuple[str, str, int], dict[int, float]] = {}
        self._seen: Snapshot | None = None

    def candidates(
        self,
        snapshot: Snapshot,
        caller: Caller,
        model: str,
        *,
        stream: bool = False,
        prefers: Prefers = lambda _caller, _model: None,
        passed: Passed | None = None,
        resting: list[tuple[Channel, int]] | None = None,
    ) -> Iterator[tuple[Channel, int]]:
        """Yield (channel, index of its key), best first, none twice.

        Highest priority first; within a priority what is preferred, then by `[routing] strategy`; a channel's other
        keys come after the other channels of its priority have been tried, since one bad key says little about the next
        one. Keys that rest come at the very end, those last whose upstream has said how long to leave them alone: when
        all rest, an answer that may fail is better than none, and the upstream may say anew how long to wait (`passed`
        is told of it, for whom it is worth to wait a moment). Where `resting` is given they go there instead.
        """
        if caller.channel_id is not None:
            pinned = next((c for c in snapshot.channels if c.id == caller.channel_id), None)
            if pinned is not None:
                yield pinned, self._turns(pinned, range(len(pinned.keys)))
            return
        if snapshot is not self._seen:  # other weights: the turns begin anew
            self._seen = snapshot
            self._due.clear()
        later: list[tuple[Channel, int]] = []
        preferred: Preferred | None = None
        looked = False
        for tier in snapshot.route(caller.group, model):
            best = tier[0]
            if not looked and (len(tier) > 1 or len(best.keys) > 1):
                preferred, looked = prefers(caller, model), True
            place = (caller.group, model, best.priority)
            for channel, key in self._tier(tier, snapshot.routing, place, stream, preferred, later):
                if self._health.admits(channel, key, model, self._clock()):
                    yield channel, key
                else:
                    later.append((channel, key))
        now = self._clock()
        until = {candidate: self._health.waits(*candidate, model, now) for candidate in later}
        if passed is not None:
            for moment in filter(None, until.values()):
                passed.note(moment)
        later.sort(key=until.__getitem__)
        if resting is not None:
            resting += later
        else:
            yield from later

    def _tier(
        self,
        tier: Sequence[Channel],
        routing: RoutingSpec,
        place: tuple[str, str, int],
        stream: bool,
        preferred: Preferred | None,
        resting: list[tuple[Channel, int]],
    ) -> Iterator[tuple[Channel, int]]:
        """Yield the candidates of one priority in order; where there is a choice, those that rest go into `resting`."""
        if len(tier) == 1 and len(tier[0].keys) == 1:  # most often there is none
            yield tier[0], 0
            return
        health, model, now = self._health, place[1], self._clock()
        left: list[Channel] = []
        for channel in tier:
            if all(health.rests(channel, key, model, now) for key in range(len(channel.keys))):
                resting += ((channel, key) for key in range(len(channel.keys)))
            else:
                left.append(channel)
        more: list[tuple[Channel, int]] = []
        first = True
        while left:
            channel = left[0]
            if len(left) > 1:
                chosen = next((c for c in left if c.id == preferred.channel), None) if preferred and first else None
                channel = chosen or self._pick(left, routing.strategy, place, stream, first)
            first = False
            left.remove(channel)
            # Asked now, not before: since the last try another request may have found a key out.
            keys = self._awake(channel, model, resting)
            if not keys:
                continue
            key = keys[0]
            if len(keys) > 1:
                liked = preferred and channel.id == preferred.channel
                same = [k for k in keys if preferred and channel.prints[k] == preferred.key] if liked else ()
                key = same[0] if same else self._turns(channel, keys)
            at = keys.index(key)
            more += ((channel, k) for k in (*keys[at + 1 :], *keys[:at]))
            yield channel, key
        yield from more

    def _awake(self, channel: Channel, model: str, resting: list[tuple[Channel, int]]) -> Sequence[int]:
        now = self._clock()
        keys: list[int] = []
        for key in range(len(channel.keys)):
            if self._health.rests(channel, key, model, now):
                resting.append((channel, key))
            else:
                keys.append(key)
        return keys

    def _turns(self, channel: Channel, keys: Sequence[int]) -> int:
        """Return whose turn it is among some keys of a channel."""
        if len(keys) < 2:
            return keys[0]
        if channel.spec.key_choice == "random":
            return self._rng.choice(keys)
        return keys[next(self._turn.setdefault(channel.id, count())) % len(keys)]

    # -- one of several --------------------------------------------------------------------

    def _pick(
        self, left: Sequence[Channel], strategy: str, place: tuple[str, str, int], stream: bool, first: bool
    ) -> Channel:
        """Return the next of several channels of one priority; the request's `first` one takes a turn."""
        best = self.best(left, strategy, place[1], stream, explores=first)
        if len(best) == 1:
            return best[0]
        return self._in_turn(best, place) if first else self._by_chance(best)

    def best(
        self, channels: Sequence[Channel], strategy: str, model: str, stream: bool, *, explores: bool = False
    ) -> Sequence[Channel]:
        """Return those of several channels of one priority that a strategy is for now: they share by weight.

        Args:
            channels: One or more.
            strategy: As `[routing]` says it.
            model: As the caller names it.
            stream: Whether a stream is asked for.
            explores: Whether a channel may be tried for the sake of knowing how fast it is.
        """
        if strategy == "least-busy":
            return self._least_busy(channels)
        if strategy == "lowest-latency":
            return self._fastest(channels, model, stream, explores)
        return _cheapest(channels) if strategy == "lowest-cost" else channels

    def _in_turn(self, channels: Sequence[Channel], place: tuple[str, str, int]) -> Channel:
        """Return whose turn it is: each channel comes as often as its weight says, at even distances, never bunched.

        Each has a turn every 1/weight of a time that only turns move on. The first is by chance, in proportion to
        weight, and then each of the others at any moment of its distance: so every turn, the first of a process too,
        falls to a channel as often as its weight says. A channel of weight 0 has no turn beside others.
        """
        if not any(c.weight for c in channels):
            return self._by_chance(channels)
        due = self._due.get(place)
        if due is None:
            if len(self._due) >= _TIERS:
                self._due.clear()
            due = self._due[place] = {}
        channels = [c for c in channels if c.weight]
        if not due:
            due[self._by_chance(channels).id] = 0.0
        chosen, soonest = channels[0], float("inf")
        for channel in channels:
            when = due.get(channel.id)
            if when is None:
                when = due[channel.id] = self._rng.random() / channel.weight
            if when < soonest:
                chosen, soonest = channel, when
        for channel in channels:
            due[channel.id] -= soonest
        due[chosen.id] = 1 / chosen.weight
        return chosen

    def _by_chance(self, channels: Sequence[Channel]) -> Channel:
        """Return one by chance, in proportion to weight; one of weight 0 only where all are."""
        total = sum(c.weight for c in channels)
        if total <= 0:
            return self._rng.choice(channels)
        mark = self._rng.random() * total
        for channel in channels:
            mark -= channel.weight
            if mark < 0:
                return channel
        return next(c for c in reversed(channels) if c.weight)  # the sum of the weights was rounded

    def _least_busy(self, channels: Sequence[Channel]) -> Sequence[Channel]:
        under_way = self._figures.under_way
        channels = [c for c in channels if c.weight] or channels
        busy = [under_way(c.id) / (c.weight or 1) for c in channels]
        least = min(busy)
        return [c for c, load in zip(channels, busy, strict=True) if load == least]

    def _fastest(self, channels: Sequence[Channel], model: str, stream: bool, explores: bool) -> Sequence[Channel]:
        """Return the channels whose latency is the best or near it; before them one that has none, to learn it.

        Only one request at a time learns it: the others go where it is known.
        """
        now, figures = self._clock(), self._figures
        channels = [c for c in channels if c.weight] or channels
        known = [(c, figures.latency(c.id, model, stream, now)) for c in channels]
        told = [(c, latency) for c, latency in known if latency is not None]
        if explores:
            unknown = [c for c, latency in known if latency is None]
            if not told:
                return unknown
            if idle := [c for c in unknown if not figures.under_way(c.id)]:
                return idle
        if not told:
            return channels
        best = min(latency for _, latency in told)
        limit = max(best * _NEAR, best + _NEAR_SECONDS)
        return [c for c, latency in told if latency <= limit]


def _cheapest(channels: Sequence[Channel]) -> Sequence[Channel]:
    channels = [c for c in channels if c.weight] or channels
    least: Decimal = min(c.spec.cost for c in channels)
    return [c for c in channels if c.spec.cost == least]
