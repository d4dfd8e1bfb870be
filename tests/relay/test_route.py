"""Which channel and which key next: order, shares, turns. The bounds of the chi-square tests hold at 1 in 10,000."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from itertools import islice
from random import Random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from newapi.relay.admit import admit
from newapi.relay.figures import Figures
from newapi.relay.route import Router
from newapi.relay.snapshot import Channel, Snapshot
from newapi.relay.values import Caller
from tests.relay.world import KEY, NOW, channel, snapshot, user

CRITICAL = {1: 15.14, 2: 18.42, 3: 21.11}
"""Chi-square's critical values at p = 0.0001 by degrees of freedom."""


def caller(picture: Snapshot, key: str = KEY) -> Caller:
    return admit(picture, {"x-api-key": key}, "", "", NOW)


def chi_square(seen: Mapping[Any, int], shares: Mapping[Any, float]) -> float:
    total, whole = sum(seen.values()), sum(shares.values())
    return sum((seen.get(k, 0) - total * s / whole) ** 2 / (total * s / whole) for k, s in shares.items())


def first(router: Router, picture: Snapshot) -> tuple[int, int]:
    """Return (channel, key) of the first candidate; the others are never asked for, as when it answers."""
    found, key = next(router.candidates(picture, caller(picture), "gpt-4o"))
    return found.id, key


STRATEGIES = ["weighted", "least-busy", "lowest-latency", "lowest-cost"]


@pytest.mark.parametrize("strategy", STRATEGIES)
@pytest.mark.parametrize("weights", [(100, 100), (100, 200, 700), (1, 2, 3, 4), (0, 5, 1)])
def test_shares_are_in_proportion_to_weight(weights: tuple[int, ...], strategy: str) -> None:
    """Under every strategy, where nothing but the weights differs."""
    figures = Figures()
    for n in range(len(weights)):
        figures.took(n, "gpt-4o", False, 1.0, 0.0)
    picture = snapshot([channel(i, weight=w) for i, w in enumerate(weights)], routing={"strategy": strategy})
    router = Router(Random(4), None, figures)
    seen = Counter(first(router, picture)[0] for _ in range(4000))
    shares = {n: w for n, w in enumerate(weights) if w}
    assert seen.keys() == shares.keys()
    assert chi_square(seen, shares) < CRITICAL[len(shares) - 1]


@given(st.lists(st.integers(0, 20), min_size=1, max_size=5).filter(any), st.integers(0, 99))
def test_turns_are_never_bunched(weights: list[int], seed: int) -> None:
    """At any moment, each channel has had its share of the turns so far, give or take one of its own and the others'."""
    picture = snapshot([channel(i, weight=w) for i, w in enumerate(weights)])
    router, seen, total = Router(Random(seed)), Counter[int](), sum(weights)
    for turn in range(1, 2 * total + 1):
        seen[first(router, picture)[0]] += 1
        for n, weight in enumerate(weights):
            assert abs(seen[n] - turn * weight / total) <= 1 + len(weights) * weight / total


def test_equal_weights_alternate_from_a_beginning_by_chance() -> None:
    picture = snapshot([channel(1), channel(2)])
    begun: set[int] = set()
    for seed in range(20):
        router = Router(Random(seed))
        order = [first(router, picture)[0] for _ in range(6)]
        assert order[0] != order[1]
        assert order == order[:2] * 3
        begun.add(order[0])
    assert begun == {1, 2}


def test_a_first_turn_by_chance_is_in_proportion_to_weight() -> None:
    """Many processes that serve a request or two each share as one does that serves many."""
    picture = snapshot([channel(1, weight=1), channel(2, weight=3)])
    rng = Random(3)
    routers = [Router(rng) for _ in range(4000)]
    for _ in range(3):
        assert chi_square(Counter(first(router, picture)[0] for router in routers), {1: 1, 2: 3}) < CRITICAL[1]


def test_each_model_and_group_has_turns_of_its_own() -> None:
    picture = snapshot([channel(1, models=["*"]), channel(2, models=["*"])])
    router = Router(Random(2))
    asked: dict[str, list[int]] = {"a": [], "b": []}
    for model in "aabbabab":
        asked[model].append(next(router.candidates(picture, caller(picture), model))[0].id)
    for order in asked.values():
        assert order[:2] == order[2:]
        assert set(order) == {1, 2}


def test_the_least_busy_has_the_fewest_under_way_for_its_weight() -> None:
    figures = Figures()
    picture = snapshot([channel(1, weight=1), channel(2, weight=3)], routing={"strategy": "least-busy"})
    router = Router(Random(2), None, figures)
    for _ in range(40):
        figures.began(first(router, picture)[0])
    assert (figures.under_way(1), figures.under_way(2)) == (10, 30)
    for _ in range(20):
        figures.ended(2)
    assert first(router, picture)[0] == 2


def test_the_order_after_the_first_goes_by_the_strategy_too() -> None:
    figures = Figures()
    picture = snapshot([channel(i) for i in range(4)], routing={"strategy": "least-busy"})
    for id in range(4):
        for _ in range(3 - id):
            figures.began(id)
    router = Router(Random(1), None, figures)
    assert [c.id for c, _ in router.candidates(picture, caller(picture), "gpt-4o")] == [3, 2, 1, 0]


def test_the_lowest_latency_is_asked_and_those_near_it_share() -> None:
    figures = Figures()
    picture = snapshot([channel(i) for i in range(4)], routing={"strategy": "lowest-latency"})
    for id, seconds in enumerate([2.0, 0.5, 0.51, 9.0]):
        figures.took(id, "gpt-4o", False, seconds, 0.0)
    router = Router(Random(1), None, figures)
    seen = Counter(first(router, picture)[0] for _ in range(100))
    assert seen == {1: 50, 2: 50}
    for _ in range(9):
        figures.took(1, "gpt-4o", False, 5.0, 0.0)
    assert {first(router, picture)[0] for _ in range(9)} == {2}


def test_a_channel_without_figures_is_tried_by_one_request_at_a_time() -> None:
    figures, now = Figures(), [0.0]
    picture = snapshot([channel(1), channel(2)], routing={"strategy": "lowest-latency"})
    router = Router(Random(1), None, figures, lambda: now[0])
    figures.took(1, "gpt-4o", False, 0.2, 0.0)
    assert first(router, picture)[0] == 2
    figures.began(2)
    assert [first(router, picture)[0] for _ in range(3)] == [1, 1, 1]
    figures.ended(2)
    figures.took(2, "gpt-4o", False, 3.0, 0.0)
    assert first(router, picture)[0] == 1
    now[0] = 70.0  # what was known of both is old: both are tried anew
    assert {first(router, picture)[0] for _ in range(2)} == {1, 2}
    figures.took(1, "gpt-4o", False, 0.2, 70.0)
    assert first(router, picture)[0] == 2


def test_streams_and_whole_answers_are_not_compared() -> None:
    figures = Figures()
    picture = snapshot([channel(1), channel(2)], routing={"strategy": "lowest-latency"})
    for id, stream, seconds in ((1, False, 9.0), (2, False, 20.0), (1, True, 0.9), (2, True, 0.3)):
        figures.took(id, "gpt-4o", stream, seconds, 0.0)
    router = Router(Random(1), None, figures)
    assert first(router, picture)[0] == 1
    assert next(router.candidates(picture, caller(picture), "gpt-4o", stream=True))[0].id == 2


def test_the_lowest_cost_is_asked_first_and_the_dearest_last() -> None:
    channels = [channel(1, cost="1.5"), channel(2, cost="0.5"), channel(3, cost="0.5"), channel(4)]
    picture = snapshot(channels, routing={"strategy": "lowest-cost"})
    router = Router(Random(1))
    orders = [[c.id for c, _ in router.candidates(picture, caller(picture), "gpt-4o")] for _ in range(10)]
    assert {tuple(sorted(o[:2])) for o in orders} == {(2, 3)}
    assert {tuple(o[2:]) for o in orders} == {(4, 1)}
    assert {o[0] for o in orders} == {2, 3}


def test_the_second_is_chosen_by_weight_too() -> None:
    picture = snapshot([channel(1, weight=10**9), channel(2, weight=1), channel(3, weight=3)])
    router = Router(Random(5))
    second = Counter(
        next(islice(router.candidates(picture, caller(picture), "gpt-4o"), 1, None))[0].id for _ in range(4000)
    )
    assert chi_square(second, {2: 1, 3: 3}) < CRITICAL[1]


def test_channels_of_weight_0_come_last_in_equal_shares() -> None:
    picture = snapshot([channel(1, weight=0), channel(2, weight=0), channel(3)])
    router = Router(Random(6))
    orders = [[c.id for c, _ in router.candidates(picture, caller(picture), "gpt-4o")] for _ in range(2000)]
    assert {o[0] for o in orders} == {3}
    assert chi_square(Counter(o[1] for o in orders), {1: 1, 2: 1}) < CRITICAL[1]


def test_keys_at_random_have_equal_shares() -> None:
    picture = snapshot([channel(keys=("a", "b", "c"), key_choice="random")])
    router = Router(Random(7))
    seen = Counter(first(router, picture)[1] for _ in range(3000))
    assert chi_square(seen, {0: 1, 1: 1, 2: 1}) < CRITICAL[2]


def test_keys_take_turns() -> None:
    picture = snapshot([channel(keys=("a", "b", "c"))])
    router = Router(Random(8))
    assert [first(router, picture)[1] for _ in range(7)] == [0, 1, 2, 0, 1, 2, 0]


def test_a_channel_that_is_not_asked_keeps_its_turn() -> None:
    picture = snapshot([channel(1, keys=("a", "b")), channel(2, keys=("a", "b"))])
    router = Router(Random(9))
    turns: dict[int, list[int]] = {1: [], 2: []}
    for _ in range(50):
        id, key = first(router, picture)
        turns[id].append(key)
    for keys in turns.values():
        assert keys == [n % 2 for n in range(len(keys))]


def test_higher_priorities_come_first_and_other_keys_after_other_channels() -> None:
    picture = snapshot(
        [
            channel(1, priority=0),
            channel(2, priority=5, keys=("a", "b")),
            channel(3, priority=5),
            channel(4, priority=9),
        ]
    )
    found = [(c.id, k) for c, k in Router(Random(1)).candidates(picture, caller(picture), "gpt-4o")]
    assert found[0] == (4, 0)
    assert sorted(found[1:3]) == [(2, 0), (3, 0)]
    assert found[3:] == [(2, 1), (1, 0)]


def a_channel(id: int, priority: int, weight: int, keys: int, choice: str) -> Channel:
    named = tuple(f"k{n}" for n in range(keys))
    return channel(id, priority=priority, weight=weight, keys=named, key_choice=choice)


@given(
    st.lists(
        st.tuples(st.integers(-2, 2), st.integers(0, 3), st.integers(1, 3), st.sampled_from(["round-robin", "random"])),
        max_size=6,
    ),
    st.integers(0, 99),
)
def test_every_channel_and_key_once_the_priorities_falling(about: list[tuple[int, int, int, str]], seed: int) -> None:
    channels = [a_channel(i, *a) for i, a in enumerate(about)]
    picture = snapshot(channels)
    found = list(Router(Random(seed)).candidates(picture, caller(picture), "gpt-4o"))
    assert sorted((c.id, k) for c, k in found) == [(c.id, k) for c in channels for k in range(len(c.keys))]
    assert [c.priority for c, _ in found] == sorted((c.priority for c, _ in found), reverse=True)


def test_a_pinned_channel_is_the_only_one_whatever_its_group() -> None:
    picture = snapshot([channel(1), channel(2, groups=["other"], models=["x"])], users=[user(role="root")])
    router = Router(Random(1))
    assert [c.id for c, _ in router.candidates(picture, caller(picture, f"{KEY}-2"), "gpt-4o")] == [2]
    assert list(router.candidates(picture, caller(picture, f"{KEY}-3"), "gpt-4o")) == []


class Resting(dict[int, float]):
    """Channels that rest, by id: until when their upstream asked to be left alone, 0 where it did not."""

    def rests(self, channel: Channel, key: int, model: str, now: float) -> bool:
        return channel.id in self

    def admits(self, channel: Channel, key: int, model: str, now: float) -> bool:
        return channel.id not in self

    def waits(self, channel: Channel, key: int, model: str, now: float) -> float:
        return self[channel.id]


def test_those_that_rest_come_last_and_those_that_asked_to_be_left_alone_after_them() -> None:
    picture = snapshot([channel(0, priority=9), channel(1, priority=8), channel(2), channel(3, priority=-1)])
    router = Router(Random(1), Resting({0: NOW + 9, 1: NOW + 5, 2: 0.0}))
    assert [c.id for c, _ in router.candidates(picture, caller(picture), "gpt-4o")] == [3, 2, 1, 0]
