"""Makes the ticks of a serving process."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from newapi.ops.live import ChannelState, Process
from newapi.ops.live_tick import ERROR_LENGTH, ChannelTick, Tick, tick
from newapi.relay.gateway import Gateway
from newapi.store.snapshot import StoredChannel

FULL_EVERY = 15
"""Ticks after which all channels are told, not only those that changed: for whoever came later."""


_NO_KEY = "none of its keys can be read"
"""Why a channel is not served that nothing and nobody switched off."""


class Ticker:
    """Makes the ticks of this process."""

    def __init__(self, gateway: Gateway) -> None:
        self._gateway = gateway
        self._told: dict[int, ChannelTick] = {}
        self._number = 0

    def tick(
        self, process: Process, declared: Sequence[StoredChannel], database: Sequence[tuple[str, int]] = ()
    ) -> Tick:
        """Return what came since the last one.

        Args:
            process: This one, and how it is.
            declared: All channels, those that are not served among them.
            database: How the database was used, as `Database.drain` returns it.
        """
        now = self._gateway.clock()
        seen = {c.id: c for c in self._channels(declared, now)}
        full = self._number % FULL_EVERY == 0 or seen.keys() != self._told.keys()
        told = seen.values() if full else [c for c in seen.values() if self._told[c.id] != c]
        self._told = seen
        self._number += 1
        tally = self._gateway.tally
        return tick(tally.drain(), process, list(told), now, full=full, open=tally.open, database=database)

    def _channels(self, declared: Sequence[StoredChannel], now: float) -> Iterable[ChannelTick]:
        gateway = self._gateway
        served = {c.id: c for c in gateway.snapshot.channels}
        troubled = gateway.health.troubled()
        for stored in declared:
            keys = max(1, len(stored.spec.keys))
            channel = served.get(stored.id)
            if channel is None:
                by_hand = stored.state == "disabled" or not stored.spec.enabled
                state: ChannelState = "disabled" if by_hand else "tripped"
                reason = stored.state_reason or ("" if by_hand else _NO_KEY)
                yield ChannelTick(stored.id, stored.name, state, 0, keys, reason=reason[:ERROR_LENGTH])
                continue
            up, until, reason = len(channel.keys), 0.0, ""
            state = "up"
            if stored.id in troubled and (rest := gateway.health.rest(channel, now)) is not None:
                up -= rest.keys
                if up <= 0:
                    state = "tripped" if not rest.until else "half_open" if rest.trying else "resting"
                    until, reason = rest.until, rest.reason[:ERROR_LENGTH]
            under_way = gateway.figures.under_way(stored.id)
            yield ChannelTick(stored.id, stored.name, state, max(0, up), keys, under_way, until, reason)
