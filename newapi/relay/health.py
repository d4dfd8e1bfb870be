"""What rests: circuit breakers for each channel, each of its keys, and each model asked of a key.

Closed, a breaker counts failures; `failures` of them within `window` open it, and it rests for `cooldown`; then one
request tries it (half open), whose success closes it and whose failure opens it again. A failure is held against what
it is about:

    the channel             no connection: whatever the key, the host does not answer
    a key                   401, 402, 403; or failures of more than one model with it
    a model with a key      429, 404 that names the model, 5xx, silence, nonsense, a broken stream

Where an upstream says how long to wait (`Retry-After`), the model rests with that key for so long, and is not asked at
all. Some failures say that waiting will not help (a key that is not valid, an account without money): those disable the
key until someone, or a probe, enables it.

What one process finds out it tells the others, and what keeps it (`Keep`): rests outlive a restart.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from fnmatch import fnmatch
from typing import Literal, Protocol

import msgspec
from msgspec import Struct

from newapi.base.errors import NewapiError, UpstreamError
from newapi.base.mask import mask
from newapi.config.schema import HealthSpec
from newapi.relay.snapshot import Channel
from newapi.store.rests import EVERYTHING, RestRow

_BLAMES = ("401", "402", "403", "408", "429", "5??")
"""Statuses that say something about the key or the upstream; others are about the request."""
_OF_THE_KEY = (401, 402, 403)
_ABOUT_MONEY = (*_OF_THE_KEY, 429)
"""Statuses under which `disable_keywords` are believed whatever the request said."""
_TRIAL_SECONDS = 60.0
"""After so long without a result a trial is forgotten, and another request may be one."""
_LONGEST_WAIT = 86_400.0
"""Of an upstream's `Retry-After`, seconds."""
_BREAKERS = 20_000
"""So many are kept: a caller who makes names up must not fill the memory."""

Place = tuple[int, str, str]
"""What a breaker is of: channel, print of its key ("" is any), model as the upstream calls it ("" is any)."""
State = Literal["up", "half_open", "resting"]


class Keep(Protocol):
    """Keeps what was found out. None of it may wait."""

    def died(self, channel: Channel, key: int, reason: str) -> None:
        """A key of a channel is useless until someone, or a probe, enables it."""
        ...

    def rested(self, row: RestRow) -> None:
        """Something rests, until when and why."""
        ...

    def woke(self, places: Sequence[Place]) -> None:
        """Rests are over, since a request was served."""
        ...


class KeepNothing:
    """For one process that remembers only what it sees."""

    def died(self, channel: Channel, key: int, reason: str) -> None:
        pass

    def rested(self, row: RestRow) -> None:
        pass

    def woke(self, places: Sequence[Place]) -> None:
        pass


class _Word(Struct, frozen=True, omit_defaults=True):
    """What processes tell one another."""

    rests: tuple[RestRow, ...] = ()
    woke: tuple[Place, ...] = ()


class _Breaker:
    __slots__ = ("failures", "rest", "trial_since")

    def __init__(self) -> None:
        self.failures: deque[tuple[float, str]] = deque()
        """When, and of which model; "" where it was not about a model."""
        self.rest: RestRow | None = None
        self.trial_since = -_TRIAL_SECONDS

    def blocks(self, now: float) -> bool:
        rest = self.rest
        if rest is None:
            return False
        if rest.kind == "dead" or now < rest.until:
            return True
        return rest.kind == "broken" and now - self.trial_since < _TRIAL_SECONDS

    def half_open(self, now: float) -> bool:
        return self.rest is not None and self.rest.kind == "broken" and now >= self.rest.until


class Rest(Struct, frozen=True):
    """How many keys of a channel cannot be used.

    Attributes:
        keys: How many.
        until: When the first of them may be tried again, unix seconds; 0 when none will be.
        trying: Whether one's rest is over: its next request tries it, or is about to.
        reason: What the upstream said when the last of them came to rest, without secrets.
    """

    keys: int
    until: float
    trying: bool
    reason: str = ""


class Health:
    """The breakers of this process. A key that is changed begins anew."""

    def __init__(self, keep: Keep | None = None, publish: Callable[[bytes], None] = lambda _word: None) -> None:
        """Keep what is found out with `keep`, and tell other processes by `publish`; `hear` takes what they tell."""
        self._keep = keep or KeepNothing()
        self._publish = publish
        self._breakers: dict[Place, _Breaker] = {}

    # -- asked before a request ------------------------------------------------------------

    def rests(self, channel: Channel, key: int, model: str, now: float) -> bool:
        """Return whether a key rests for a model; asking changes nothing."""
        if not self._breakers:
            return False
        return any(breaker.blocks(now) for _, breaker in self._over(channel, key, model))

    def admits(self, channel: Channel, key: int, model: str, now: float) -> bool:
        """Return whether a key may be asked. When its rest is over, who asks first is its trial: others hear False."""
        if not self._breakers:
            return True
        over = [breaker for _, breaker in self._over(channel, key, model)]
        if any(breaker.blocks(now) for breaker in over):
            return False
        for breaker in over:
            if breaker.half_open(now):
                breaker.trial_since = now
        return True

    def waits(self, channel: Channel, key: int, model: str, now: float) -> float:
        """Return until when an upstream asked to be left alone, unix seconds; 0 where it did not, or that is over."""
        if not self._breakers:
            return 0.0
        rests = [breaker.rest for _, breaker in self._over(channel, key, model) if breaker.rest is not None]
        return max((r.until for r in rests if r.kind == "asked" and now < r.until), default=0.0)

    def _over(self, channel: Channel, key: int, model: str) -> Iterator[tuple[Place, _Breaker]]:
        """Yield the breakers that a request to a key for a model depends on."""
        for place in self._places(channel, key, model):
            if (breaker := self._breakers.get(place)) is not None:
                yield place, breaker

    @staticmethod
    def _places(channel: Channel, key: int, model: str) -> tuple[Place, Place, Place]:
        key_print = channel.prints[key]
        return (channel.id, "", ""), (channel.id, key_print, ""), (channel.id, key_print, channel.map_model(model))

    # -- told after it ---------------------------------------------------------------------

    def succeeded(self, channel: Channel, key: int, model: str, began: float) -> None:
        """Note that a request that began then (unix seconds) was served: its breakers close.

        A rest that began later stays: the request says nothing about what came after it.
        """
        if not self._breakers:
            return
        woke: list[Place] = []
        for place, breaker in tuple(self._over(channel, key, model)):
            if breaker.rest is not None:
                if breaker.rest.since > began:
                    continue
                woke.append(place)
            del self._breakers[place]
        if woke:
            self._keep.woke(woke)
            self._publish(_ENCODE(_Word(woke=tuple(woke))))

    def failed(
        self,
        channel: Channel,
        key: int,
        model: str,
        error: NewapiError,
        spec: HealthSpec,
        now: float,
        said: bytes = b"",
    ) -> None:
        """Note that an attempt failed, if the key or the upstream is to blame.

        A channel with `auto_disable = false` never rests.

        Args:
            channel: What was asked.
            key: With which of its keys.
            model: As the caller names it.
            error: How it failed.
            spec: When that means a rest.
            now: Unix seconds.
            said: The caller's body: words that are in it too, an upstream may only have repeated.
        """
        if not isinstance(error, UpstreamError) or not channel.spec.auto_disable:
            return
        if _for_good(error, spec, said):
            self._die(channel, key, error, now)
            return
        if not _to_blame(error):
            return
        whole, of_key, of_model = self._places(channel, key, model)
        if error.kind == "connect":
            self._count(whole, "", error, channel, spec, now)
        elif error.kind == "status" and error.upstream_status in _OF_THE_KEY and not _names_the_model(error):
            self._count(of_key, "", error, channel, spec, now)
        elif error.retry_after is not None and error.retry_after > 0:
            until = now + min(error.retry_after, _LONGEST_WAIT)
            self._rest(of_model, RestRow(*of_model, "asked", now, until, _reason(error, channel)))
        else:
            self._count(of_model, of_model[2], error, channel, spec, now)
            if error.upstream_status not in (404, 429):
                self._count(of_key, of_model[2], error, channel, spec, now)

    def _count(
        self, place: Place, model: str, error: UpstreamError, channel: Channel, spec: HealthSpec, now: float
    ) -> None:
        breaker = self._at(place)
        rest = breaker.rest
        if rest is not None and rest.kind == "dead":
            return
        if rest is not None and rest.kind == "broken":  # the trial failed, or one that was under way before
            breaker.trial_since = -_TRIAL_SECONDS
        else:
            breaker.failures.append((now, model))
            while breaker.failures[0][0] <= now - spec.window:
                breaker.failures.popleft()
            # Failures of a single model are that model's affair: its own breaker opens by them.
            several = place[2] or "" in (seen := {m for _, m in breaker.failures}) or len(seen) > 1
            if len(breaker.failures) < spec.failures or not several:
                return
            breaker.failures.clear()
        self._rest(place, RestRow(*place, "broken", now, now + spec.cooldown, _reason(error, channel)))

    def _rest(self, place: Place, row: RestRow) -> None:
        breaker = self._at(place)
        if breaker.rest is not None and breaker.rest.until >= row.until:
            return
        breaker.rest = row
        self._keep.rested(row)
        self._publish(_ENCODE(_Word(rests=(row,))))

    def _die(self, channel: Channel, key: int, error: UpstreamError, now: float) -> None:
        place = self._places(channel, key, "")[1]
        breaker = self._at(place)
        if breaker.rest is None or breaker.rest.kind != "dead":
            breaker.rest = row = RestRow(*place, "dead", now, float("inf"), _reason(error, channel))
            self._keep.died(channel, key, row.reason)
            self._publish(_ENCODE(_Word(rests=(row,))))

    def _at(self, place: Place) -> _Breaker:
        breaker = self._breakers.get(place)
        if breaker is None:
            if len(self._breakers) >= _BREAKERS:
                self._breakers = {p: b for p, b in self._breakers.items() if b.rest is not None}
            breaker = self._breakers[place] = _Breaker()
        return breaker

    # -- what others found out ---------------------------------------------------------------

    def hear(self, word: bytes) -> None:
        """Take over what another process tells (or this one, which changes nothing)."""
        told = _DECODE(word)
        for row in told.rests:
            self._take(row)
        for place in told.woke:
            self._breakers.pop(place, None)

    def take_over(self, rows: Iterable[RestRow], channels: Iterable[Channel], now: float) -> None:
        """Take over what is kept: rests, and that someone woke something.

        Args:
            rows: What is kept, the oldest first.
            channels: Those in force: of them no key is dead, whatever it was once.
            now: Unix seconds.
        """
        for channel in channels if self._breakers else ():
            for key_print in channel.prints:
                breaker = self._breakers.get((channel.id, key_print, ""))
                if breaker is not None and breaker.rest is not None and breaker.rest.kind == "dead":
                    del self._breakers[(channel.id, key_print, "")]
        for row in rows:
            if row.kind == "reset":
                self._wake(row)
            elif row.kind == "broken" or row.until > now:
                self._take(row)

    def _take(self, row: RestRow) -> None:
        breaker = self._at((row.channel_id, row.key_print, row.model))
        if breaker.rest is None or (breaker.rest.since, breaker.rest.until) < (row.since, row.until):
            breaker.rest = row
            breaker.failures.clear()
            breaker.trial_since = -_TRIAL_SECONDS

    def _wake(self, row: RestRow) -> None:
        if row.key_print == EVERYTHING:
            places = [place for place in self._breakers if place[0] == row.channel_id]
        else:
            places = [(row.channel_id, row.key_print, row.model)]
        for place in places:
            breaker = self._breakers.get(place)
            if breaker is None:
                continue
            if breaker.rest is not None and breaker.rest.since <= row.since:
                breaker.rest = None
            breaker.failures = deque(f for f in breaker.failures if f[0] > row.since)
            if breaker.rest is None and not breaker.failures:
                del self._breakers[place]

    # -- for people ------------------------------------------------------------------------

    def troubled(self) -> set[int]:
        """Return the ids of the channels of which something rests, or has failed of late."""
        return {channel_id for channel_id, *_ in self._breakers}

    def rest(self, channel: Channel, now: float) -> Rest | None:
        """Return what of a channel rests; None where nothing does.

        A key rests when it does for whatever is asked: one that rests for some of the channel's models is up.
        """
        if not self._breakers:
            return None
        found: dict[str, dict[str, _Breaker]] = {}
        for (id, key_print, model), breaker in self._breakers.items():
            if id == channel.id and _state(breaker, now) != "up":
                for affected in (key_print,) if key_print else channel.prints:
                    found.setdefault(affected, {})[model] = breaker
        served = channel.models
        keys = [
            list(rests.values())
            for p in channel.prints
            if (rests := found.get(p)) and ("" in rests or (not served.globs and served.exact <= rests.keys()))
        ]
        if not keys:
            return None
        rows = [b.rest for rests in keys for b in rests if b.rest is not None]
        untils = [row.until for row in rows if row.kind != "dead"]
        reason = max(rows, key=lambda row: row.since).reason if rows else ""
        trying = any(b.half_open(now) for rests in keys for b in rests)
        return Rest(len(keys), min(untils, default=0.0), trying, reason)

    def why(self, channel: Channel, key: int, model: str, now: float) -> tuple[State, RestRow | None]:
        """Return the state of a key for a model, and the rest that it is in, or on trial after."""
        for _, breaker in self._over(channel, key, model):
            if breaker.rest is not None and (state := _state(breaker, now)) != "up":
                return state, breaker.rest
        return "up", None


def _state(breaker: _Breaker, now: float) -> State:
    if breaker.half_open(now):
        return "half_open"
    return "resting" if breaker.blocks(now) else "up"


_ENCODE = msgspec.msgpack.Encoder().encode
_DECODE = msgspec.msgpack.Decoder(_Word).decode


def _reason(error: UpstreamError, channel: Channel) -> str:
    status = f"{error.upstream_status}: " if error.kind == "status" else ""
    return status + mask(error.message, (k.reveal() for k in channel.keys))[:400]


def _to_blame(error: UpstreamError) -> bool:
    if error.kind == "refused":
        return False
    if error.kind != "status":
        return True
    if error.upstream_status == 404:
        return _names_the_model(error)
    return any(fnmatch(str(error.upstream_status), blamed) for blamed in _BLAMES)


def _names_the_model(error: UpstreamError) -> bool:
    return "model" in f"{error.code} {error.message}".lower()


def _for_good(error: UpstreamError, spec: HealthSpec, said: bytes) -> bool:
    if error.kind != "status":
        return False
    status = str(error.upstream_status)
    if any(p == status or (p.endswith("xx") and p[0] == status[0]) for p in spec.disable_on):
        return True
    message = f"{error.message} {error.code}".lower()
    words = [w for word in spec.disable_keywords if (w := word.lower()) in message]
    if not words or error.upstream_status in _ABOUT_MONEY:
        return bool(words)
    lowered = said.lower()
    return any(word.encode() not in lowered for word in words)
