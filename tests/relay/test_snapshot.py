"""What a snapshot knows of channels, models and groups."""

from __future__ import annotations

from decimal import Decimal

import pytest

from newapi import formats
from newapi.relay.snapshot import Models, speaks
from tests.relay.world import channel, snapshot


@pytest.mark.parametrize(
    ("patterns", "model", "found"),
    [
        (["gpt-4o"], "gpt-4o", True),
        (["gpt-4o"], "gpt-4o-mini", False),
        (["gpt-*"], "gpt-4o", True),
        (["gpt-*"], "xgpt-4o", False),
        (["*mini"], "gpt-4o-mini", True),
        (["*mini"], "gpt-4o-mini-x", False),
        (["gpt-?"], "gpt-4", True),
        (["gpt-?"], "gpt-4o", False),
        (["gpt-[45]"], "gpt-5", True),
        (["gpt-[45]"], "gpt-6", False),
        (["a*", "b*"], "bc", True),
        (["a*", "b*"], "cb", False),
        (["*"], "any/thing:at.all", True),
        (["gpt.4*"], "gpt-4o", False),
        ([], "gpt-4o", False),
    ],
)
def test_models_are_names_and_globs(patterns: list[str], model: str, found: bool) -> None:
    assert (model in Models(patterns)) is found


def test_what_is_no_text_is_no_model() -> None:
    assert None not in Models(["*"])


def test_routes_are_tiers_of_priority_within_group_and_model() -> None:
    picture = snapshot(
        [
            channel(1, priority=1),
            channel(2, priority=7, models=["gpt-*"]),
            channel(3, priority=1, models=["gpt-4o", "x"]),
            channel(4, priority=9, models=["x"]),
            channel(5, priority=9, groups=["vip"]),
            channel(6, priority=-3, groups=["vip", "default"]),
        ]
    )
    tiers = picture.route("default", "gpt-4o")
    assert [[c.id for c in tier] for tier in tiers] == [[2], [1, 3], [6]]
    assert [[c.id for c in tier] for tier in picture.route("vip", "gpt-4o")] == [[5], [6]]
    assert picture.route("default", "gpt-4o") is tiers
    assert picture.route("default", "nothing") == ()
    assert picture.route("nobody", "gpt-4o") == ()


def test_made_up_names_do_not_fill_the_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("newapi.relay.snapshot._CACHE_MODELS", 10)
    picture = snapshot([channel(1)])
    for n in range(100):
        assert picture.route("default", f"made-up-{n}") == ()
        assert len(picture._routes) <= 10
    assert picture.route("default", "gpt-4o")


@pytest.mark.parametrize(
    ("mine", "asked", "ratio"),
    [
        ("default", "default", (Decimal(2), None)),
        ("default", "vip", (Decimal("0.7"), Decimal("0.7"))),
        ("vip", "default", (Decimal(2), None)),
        ("vip", "free", (Decimal(0), Decimal(0))),
        ("gone", "gone", (Decimal(1), None)),
    ],
)
def test_group_ratios(mine: str, asked: str, ratio: tuple[Decimal, Decimal | None]) -> None:
    groups = {
        "default": {"ratio": "2", "ratio_for": {"vip": "0.7"}},
        "vip": {"ratio": "1.5", "ratio_for": {"free": "0"}},
        "free": {},
    }
    assert snapshot(groups=groups).group_ratio(mine, asked) == ratio


def test_the_models_of_a_group_are_names_and_what_globs_find_among_the_priced() -> None:
    picture = snapshot(
        [channel(1, models=["b", "mine-*"]), channel(2, models=["a"]), channel(3, groups=["vip"], models=["c"])],
        models={"mine-1": {"input": 1}, "mine-2": {"input": 1}, "other": {"input": 1}},
    )
    assert picture.models_of("default") == ["a", "b", "mine-1", "mine-2"]
    assert picture.models_of("vip") == ["c"]
    assert picture.models_of("nobody") == []


@pytest.mark.parametrize(
    ("mapping", "model", "sent"),
    [
        ({}, "a", "a"),
        ({"a": "b"}, "a", "b"),
        ({"a": "b", "b": "c"}, "a", "c"),
        ({"a": "b", "b": "a"}, "a", "b"),
        ({"a": "a"}, "a", "a"),
        ({"x": "y"}, "a", "a"),
    ],
)
def test_model_mapping_is_followed_to_its_end(mapping: dict[str, str], model: str, sent: str) -> None:
    assert channel(model_mapping=mapping).map_model(model) == sent


def path_of(name: str) -> str:
    return formats.get(name).upstream_path


def test_the_first_of_a_channel_s_formats_is_preferred_and_has_a_path() -> None:
    own = speaks(channel(type="openai"), "chat", path_of, "gpt-4o")
    assert next(iter(own)) == "openai_chat"
    chosen = speaks(channel(type="openai", formats=["anthropic_messages", "openai_chat"]), "chat", path_of, "gpt-4o")
    assert list(chosen) == ["anthropic_messages", "openai_chat"]
    assert chosen["anthropic_messages"] == "/v1/messages"
    assert chosen["openai_chat"] == own["openai_chat"]


def test_a_channel_s_formats_are_those_of_chats_alone() -> None:
    limited = channel(type="openai", formats=["anthropic_messages"])
    assert speaks(limited, "embeddings", path_of, "m") == speaks(channel(type="openai"), "embeddings", path_of, "m")


def test_addresses_of_a_channel_have_no_slash_at_their_end() -> None:
    assert channel(base_url="http://up.test/v/").base_url == "http://up.test/v"
    assert channel(type="openai").base_url == "https://api.openai.com"
