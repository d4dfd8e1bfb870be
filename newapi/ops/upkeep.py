"""What is asked of upstreams on a schedule: what is left on the account, which models there are, whether they answer.

Each of these waits for upstreams, and returns what somebody may want to be told.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable

from newapi.base.errors import NewapiError
from newapi.base.mask import mask
from newapi.config.schema import HealthSpec
from newapi.ops import channel_probe, channels
from newapi.ops.channel_probe import Perform
from newapi.ops.channels import ChannelView
from newapi.ops.local import Local
from newapi.ops.notices import Board, Notice
from newapi.relay.snapshot import Models, mapped
from newapi.store.channels import set_state

NOTHING_LEFT = "nothing is left on the upstream's account"
"""Why a channel is disabled whose upstream says so."""

log = logging.getLogger("newapi")


class Upkeep:
    """Looks after the channels of a gateway, and remembers what it found last."""

    def __init__(
        self, local: Local, send: Perform = channel_probe.perform_call, clock: Callable[[], float] = time.time
    ) -> None:
        """Take the gateway, what makes calls, and the clock (unix seconds)."""
        self._local = local
        self._send = send
        self._clock = clock
        self._balances, self._missing, self._tests = Board(), Board(), Board()
        self._models: dict[int, frozenset[str]] = {}

    def balances(self, spec: HealthSpec) -> list[Notice]:
        """Ask each upstream that tells what is left on its account; disable the channels of those with nothing left.

        A channel with `auto_disable = false` is left alone. One whose upstream does not answer is passed over.
        """
        standing: list[Notice] = []
        unknown: set[str] = set()
        now = self._clock()
        for view in self._enabled():
            if not channel_probe.tells_balance(view):
                continue
            try:
                left = channel_probe.balance(self._local, view, send=self._send)
            except NewapiError as error:
                log.info("the balance of channel %r is not known: %s", view.name, mask(error.message))
                unknown.add(view.name)
                continue
            if left <= 0:
                title, text = f"Nothing is left on the account of channel {view.name}", "It needs to be topped up."
                if view.spec.auto_disable and set_state(
                    self._local.db, view.id, "tripped", NOTHING_LEFT, expect="enabled"
                ):
                    log.warning("channel %r is disabled: %s", view.name, NOTHING_LEFT)
                    text = "It is disabled."
                standing.append(Notice("balance", view.name, title, text, "error", now))
            elif left < spec.balance_low:
                title = f"${left:.2f} is left on the account of channel {view.name}"
                standing.append(Notice("balance", view.name, title, f"Less than ${spec.balance_low}.", at=now))
        return self._balances.update(standing, now, unknown=unknown)

    def models(self) -> list[Notice]:
        """Ask each upstream for its models; tell what is new since the last time, and what a channel serves in vain."""
        news: list[Notice] = []
        standing: list[Notice] = []
        unknown: set[str] = set()
        now = self._clock()
        for view in self._enabled():
            try:
                there = frozenset(channel_probe.fetch_models(self._local, view, send=self._send))
            except NewapiError as error:
                log.info("the models of channel %r are not known: %s", view.name, mask(error.message))
                unknown.add(view.name)
                continue
            before = self._models.get(view.id)
            self._models[view.id] = there
            if before is not None and (new := sorted(there - before)):
                title = f"The upstream of channel {view.name} has new models"
                news.append(Notice("models", view.name, title, ", ".join(new), at=now))
            if gone := missing(view, there):
                title = f"Channel {view.name} serves models that its upstream does not list"
                standing.append(Notice("models", view.name, title, ", ".join(gone), at=now))
        return [*news, *self._missing.update(standing, now, unknown=unknown)]

    def tests(self) -> list[Notice]:
        """Test every enabled channel, and tell which fail; the breaker judges by requests, not by these."""
        now = self._clock()
        enabled = self._enabled()
        done = channel_probe.probe_all(self._local, enabled, send=self._send)
        standing = [
            Notice("channel_test", t.channel, f"A test of channel {t.channel} failed", f"{t.model}: {t.error}", at=now)
            for t in done
            if t.error
        ]
        return self._tests.update(standing, now)

    def _enabled(self) -> list[ChannelView]:
        return [c for c in channels.list_channels(self._local.db) if c.state == "enabled" and c.spec.enabled]


def missing(view: ChannelView, there: frozenset[str] | set[str]) -> list[str]:
    """Return the models that a channel serves by name, and its upstream does not list.

    A name that is mapped is not the upstream's: it is missing only where what it is mapped to is.
    """
    exact = Models(view.spec.models).exact
    return [m for m in view.spec.models if m in exact and mapped(view.spec.model_mapping, m) not in there]
