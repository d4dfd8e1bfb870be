"""Who has how much of what is used: by the second for the stream, by the minute for the last hour."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Mapping
from contextlib import suppress
from typing import TypeAlias

import msgspec
from msgspec import Struct
from msgspec.structs import astuple

from newapi.ops.live import Mover, Top, Tops
from newapi.ops.live_tick import CellTick
from newapi.relay.tally import FAILED

SHOWN = 20
"""Of each kind, those that are told."""
KEPT = 200
"""Of each kind, those that are remembered of a minute: callers can make names up."""
MINUTES = 60


class Part(Struct, array_like=True):
    """What one name had: all numbers of a `Mover`, in its order."""

    requests: int = 0
    errors: int = 0
    tokens_in: int = 0
    tokens_out: int = 0
    quota: int = 0

    def add(self, other: Part) -> None:
        """Add another."""
        self.requests += other.requests
        self.errors += other.errors
        self.tokens_in += other.tokens_in
        self.tokens_out += other.tokens_out
        self.quota += other.quota


Parts: TypeAlias = dict[str, Part]


class Movers(Struct, array_like=True):
    """What models, tokens and channels had of a time."""

    models: Parts = {}
    tokens: Parts = {}
    channels: Parts = {}

    def count(self, cells: Iterable[CellTick]) -> None:
        """Add what requests brought."""
        for cell in cells:
            part = Part(
                cell.requests,
                cell.requests if cell.outcome in FAILED else 0,
                cell.tokens_in,
                cell.tokens_out,
                cell.quota,
            )
            for parts, name in ((self.models, cell.model), (self.tokens, cell.token), (self.channels, cell.channel)):
                if name:
                    _of(parts, name).add(part)

    def add(self, other: Movers) -> None:
        """Add another time."""
        for mine, theirs in zip(self.kinds(), other.kinds(), strict=True):
            for name, part in theirs.items():
                _of(mine, name).add(part)

    def kinds(self) -> tuple[Parts, Parts, Parts]:
        """Return models, tokens and channels."""
        return self.models, self.tokens, self.channels

    def dearest(self) -> tuple[tuple[Mover, ...], tuple[Mover, ...], tuple[Mover, ...]]:
        """Return the first of each kind."""
        models, tokens, channels = (
            tuple(Mover(name, *astuple(part)) for name, part in _ranked(parts)[:SHOWN]) for parts in self.kinds()
        )
        return models, tokens, channels

    def cut(self) -> None:
        """Forget all but the first of each kind."""
        for parts in self.kinds():
            for name, _ in _ranked(parts)[KEPT:]:
                del parts[name]


_MOVERS = msgspec.json.Decoder(Movers)


class Hour:
    """The last sixty minutes."""

    def __init__(self) -> None:
        self._minutes: deque[tuple[int, Movers]] = deque()

    def add(self, at: int, second: Movers) -> tuple[int, bytes] | None:
        """Add a second; return what is to be written down of the minute that it ended."""
        minute = at - at % 60
        ended = None
        if not self._minutes or self._minutes[-1][0] != minute:
            ended = self.row()
            self._minutes.append((minute, Movers()))
            while self._minutes[0][0] <= minute - MINUTES * 60:
                self._minutes.popleft()
        self._minutes[-1][1].add(second)
        return ended

    def row(self) -> tuple[int, bytes] | None:
        """Return what is to be written down of the last minute: when it began, and JSON."""
        if not self._minutes:
            return None
        at, movers = self._minutes[-1]
        movers.cut()
        return at, msgspec.json.encode(movers)

    def load(self, rows: Iterable[tuple[int, bytes | str]]) -> None:
        """Take over what was written down, in the place of what is known; what cannot be read is left out."""
        known = dict(self._minutes)
        for at, value in rows:
            with suppress(msgspec.MsgspecError, ValueError):
                known[at] = _MOVERS.decode(value)
        self._minutes = deque(sorted(known.items()))

    def tops(self, now: int) -> Tops:
        """Return who had most of the hour that ends now."""
        last = now - now % 60
        first = last - (MINUTES - 1) * 60
        minutes = [(at, movers) for at, movers in self._minutes if first <= at <= last]
        total = Movers()
        for _, movers in minutes:
            total.add(movers)
        tops: list[tuple[Top, ...]] = []
        for kind, parts in enumerate(total.kinds()):
            shown = _ranked(parts)[:SHOWN]
            sparks = {name: [0] * MINUTES for name, _ in shown}
            for at, movers in minutes:
                _spark(sparks, movers.kinds()[kind], (at - first) // 60)
            tops.append(tuple(Top(name, *astuple(part), spark=tuple(sparks[name])) for name, part in shown))
        return Tops(*tops)


def _spark(sparks: dict[str, list[int]], parts: Mapping[str, Part], place: int) -> None:
    for name, spark in sparks.items():
        if (part := parts.get(name)) is not None:
            spark[place] += part.requests


def _of(parts: Parts, name: str) -> Part:
    part = parts.get(name)
    if part is None:
        part = parts[name] = Part()
    return part


def _ranked(parts: Parts) -> list[tuple[str, Part]]:
    return sorted(parts.items(), key=lambda item: (-item[1].quota, -item[1].requests, item[0]))
