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


@pytest.mark.parametrize("weights", [(100, 100), (100, 200, 700), (1, 2, 3, 4)])
def test_shares_are_in_proportion_to_weight(weights: tuple[int, ...]) -> None:
    picture = snapshot([channel(i, weight=w) for i, w in enumerate(weights)])
    router = Router(Random(4))
    seen = Counter(first(router, picture)[0] for _ in range(4000))
    assert chi_square(seen, dict(enumerate(weights))) < CRITICAL[len(weights) - 1]


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
