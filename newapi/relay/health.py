"""Which upstream keys rest: a circuit breaker for each key of each channel.

Closed, it counts failures; `failures` of them within `window` open it, and it rests for `cooldown`; then one request
tries it (half open), whose success closes it and whose failure opens it again. Some failures say that waiting will not
help (a key that is not valid, an account without money): those disable it until someone, or a probe, enables it.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from fnmatch import fnmatch

from msgspec import Struct

from newapi.base.errors import NewapiError, UpstreamError
from newapi.base.secret import Secret
from newapi.config.schema import HealthSpec
from newapi.relay.snapshot import Channel

_BLAMES = ("401", "402", "403", "408", "429", "5??")
"""Statuses that say something about the key or the upstream; others are about the request."""
_TRIAL_SECONDS = 60.0
"""After so long without a result a trial is forgotten, and another request may be one."""

Disable = Callable[[Channel, str], None]
"""(channel, reason): told when the only key of a channel is found to be useless. Must not wait."""


class _Breaker:
    __slots__ = ("dead", "failures", "rests_until", "trial_since")

    def __init__(self) -> None:
        self.failures: deque[float] = deque()
        self.rests_until = 0.0
        self.trial_since = -_TRIAL_SECONDS
        self.dead = False


class Rest(Struct, frozen=True):
    """How many keys of a channel cannot be used.

    Attributes:
        keys: How many.
        until: When the first of them may be tried again, unix seconds; 0 when none will be.
        trying: Whether one's rest is over: its next request tries it, or is about to.
    """

    keys: int
    until: float
    trying: bool


class Health:
    """The breakers of this process. A key that is changed begins anew."""

    def __init__(self, disable: Disable) -> None:
        self._disable = disable
        self._breakers: dict[tuple[int, Secret], _Breaker] = {}

    def rests(self, channel: Channel, key: int, model: str, now: float) -> bool:
        """Return whether a key rests; asking changes nothing."""
        if not self._breakers:
            return False
        breaker = self._breakers.get((channel.id, channel.keys[key]))
        if breaker is None:
            return False
        if breaker.dead or now < breaker.rests_until:
            return True
        return bool(breaker.rests_until) and now - breaker.trial_since < _TRIAL_SECONDS

    def admits(self, channel: Channel, key: int, model: str, now: float) -> bool:
        """Return whether a key may be asked. When its rest is over, who asks first is its trial: others hear False."""
        if self.rests(channel, key, model, now):
            return False
        breaker = self._breakers.get((channel.id, channel.keys[key]))
        if breaker is not None and breaker.rests_until:
            breaker.trial_since = now
        return True

    def succeeded(self, channel: Channel, key: int) -> None:
        """Note that a key served: its breaker closes."""
        if self._breakers:
            self._breakers.pop((channel.id, channel.keys[key]), None)

    def failed(self, channel: Channel, key: int, error: NewapiError, spec: HealthSpec, now: float) -> None:
        """Note that an attempt failed, if the key or the upstream is to blame.

        A channel with `auto_disable = false` never rests.
        """
        if not isinstance(error, UpstreamError) or not channel.spec.auto_disable or not _to_blame(error):
            return
        breaker = self._breakers.setdefault((channel.id, channel.keys[key]), _Breaker())
        if _for_good(error, spec):
            breaker.dead = True
            if all(self._is_dead(channel, k) for k in range(len(channel.keys))):
                self._disable(channel, error.message)
            return
        if breaker.rests_until:  # the trial failed, or one that was under way before
            breaker.rests_until = now + spec.cooldown
            breaker.trial_since = -_TRIAL_SECONDS
            return
        breaker.failures.append(now)
        while breaker.failures[0] <= now - spec.window:
            breaker.failures.popleft()
        if len(breaker.failures) >= spec.failures:
            breaker.failures.clear()
            breaker.rests_until = now + spec.cooldown

    def revive(self, channel_id: int) -> None:
        """Forget what is held against a channel: someone enabled it, or a probe succeeded."""
        for place in [p for p in self._breakers if p[0] == channel_id]:
            del self._breakers[place]

    def rest(self, channel: Channel, now: float) -> Rest | None:
        """Return what of a channel rests, for people; None where nothing does."""
        if not self._breakers:
            return None
        found = [b for k in channel.keys if (b := self._breakers.get((channel.id, k))) and (b.dead or b.rests_until)]
        if not found:
            return None
        alive = [b.rests_until for b in found if not b.dead]
        return Rest(len(found), min(alive, default=0.0), any(now >= until for until in alive))

    def _is_dead(self, channel: Channel, key: int) -> bool:
        breaker = self._breakers.get((channel.id, channel.keys[key]))
        return breaker is not None and breaker.dead


def _to_blame(error: UpstreamError) -> bool:
    if error.kind == "refused":
        return False
    if error.kind != "status":
        return True
    return any(fnmatch(str(error.upstream_status), blamed) for blamed in _BLAMES)


def _for_good(error: UpstreamError, spec: HealthSpec) -> bool:
    if error.kind != "status":
        return False
    status = str(error.upstream_status)
    if any(p == status or (p.endswith("xx") and p[0] == status[0]) for p in spec.disable_on):
        return True
    message = f"{error.message} {error.code}".lower()
    return any(word.lower() in message for word in spec.disable_keywords)
