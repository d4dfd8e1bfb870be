"""What passes is the limit, neither more nor less."""

from __future__ import annotations

import datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from newapi.base.standing import Gauge, Standing
from newapi.relay import limits
from newapi.relay.limits import Limit, Limiter, LimitReached, Ticket, beginning, ending

KEY = ("token", 1, "")
NOON = datetime.datetime(2026, 11, 25, 12, tzinfo=datetime.UTC).timestamp()  # a Wednesday


class Stage:
    """A limiter whose time is the test's."""

    def __init__(self) -> None:
        self.now = NOON
        self.limiter = Limiter(lambda: self.now)

    def enter(self, limit: Limit, tokens: int = 0, quota: int = 0) -> Ticket:
        return self.limiter.admit([(KEY, limit)], tokens, quota)[1]


@given(limit=st.integers(1, 20), steps=st.lists(st.floats(0, 20), max_size=100))
def test_no_minute_has_more_requests_than_allowed_and_none_is_refused_below(limit: int, steps: list[float]) -> None:
    it, passed = Stage(), []
    for step in steps:
        it.now += step
        recent = [t for t in passed if t > it.now - 60]
        if len(recent) < limit:
            it.enter(Limit(requests=limit))
            passed.append(it.now)
            continue
        with pytest.raises(LimitReached) as caught:
            it.enter(Limit(requests=limit))
        assert caught.value.status == 429
        assert caught.value.retry_after == pytest.approx(max(1.0, recent[-limit] + 60 - it.now))


def test_so_many_at_once() -> None:
    it, limit = Stage(), Limit(at_once=2)
    first = it.enter(limit)
    it.enter(limit)
    with pytest.raises(LimitReached, match="at once"):
        it.enter(limit)
    it.limiter.dismiss(first, 0, 0)
    it.enter(limit)
    with pytest.raises(LimitReached, match="at once"):
        it.enter(limit)


async def test_a_request_that_leaves_twice_leaves_once() -> None:
    it, holders = Stage(), [(KEY, Limit(at_once=1))]
    await it.limiter.enter("a", holders, 0, 0)
    it.limiter.leave("a", 0, 0)
    await it.limiter.enter("b", holders, 0, 0)
    it.limiter.leave("a", 0, 0)
    with pytest.raises(LimitReached):
        await it.limiter.enter("c", holders, 0, 0)


def test_tokens_count_as_what_they_were_in_the_end() -> None:
    it, limit = Stage(), Limit(tokens=100)
    ticket = it.enter(limit, 90)
    it.now += 1
    with pytest.raises(LimitReached, match="tokens a minute"):
        it.enter(limit, 20)
    it.limiter.dismiss(ticket, 10, 0)
    it.enter(limit, 20)
    it.now += 120
    it.enter(limit, 100)


def test_tokens_of_a_request_that_ends_after_its_minute_do_not_count() -> None:
    it, limit = Stage(), Limit(tokens=100)
    ticket = it.enter(limit, 10)
    it.now += 61
    it.enter(limit, 50)
    it.limiter.dismiss(ticket, 1000, 0)
    it.enter(limit, 50)


def test_who_waits_as_long_as_told_gets_in() -> None:
    it, limit = Stage(), Limit(tokens=100)
    for tokens in (10, 60, 30):
        it.enter(limit, tokens)
        it.now += 5
    with pytest.raises(LimitReached) as caught:
        it.enter(limit, 50)
    assert caught.value.retry_after == pytest.approx(50.0)  # when the second has left the window, not the first
    it.now += 50
    it.enter(limit, 50)


def test_one_request_larger_than_the_limit_passes_alone() -> None:
    assert Stage().enter(Limit(tokens=100), 5000)


def test_a_budget_is_hard_and_counts_what_is_under_way() -> None:
    it, limit = Stage(), Limit(budget={"day": 100})
    it.limiter.learn(KEY, {"day": (beginning("day", NOON), 30)})
    ticket = it.enter(limit, 0, 60)
    with pytest.raises(LimitReached, match="budget") as caught:
        it.enter(limit, 0, 20)
    assert (caught.value.status, caught.value.code) == (429, "budget_exceeded")
    assert caught.value.retry_after == 12 * 3600
    it.limiter.dismiss(ticket, 0, 10)
    it.enter(limit, 0, 60)
    with pytest.raises(LimitReached, match="budget"):
        it.enter(limit, 0, 1)
    it.now += 24 * 3600  # a new day
    it.enter(limit, 0, 1)


@pytest.mark.parametrize("other_first", [False, True])
def test_a_request_that_ends_in_another_period_is_charged_there(other_first: bool) -> None:
    it, limit = Stage(), Limit(budget={"day": 100})
    ticket = it.enter(limit, 0, 90)
    it.now += 24 * 3600
    if other_first:
        it.enter(limit, 0, 20)
    it.limiter.dismiss(ticket, 0, 70)
    left = 10 if other_first else 30
    with pytest.raises(LimitReached):
        it.enter(limit, 0, left + 1)
    it.enter(limit, 0, left)


def test_what_is_learnt_never_takes_back_what_was_counted() -> None:
    it, limit = Stage(), Limit(budget={"day": 100})
    it.enter(limit, 0, 90)
    it.limiter.learn(KEY, {"day": (beginning("day", NOON), 40)})
    with pytest.raises(LimitReached):
        it.enter(limit, 0, 11)


def test_of_whom_nothing_is_to_be_remembered_is_forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "_HOLDERS", 4)
    it = Stage()
    once, rate, budget = Limit(at_once=1), Limit(requests=1, tokens=5), Limit(budget={"day": 100})

    def enter(id: int, limit: Limit, quota: int = 0) -> Ticket:
        return it.limiter.admit([(("token", id, ""), limit)], 5, quota)[1]

    for id in (1, 2):
        it.limiter.dismiss(enter(id, rate), 5, 0)
    it.now += 50
    it.limiter.dismiss(enter(3, rate), 5, 0)
    enter(4, once)
    it.limiter.dismiss(enter(5, budget, 100), 5, 100)
    it.now += 20
    for id in range(100, 200):
        it.limiter.dismiss(enter(id, once), 5, 0)
        assert len(it.limiter._used) <= 8
    assert {3, 4, 5} < {key[1] for key in it.limiter._used}
    assert not {1, 2} & {key[1] for key in it.limiter._used}
    for id, limit in ((3, rate), (4, once), (5, budget)):
        with pytest.raises(LimitReached):
            enter(id, limit)
    enter(1, rate)


def test_a_refusal_by_one_limit_touches_no_other() -> None:
    it = Stage().limiter
    token, group = (KEY, Limit(requests=5)), (("group", 1, "vip"), Limit(requests=1))
    it.admit([group], 0, 0)
    for _ in range(10):
        with pytest.raises(LimitReached):
            it.admit([token, group], 0, 0)
    for _ in range(5):
        it.admit([token], 0, 0)


def test_where_a_caller_stands_is_where_it_has_least_left() -> None:
    it = Stage()
    token, group = (KEY, Limit(requests=5, tokens=1000)), (("group", 1, "vip"), Limit(requests=3))
    assert it.limiter.admit([token, group], 100, 0)[0] == Standing(Gauge(3, 2, 60.0), Gauge(1000, 900, 60.0))
    it.now += 20
    assert it.limiter.admit([token], 100, 0)[0] == Standing(Gauge(5, 3, 60.0), Gauge(1000, 800, 60.0))
    for _ in range(2):
        it.limiter.admit([group], 0, 0)
    it.now += 10
    with pytest.raises(LimitReached) as caught:
        it.limiter.admit([group], 0, 0)
    assert caught.value.standing == Standing(Gauge(3, 0, 50.0), None)


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
