"""The breaker, against a model that keeps everything and works it out anew each time."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from newapi import providers
from newapi.base.errors import CallerError, NewapiError, UpstreamError
from newapi.base.secret import Secret
from newapi.config.schema import ChannelSpec, HealthSpec
from newapi.relay.health import Health
from newapi.relay.snapshot import Channel

SPEC = HealthSpec(failures=3, window=60.0, cooldown=300.0)


def channel(*keys: str, **more: Any) -> Channel:
    spec = ChannelSpec(type="openai", models=("m",), **more)
    return Channel(1, "c", spec, providers.get("openai"), tuple(Secret(k) for k in keys or ("k",)), None)


def error(status: int = 500, kind: str = "status", message: str = "x") -> UpstreamError:
    return UpstreamError(message, kind=kind, upstream_status=status, status=status or 502)  # type: ignore[arg-type]


def health() -> tuple[Health, list[str]]:
    disabled: list[str] = []
    return Health(lambda channel, reason: disabled.append(f"{channel.name}: {reason}")), disabled


@given(steps=st.lists(st.tuples(st.floats(0, 40), st.sampled_from(["fail", "serve", "ask"])), max_size=60))
def test_it_is_open_when_the_model_says_so(steps: list[tuple[float, str]]) -> None:
    it, _ = health()
    c = channel()
    now, failures, opened, trial = 1000.0, [], None, None
    for step, what in steps:
        now += step
        if what == "ask":
            if opened is None:
                due = False
            elif now < opened + SPEC.cooldown:
                due = True
            else:  # half open: the first who asks is let through, until its result is known or a minute is over
                due = trial is not None and now - trial < 60
                trial = trial if due else now
            assert it.rests(c, 0, "m", now) is due
            assert it.admits(c, 0, "m", now) is not due
        elif what == "serve":
            it.succeeded(c, 0)
            failures, opened, trial = [], None, None
        else:
            it.failed(c, 0, error(), SPEC, now)
            if opened is not None:
                opened, trial = now, None
                continue
            failures = [t for t in failures if t > now - SPEC.window] + [now]
            if len(failures) >= SPEC.failures:
                failures, opened, trial = [], now, None


@pytest.mark.parametrize(
    ("failure", "counts"),
    [
        (error(500), True),
        (error(529), True),
        (error(429), True),
        (error(0, "connect"), True),
        (error(0, "timeout"), True),
        (error(0, "cut"), True),
        (error(200, "error_event"), True),
        (error(400), False),
        (error(404), False),
        (error(0, "refused"), False),
        (CallerError("x"), False),
    ],
    ids=str,
)
def test_whose_fault_it_was(failure: NewapiError, counts: bool) -> None:
    it, _ = health()
    for _ in range(SPEC.failures):
        it.failed(channel(), 0, failure, SPEC, 1000.0)
    assert it.rests(channel(), 0, "m", 1001.0) is counts


@pytest.mark.parametrize("failure", [error(401), error(403, message="Your billing is not active")])
def test_what_waiting_does_not_help_disables(failure: UpstreamError) -> None:
    it, disabled = health()
    it.failed(channel(), 0, failure, SPEC, 1000.0)
    assert it.rests(channel(), 0, "m", 1e12)
    assert disabled == [f"c: {failure.message}"]
    it.revive(1)
    assert not it.rests(channel(), 0, "m", 1e12)


def test_one_bad_key_of_several_rests_alone() -> None:
    it, disabled = health()
    c = channel("a", "b")
    it.failed(c, 0, error(401), SPEC, 1000.0)
    assert (it.rests(c, 0, "m", 1001.0), it.rests(c, 1, "m", 1001.0)) == (True, False)
    assert disabled == []
    it.failed(c, 1, error(401), SPEC, 1002.0)
    assert len(disabled) == 1


def test_a_changed_key_begins_anew() -> None:
    it, _ = health()
    it.failed(channel("old"), 0, error(401), SPEC, 1000.0)
    assert not it.rests(channel("new"), 0, "m", 1001.0)


def test_a_channel_that_is_not_to_be_disabled_never_rests() -> None:
    it, disabled = health()
    c = channel(auto_disable=False)
    for _ in range(10):
        it.failed(c, 0, error(401), SPEC, 1000.0)
    assert not it.rests(c, 0, "m", 1001.0)
    assert disabled == []
