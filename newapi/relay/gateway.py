"""What all requests of a process share."""

from __future__ import annotations

import time
from collections.abc import Callable
from random import Random

from msgspec import Struct
from msgspec.structs import replace

from newapi.base.http import HttpCall
from newapi.net.client import Client, Reply, Timeouts
from newapi.net.proxied import ProxiedClient
from newapi.relay.affinity import Affinity
from newapi.relay.bus import Bus, LocalBus
from newapi.relay.figures import Figures
from newapi.relay.health import Health, Keep
from newapi.relay.ledger import Ledger
from newapi.relay.limits import LimitCounts, Limiter
from newapi.relay.route import Router
from newapi.relay.snapshot import Channel, Snapshot
from newapi.relay.tally import Tally
from newapi.relay.waiting import Waiting

HEALTH, AFFINITY = "health", "affinity"
"""The topics under which processes tell one another what rests, and which channel a conversation is with."""


class Limits(Struct, frozen=True):
    """`[limits]` of the configuration, in bytes and seconds."""

    request_body: int = 128 * 1024 * 1024
    header_timeout: float = 30.0
    body_timeout: float = 60.0
    connect_timeout: float = 10.0
    first_byte_timeout: float = 300.0
    stream_idle_timeout: float = 300.0
    keepalive: float = 15.0


class Gateway:
    """The snapshot in force, the ledger, the upstream connections; and the clock and the chance that tests replace."""

    def __init__(
        self,
        snapshot: Snapshot,
        ledger: Ledger,
        limits: Limits,
        *,
        rng: Random | None = None,
        clock: Callable[[], float] = time.time,
        keep: Keep | None = None,
        bus: Bus | None = None,
        limiter: LimitCounts | None = None,
    ) -> None:
        self.snapshot = snapshot
        self.ledger = ledger
        self.rng = rng or Random()  # noqa: S311  (weights, not secrets)
        self.clock = clock
        self.bus = bus or LocalBus()
        self.health = Health(keep, lambda word: self.bus.publish(HEALTH, word))
        self.bus.subscribe(HEALTH, self.health.hear)
        self.limiter: LimitCounts = limiter or Limiter(clock)
        self.affinity = Affinity(lambda word: self.bus.publish(AFFINITY, word))
        self.bus.subscribe(AFFINITY, self.affinity.hear)
        self.waiting = Waiting()
        self.figures = Figures()
        self.tally = Tally()
        self.router = Router(self.rng, self.health, self.figures, self.clock)
        self.client = Client()
        self.proxied = ProxiedClient()
        self.limit(limits)
        self.in_flight = 0

    def limit(self, limits: Limits) -> None:
        """Be limited so from the next request on."""
        self.limits = limits
        self.timeouts = Timeouts(
            limits.connect_timeout, limits.first_byte_timeout, limits.stream_idle_timeout, limits.keepalive or 1e9
        )

    async def perform(
        self, channel: Channel, call: HttpCall, nudge: object = None, *, within: float = float("inf")
    ) -> Reply:
        """Send `call` for `channel`, through its proxy if it has one.

        Args:
            channel: Who is asked.
            call: What is sent.
            nudge: Awaited while the upstream is silent.
            within: Seconds in which the answer has to begin, where that is sooner than `first_byte_timeout`.

        Raises:
            UpstreamError: It did not answer.
        """
        timeouts = self.timeouts
        if within < timeouts.first_byte:
            timeouts = replace(
                timeouts, first_byte=max(within, 0.001), connect=max(min(within, timeouts.connect), 0.001)
            )
        if channel.spec.proxy:
            return await self.proxied.perform(call, channel.spec.proxy, timeouts, nudge)
        return await self.client.perform(call, timeouts, nudge)

    async def close(self) -> None:
        """Close the upstream connections."""
        await self.client.close()
        await self.proxied.close()
