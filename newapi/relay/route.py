"""Which channel, and which of its keys, next."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from itertools import count
from random import Random

from newapi.relay.snapshot import Channel, Snapshot
from newapi.relay.values import Caller


class Router:
    """Chooses; remembers only whose turn it is among the keys of a channel."""

    def __init__(self, rng: Random, rests: Callable[[Channel, int], bool] = lambda _channel, _key: False) -> None:
        """Take chance, and what knows which keys rest."""
        self._rng = rng
        self._rests = rests
        self._turn: dict[int, count[int]] = {}

    def candidates(self, snapshot: Snapshot, caller: Caller, model: str) -> Iterator[tuple[Channel, int]]:
        """Yield (channel, index of its key), best first, none twice.

        Highest priority first; within a priority by chance, in proportion to weight; a channel's other keys come after
        the other channels of its priority have been tried, since one bad key says little about the next one. Keys that
        rest come at the very end: when all rest, an answer that may fail is better than none.
        """
        if caller.channel_id is not None:
            pinned = next((c for c in snapshot.channels if c.id == caller.channel_id), None)
            if pinned is not None:
                yield pinned, self._key(pinned)
            return
        resting: list[tuple[Channel, int]] = []
        for channel, key in self._tiers(snapshot, caller, model):
            if self._rests(channel, key):
                resting.append((channel, key))
            else:
                yield channel, key
        yield from resting

    def _tiers(self, snapshot: Snapshot, caller: Caller, model: str) -> Iterator[tuple[Channel, int]]:
        for tier in snapshot.route(caller.group, model):
            order = list(self._shuffle(tier))
            first: dict[int, int] = {}
            for channel in order:
                # Taken when it is its turn: a channel that is not asked does not use up one of its keys' turns.
                first[channel.id] = self._key(channel)
                yield channel, first[channel.id]
            for channel in order:
                for step in range(1, len(channel.keys)):
                    yield channel, (first[channel.id] + step) % len(channel.keys)

    def _key(self, channel: Channel) -> int:
        keys = len(channel.keys)
        if keys < 2:
            return 0
        if channel.spec.key_choice == "random":
            return self._rng.randrange(keys)
        return next(self._turn.setdefault(channel.id, count())) % keys

    def _shuffle(self, tier: Sequence[Channel]) -> Iterator[Channel]:
        """Yield the channels of one priority in a random order, each next with probability in proportion to weight.

        A weight of 0 is New API's "hardly ever": such channels come last, in equal shares.
        """
        left = list(tier)
        while len(left) > 1:
            total = sum(c.weight for c in left)
            if total <= 0:
                self._rng.shuffle(left)
                yield from left
                return
            mark = self._rng.random() * total
            place = 0
            while place < len(left) - 1 and mark >= left[place].weight:
                mark -= left[place].weight
                place += 1
            yield left.pop(place)
        yield from left
