"""The breakers, against a model that knows three things: what counts where, when enough is enough, and for how long."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from newapi import providers
from newapi.base.errors import CallerError, NewapiError, UpstreamError
from newapi.base.secret import Secret
from newapi.config.schema import ChannelSpec, HealthSpec
from newapi.relay import health as module
from newapi.relay.health import Health, Place, Rest
from newapi.relay.snapshot import Channel
from newapi.store.rests import EVERYTHING, RestRow

SPEC = HealthSpec(failures=3, window=60.0, cooldown=300.0)
NOW = 1000.0


def channel(*keys: str, **more: Any) -> Channel:
    spec = ChannelSpec(type="openai", models=("m", "n"), **more)
    return Channel(1, "c", spec, providers.get("openai"), tuple(Secret(k) for k in keys or ("k",)), None)


def error(
    status: int = 500, kind: str = "status", message: str = "x", *, after: float | None = None, code: str = ""
) -> UpstreamError:
    return UpstreamError(
        message,
        kind=kind,
        upstream_status=status,
        status=status or 502,
        retry_after=after,
        code=code,  # type: ignore[arg-type]
    )


class Kept:
    """Remembers what it was told to keep."""

    def __init__(self) -> None:
        self.dead: list[str] = []
        self.rests: list[RestRow] = []
        self.over: list[Place] = []

    def died(self, channel: Channel, key: int, reason: str) -> None:
        self.dead.append(f"{channel.name} {channel.positions[key]}: {reason}")

    def rested(self, row: RestRow) -> None:
        self.rests.append(row)

    def woke(self, places: Any) -> None:
        self.over += places


FAILURES: dict[str, tuple[UpstreamError, str]] = {
    "no connection": (error(0, "connect"), "host"),
    "401": (error(401), "dead"),
    "403": (error(403), "key"),
    "500": (error(500), "model and key"),
    "silence": (error(0, "timeout"), "model and key"),
    "429": (error(429), "model"),
    "429, wait": (error(429, after=90.0), "wait"),
    "503, wait": (error(503, after=20.0), "wait"),
    "no such model": (error(404, message="The model does not exist"), "model"),
    "400": (error(400), ""),
    "404": (error(404), ""),
}
KEYS, MODELS = st.integers(0, 1), st.sampled_from(["m", "n"])


class Model:
    """One breaker as its description says it."""

    def __init__(self) -> None:
        self.failures: list[tuple[float, str]] = []
        self.since = self.until = 0.0
        self.kind = ""
        self.trial = -1e9

    def closed(self, now: float) -> bool:
        if self.kind == "dead":
            return False
        if self.kind == "asked":
            return now >= self.until
        return self.kind == "" or (now >= self.until and now - self.trial >= 60)

    def fail(self, now: float, model: str, several: bool) -> None:
        if self.kind == "dead":
            return
        if self.kind != "broken":
            self.failures = [f for f in self.failures if f[0] > now - 60] + [(now, model)]
            if len(self.failures) < 3 or (several and {m for _, m in self.failures} in ({"m"}, {"n"})):
                return
        self.failures, self.trial = [], -1e9
        if self.until < now + 300:
            self.kind, self.since, self.until = "broken", now, now + 300


class Breakers(RuleBasedStateMachine):
    """A process, another one that hears of it, and the model."""

    def __init__(self) -> None:
        super().__init__()
        self.now = NOW
        self.other = Health()
        self.it = Health(publish=self.other.hear)
        self.channel = channel("a", "b")
        self.model: dict[str, Model] = {}

    def over(self, key: int, model: str) -> list[Model]:
        names = ("host", f"{key}", f"{key} {model}")
        return [self.model.setdefault(name, Model()) for name in names]

    @rule(seconds=st.sampled_from([1.0, 19.0, 30.0, 61.0, 250.0, 301.0]))
    def time_passes(self, seconds: float) -> None:
        self.now += seconds

    @rule(key=KEYS, model=MODELS, how=st.sampled_from(sorted(FAILURES)))
    def fails(self, key: int, model: str, how: str) -> None:
        failure, where = FAILURES[how]
        self.it.failed(self.channel, key, model, failure, SPEC, self.now)
        host, of_key, of_model = self.over(key, model)
        if where == "dead" and of_key.kind != "dead":
            of_key.kind, of_key.since = "dead", self.now
        elif where == "host":
            host.fail(self.now, "", False)
        elif where == "key":
            of_key.fail(self.now, "", True)
        elif where == "wait":
            until = self.now + (failure.retry_after or 0)
            if of_model.until < until:
                of_model.kind, of_model.since, of_model.until = "asked", self.now, until
        elif where.startswith("model"):
            of_model.fail(self.now, model, False)
            if where.endswith("key"):
                of_key.fail(self.now, model, True)

    @rule(key=KEYS, model=MODELS, ago=st.sampled_from([0.0, 0.0, 40.0, 400.0]))
    def serves(self, key: int, model: str, ago: float) -> None:
        self.it.succeeded(self.channel, key, model, self.now - ago)
        for breaker in self.over(key, model):
            if not breaker.kind or breaker.since <= self.now - ago:
                breaker.__init__()

    @rule(key=KEYS, model=MODELS)
    def is_asked(self, key: int, model: str) -> None:
        over = self.over(key, model)
        closed = all(b.closed(self.now) for b in over)
        assert self.it.rests(self.channel, key, model, self.now) is not closed
        assert self.it.admits(self.channel, key, model, self.now) is closed
        for breaker in over if closed else ():
            if breaker.kind == "broken":
                breaker.trial = self.now

    @rule()
    def someone_wakes_it(self) -> None:
        row = RestRow(1, EVERYTHING, "", "reset", self.now, self.now)
        for process in (self.it, self.other):
            process.take_over([row], [self.channel], self.now)
        self.model.clear()

    @invariant()
    def it_waits_as_long_as_it_was_told(self) -> None:
        for key in (0, 1):
            for model in ("m", "n"):
                waits = [b.until for b in self.over(key, model) if b.kind == "asked" and self.now < b.until]
                assert self.it.waits(self.channel, key, model, self.now) == max(waits, default=0.0)

    @invariant()
    def the_other_process_knows(self) -> None:
        for key in (0, 1):
            for model in ("m", "n"):
                here, there = (h.why(self.channel, key, model, self.now) for h in (self.it, self.other))
                assert here == there


TestBreakers = Breakers.TestCase
TestBreakers.settings = settings(max_examples=150, stateful_step_count=40, deadline=None)


@pytest.mark.parametrize(
    ("failure", "counts"),
    [
        (error(500), True),
        (error(529), True),
        (error(429), True),
        (error(408), True),
        (error(0, "connect"), True),
        (error(0, "timeout"), True),
        (error(0, "cut"), True),
        (error(200, "error_event"), True),
        (error(404, message="no such model: m"), True),
        (error(404, code="model_not_found"), True),
        (error(400), False),
        (error(404), False),
        (error(0, "refused"), False),
        (CallerError("x"), False),
    ],
    ids=str,
)
def test_whose_fault_it_was(failure: NewapiError, counts: bool) -> None:
    it = Health()
    for _ in range(SPEC.failures):
        it.failed(channel(), 0, "m", failure, SPEC, NOW)
    assert it.rests(channel(), 0, "m", NOW + 1) is counts


@pytest.mark.parametrize(
    ("failure", "others"),
    [
        (error(0, "connect"), [True, True, True]),
        (error(403), [True, False, False]),
        (error(403, message="no access to model m"), [False, False, False]),
        (error(429), [False, False, False]),
        (error(500), [False, False, False]),
    ],
    ids=str,
)
def test_what_a_failure_is_held_against(failure: UpstreamError, others: list[bool]) -> None:
    """Of key a and model m: what becomes of (a, n), (b, m) and (b, n)."""
    it, c = Health(), channel("a", "b")
    for _ in range(SPEC.failures):
        it.failed(c, 0, "m", failure, SPEC, NOW)
    assert it.rests(c, 0, "m", NOW + 1)
    assert [it.rests(c, k, m, NOW + 1) for k, m in ((0, "n"), (1, "m"), (1, "n"))] == others


def test_failures_of_several_models_are_the_key_s() -> None:
    it, c = Health(), channel("a", "b")
    for model in ("m", "m", "n"):
        it.failed(c, 0, model, error(500), SPEC, NOW)
    assert [it.rests(c, k, "o", NOW + 1) for k in (0, 1)] == [True, False]


def test_a_model_is_what_the_upstream_calls_it() -> None:
    it, c = Health(), channel(model_mapping={"alias": "m"})
    for model in ("m", "alias", "m"):
        it.failed(c, 0, model, error(429), SPEC, NOW)
    assert it.rests(c, 0, "alias", NOW + 1)


@pytest.mark.parametrize("failure", [error(401), error(403, message="Your billing is not active")])
def test_what_waiting_does_not_help_disables(failure: UpstreamError) -> None:
    kept, c = Kept(), channel("a", "b")
    it = Health(kept)
    for _ in range(3):
        it.failed(c, 1, "m", failure, SPEC, NOW)
    assert [it.rests(c, k, "n", 1e12) for k in (0, 1)] == [False, True]
    assert kept.dead == [f"c 1: {failure.upstream_status}: {failure.message}"]
    it.take_over([], [channel("a", "b")], NOW)  # the key is in force: someone, or a probe, enabled it
    assert not it.rests(c, 1, "n", NOW)


@pytest.mark.parametrize(
    ("failure", "said", "dies"),
    [
        (error(400, message="Your credit balance: see Plans & Billing"), b"hello", True),
        (error(400, message="Invalid schema for function 'billing'"), b'{"tools":[{"name":"Billing"}]}', False),
        (error(429, message="You exceeded your quota", code="insufficient_quota"), b"insufficient_quota", True),
        (error(200, "error_event", message="billing"), b"", False),
    ],
    ids=str,
)
def test_words_of_the_caller_disable_nothing(failure: UpstreamError, said: bytes, dies: bool) -> None:
    kept = Kept()
    Health(kept).failed(channel(), 0, "m", failure, SPEC, NOW, said)
    assert bool(kept.dead) is dies


def test_a_changed_key_begins_anew() -> None:
    it = Health()
    it.failed(channel("old"), 0, "m", error(401), SPEC, NOW)
    assert it.rests(channel("old"), 0, "m", NOW + 1)
    assert not it.rests(channel("new"), 0, "m", NOW + 1)


def test_a_channel_that_is_not_to_be_disabled_never_rests() -> None:
    kept = Kept()
    it, c = Health(kept), channel(auto_disable=False)
    for failure in (error(401), error(429, after=9.0), *[error(500)] * 9):
        it.failed(c, 0, "m", failure, SPEC, NOW)
    assert not it.rests(c, 0, "m", NOW + 1)
    assert (kept.dead, kept.rests) == ([], [])


def test_nobody_waits_longer_than_a_day() -> None:
    it = Health()
    it.failed(channel(), 0, "m", error(429, after=1e9), SPEC, NOW)
    assert it.waits(channel(), 0, "m", NOW) == NOW + 86_400


def test_what_is_kept_is_taken_over_by_the_next_process() -> None:
    kept, c = Kept(), channel("secret-key")
    it = Health(kept)
    for _ in range(3):
        it.failed(c, 0, "m", error(500, message="broke: secret-key"), SPEC, NOW)
    it.failed(c, 0, "n", error(429, after=30.0), SPEC, NOW)
    assert "secret-key" not in repr(kept.rests)
    after = Health()
    after.take_over(kept.rests, [c], NOW + 40)
    assert [after.rests(c, 0, m, NOW + 40) for m in ("m", "n")] == [True, False]
    assert after.admits(c, 0, "m", NOW + 301)  # its trial
    assert not after.admits(c, 0, "m", NOW + 302)
    it.succeeded(c, 0, "m", NOW + 301)
    assert kept.over == [(1, c.prints[0], "m")]


def test_what_someone_wakes_is_only_what_was_before() -> None:
    it, c = Health(), channel()
    for n in range(3):
        it.failed(c, 0, "m", error(500), SPEC, NOW + n)
    place = (1, c.prints[0], "m")
    it.take_over([RestRow(*place, "reset", NOW + 1, NOW + 1)], [c], NOW + 9)
    assert it.rests(c, 0, "m", NOW + 9)
    it.take_over([RestRow(*place, "reset", NOW + 2, NOW + 2)], [c], NOW + 9)
    assert not it.rests(c, 0, "m", NOW + 9)
    it.failed(c, 0, "m", error(500), SPEC, NOW + 10)
    assert not it.rests(c, 0, "m", NOW + 11)


def test_names_that_a_caller_makes_up_do_not_fill_the_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_BREAKERS", 50)
    it, c = Health(), channel()
    for _ in range(3):
        it.failed(c, 0, "resting", error(429), SPEC, NOW)
    for n in range(500):
        it.failed(c, 0, f"m{n}", error(429), SPEC, NOW)
    assert len(it._breakers) <= 50
    assert it.rests(c, 0, "resting", NOW)


def test_what_rests_is_told_to_people() -> None:
    it, c = Health(), channel("a", "b")
    assert it.rest(c, NOW) is None
    for _ in range(3):
        it.failed(c, 0, "m", error(500), SPEC, NOW)
    assert it.rest(c, NOW) is None  # it serves another model still
    state, row = it.why(c, 0, "m", NOW)
    assert (state, row and row.reason) == ("resting", "500: x")
    assert it.why(c, 0, "n", NOW) == ("up", None)
    for _ in range(3):
        it.failed(c, 0, "n", error(500), SPEC, NOW)
    assert it.rest(c, NOW) == Rest(1, NOW + 300, False, "500: x")
    assert it.rest(c, NOW + 300) == Rest(1, NOW + 300, True, "500: x")
    it.failed(c, 1, "m", error(401), SPEC, NOW)
    assert it.rest(c, NOW) == Rest(2, NOW + 300, False, "500: x")
    for _ in range(3):
        it.failed(c, 0, "m", error(0, "connect"), SPEC, NOW)
    assert it.rest(c, NOW) == Rest(2, NOW + 300, False, "500: x")
