"""What passes is the limit, neither more nor less."""

from __future__ import annotations

import datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from newapi.base.errors import CallerError
from newapi.relay.limits import Limit, Limiter, beginning, ending

KEY = ("token", 1, "")
NOON = datetime.datetime(2026, 11, 25, 12, tzinfo=datetime.UTC).timestamp()  # a Wednesday


def limiter(spent: int = 0) -> Limiter:
    return Limiter(lambda _token, _since: spent)


def test_nothing_limited_costs_nothing() -> None:
    assert limiter().enter(iter([(KEY, Limit())]), 10, 10, NOON) is None


@given(limit=st.integers(1, 20), steps=st.lists(st.floats(0, 20), max_size=100))
def test_no_minute_has_more_requests_than_allowed_and_none_is_refused_below(limit: int, steps: list[float]) -> None:
    it, now, passed = limiter(), NOON, []
    for step in steps:
        now += step
        recent = [t for t in passed if t > now - 60]
        if len(recent) < limit:
            assert it.enter(iter([(KEY, Limit(requests=limit))]), 0, 0, now) is not None
            passed.append(now)
            continue
        with pytest.raises(CallerError) as caught:
            it.enter(iter([(KEY, Limit(requests=limit))]), 0, 0, now)
        assert caught.value.status == 429
        assert caught.value.retry_after == pytest.approx(max(1.0, recent[-limit] + 60 - now))


def test_so_many_at_once() -> None:
    it, limit = limiter(), Limit(at_once=2)
    first = it.enter(iter([(KEY, limit)]), 0, 0, NOON)
    it.enter(iter([(KEY, limit)]), 0, 0, NOON)
    with pytest.raises(CallerError, match="at once"):
        it.enter(iter([(KEY, limit)]), 0, 0, NOON)
    assert first is not None
    it.leave(first, 0, 0)
    it.leave(first, 0, 0)  # once only
    it.enter(iter([(KEY, limit)]), 0, 0, NOON)
    with pytest.raises(CallerError, match="at once"):
        it.enter(iter([(KEY, limit)]), 0, 0, NOON)


def test_tokens_count_as_what_they_were_in_the_end() -> None:
    it, limit = limiter(), Limit(tokens=100)
    ticket = it.enter(iter([(KEY, limit)]), 90, 0, NOON)
    assert ticket is not None
    with pytest.raises(CallerError, match="tokens a minute"):
        it.enter(iter([(KEY, limit)]), 20, 0, NOON + 1)
    it.leave(ticket, 10, 0)
    assert it.enter(iter([(KEY, limit)]), 20, 0, NOON + 1) is not None
    assert it.enter(iter([(KEY, limit)]), 100, 0, NOON + 120) is not None


def test_one_request_larger_than_the_limit_passes_alone() -> None:
    assert limiter().enter(iter([(KEY, Limit(tokens=100))]), 5000, 0, NOON) is not None


def test_a_budget_is_hard_and_counts_what_is_under_way() -> None:
    it, limit = limiter(spent=30), Limit(budget={"day": 100})
    it.learn(1, limit, NOON)
    ticket = it.enter(iter([(KEY, limit)]), 0, 60, NOON)
    assert ticket is not None
    with pytest.raises(CallerError, match="budget") as caught:
        it.enter(iter([(KEY, limit)]), 0, 20, NOON)
    assert caught.value.status == 429
    assert caught.value.retry_after == 12 * 3600
    it.leave(ticket, 0, 10)
    assert it.enter(iter([(KEY, limit)]), 0, 60, NOON) is not None
    with pytest.raises(CallerError, match="budget"):
        it.enter(iter([(KEY, limit)]), 0, 1, NOON)
    assert it.enter(iter([(KEY, limit)]), 0, 1, NOON + 24 * 3600) is not None  # a new day


def test_a_refusal_by_one_limit_touches_no_other() -> None:
    it = limiter()
    token, group = (KEY, Limit(requests=5)), (("group", 1, "vip"), Limit(requests=1))
    it.enter(iter([group]), 0, 0, NOON)
    for _ in range(10):
        with pytest.raises(CallerError):
            it.enter(iter([token, group]), 0, 0, NOON)
    for _ in range(5):
        it.enter(iter([token]), 0, 0, NOON)


@pytest.mark.parametrize(
    ("period", "start", "end"),
    [
        ("day", (2026, 11, 25), (2026, 11, 26)),
        ("week", (2026, 11, 23), (2026, 11, 30)),
        ("month", (2026, 11, 1), (2026, 12, 1)),
    ],
)
def test_periods_are_of_the_calendar(period: str, start: tuple[int, int, int], end: tuple[int, int, int]) -> None:
    assert beginning(period, NOON) == datetime.datetime(*start, tzinfo=datetime.UTC).timestamp()  # type: ignore[arg-type]
    assert ending(period, NOON) == datetime.datetime(*end, tzinfo=datetime.UTC).timestamp()  # type: ignore[arg-type]
