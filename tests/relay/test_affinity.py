from __future__ import annotations

from collections import Counter
from random import Random
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from newapi.relay import affinity
from newapi.relay.admit import admit
from newapi.relay.affinity import Affinity, conversation_of
from newapi.relay.health import Health
from newapi.relay.route import Preferred, Router
from tests.relay.test_health import SPEC, error
from tests.relay.world import KEY, NOW, channel, snapshot

PLACE = (1, "gpt-4o", "talk")


@pytest.mark.parametrize(
    ("headers", "body", "name"),
    [
        ({}, {"model": "m"}, ""),
        ({}, {"prompt_cache_key": "k1"}, "k1"),
        ({}, {"metadata": {"user_id": "user_1_session_2"}}, "user_1_session_2"),
        ({}, {"prompt_cache_key": "k1", "metadata": {"user_id": "u"}}, "k1"),
        ({"x-claude-code-session-id": "s"}, {"metadata": {"user_id": "u"}}, "s"),
        ({"session-id": "s"}, {"prompt_cache_key": "k1"}, "s"),
        ({"session_id": "s"}, {}, "s"),
        ({}, {"prompt_cache_key": 7}, ""),
        ({}, {"metadata": "user_id"}, ""),
        ({}, {"metadata": {"user_id": ["u"]}}, ""),
        ({}, {"messages": [{"content": '{"prompt_cache_key": "no"}'}]}, ""),
        ({"session-id": "s" * 999}, {}, "s" * 256),
    ],
    ids=str,
)
def test_what_a_client_calls_its_conversation(headers: dict[str, str], body: Any, name: str) -> None:
    assert conversation_of(headers, msgspec.json.encode(body)) == name


@given(st.binary())
def test_a_body_of_any_kind_is_no_trouble(body: bytes) -> None:
    conversation_of({}, b'"prompt_cache_key"' + body)
    conversation_of({}, b'{"prompt_cache_key":"' + body)


def test_it_is_remembered_until_it_has_been_silent_too_long() -> None:
    it = Affinity()
    it.served(PLACE, 3, "aa", NOW + 60)
    assert it.find(PLACE, NOW + 59) == Preferred(3, "aa")
    assert it.find((2, *PLACE[1:]), NOW) is None
    assert it.count(NOW) == {3: 1}
    assert it.find(PLACE, NOW + 60) is None
    assert it.count(NOW) == {}


def test_those_silent_the_longest_are_forgotten_first(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(affinity, "CONVERSATIONS", 3)
    it = Affinity()
    for name in "abcad":
        it.served((1, "m", name), 1, "", NOW)
    assert {name for name in "abcd" if (1, "m", name) in it._held} == {"c", "a", "d"}


def test_others_are_told_of_what_is_new_alone() -> None:
    other = Affinity()
    told: list[bytes] = []
    it = Affinity(told.append)
    for channel_id in (1, 1, 1, 2):
        it.served(PLACE, channel_id, "aa", NOW + 60)
    assert len(told) == 2
    for word in told:
        other.hear(word)
        it.hear(word)
    assert other.find(PLACE, NOW) == it.find(PLACE, NOW) == Preferred(2, "aa")


# -- where it leads ------------------------------------------------------------------------------


def order(picture: Any, preferred: Preferred, health: Health | None = None) -> list[tuple[int, int]]:
    router = Router(Random(1), health, clock=lambda: NOW)
    caller = admit(picture, {"x-api-key": KEY}, "", "", NOW)
    found = router.candidates(picture, caller, "gpt-4o", prefers=lambda _caller, _model: preferred)
    return [(c.id, k) for c, k in found]


def test_the_channel_and_the_key_come_first() -> None:
    channels = [channel(n, keys=("a", "b", "c")) for n in range(4)]
    found = {order(snapshot(channels), Preferred(2, channels[2].prints[1]))[0] for _ in range(20)}
    assert found == {(2, 1)}


@pytest.mark.parametrize("strategy", ["weighted", "least-busy", "lowest-latency", "lowest-cost"])
def test_under_every_strategy(strategy: str) -> None:
    picture = snapshot([channel(n, weight=n) for n in range(1, 5)], routing={"strategy": strategy})
    assert {order(picture, Preferred(1, ""))[0][0] for _ in range(20)} == {1}


def test_a_higher_priority_comes_first_all_the_same() -> None:
    picture = snapshot([channel(1), channel(2, priority=5), channel(3, priority=5)])
    assert order(picture, Preferred(1, ""))[-1][0] == 1


def test_one_that_rests_does_not_keep_a_request_from_the_others() -> None:
    picture, health = snapshot([channel(n) for n in range(3)]), Health()
    for _ in range(3):
        health.failed(picture.channels[1], 0, "gpt-4o", error(500), SPEC, NOW)
    found = order(picture, Preferred(1, ""), health)
    assert found[-1] == (1, 0)
    assert len(found) == 3


def test_a_channel_that_is_gone_is_nobody_s_preference() -> None:
    picture = snapshot([channel(1), channel(2)])
    seen = Counter(order(picture, Preferred(99, "zz"))[0][0] for _ in range(4))
    assert seen == {1: 4} or seen == {2: 4}


def test_where_there_is_no_choice_nobody_asks() -> None:
    picture = snapshot([channel(1), channel(2, priority=5)])
    caller = admit(picture, {"x-api-key": KEY}, "", "", NOW)

    def asked(*_: Any) -> None:
        raise AssertionError

    assert len(list(Router(Random(1)).candidates(picture, caller, "gpt-4o", prefers=asked))) == 2
