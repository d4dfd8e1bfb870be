from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from newapi.base.errors import ConfigError
from newapi.config.schema import (
    ChannelSpec,
    Config,
    GroupSpec,
    HealthSpec,
    ModelSpec,
    Moved,
    RoutingSpec,
    TokenSpec,
)
from newapi.ops.apply import apply, plan
from newapi.ops.local import Local
from newapi.ops.plan import MASKED, Change, Field, compare, differences
from newapi.store import declared

A = ChannelSpec(type="openai", key="env:A", models=("gpt-4o",))


def config(**sections: Any) -> Config:
    return Config(**sections)


def said(changes: tuple[Change, ...]) -> list[str]:
    """Return changes as short texts: `+ channels.a`, `~ routing retries 3>5`."""
    signs = {"create": "+", "update": "~", "delete": "-"}
    found = []
    for c in changes:
        text = f"{signs[c.action]} {c.label}"
        if c.moved_from:
            text += f" (was {c.moved_from})"
        if c.action == "update":
            text += "".join(f" {f.key} {f.before}>{f.after}" for f in c.fields)
        found.append(text)
    return found


CASES: list[tuple[str, Config, Config, list[str]]] = [
    ("nothing", config(), config(), []),
    ("a new channel", config(), config(channels={"a": A}), ["+ channels.a"]),
    ("the same channel", config(channels={"a": A}), config(channels={"a": A}), []),
    (
        "one field",
        config(channels={"a": A}),
        config(channels={"a": ChannelSpec(type="openai", key="env:A", models=("gpt-4o",), weight=5)}),
        ["~ channels.a weight 100>5"],
    ),
    (
        "one key of a table",
        config(channels={"a": ChannelSpec(type="x", headers={"A": "1", "B": "2"})}),
        config(channels={"a": ChannelSpec(type="x", headers={"A": "1", "B": "3", "C": "4"})}),
        ["~ channels.a headers.B 2>3 headers.C None>4"],
    ),
    (
        "a reference is not shown",
        config(channels={"a": A}),
        config(channels={"a": ChannelSpec(type="openai", key="env:B", models=("gpt-4o",))}),
        [f"~ channels.a key {MASKED}>(another reference)"],
    ),
    ("gone", config(channels={"a": A}, groups={"g": GroupSpec()}), config(), ["- groups.g", "- channels.a"]),
    ("a section", config(), config(routing=RoutingSpec(retries=5)), ["~ routing retries 3>5"]),
    ("a section back", config(health=HealthSpec(failures=9)), config(), ["~ health failures 9>3"]),
    (
        "the same number, written otherwise",
        config(groups={"g": GroupSpec(ratio=Decimal("0.80"))}),
        config(groups={"g": GroupSpec(ratio=Decimal("0.8"))}),
        [],
    ),
    (
        "a number",
        config(groups={"g": GroupSpec(ratio=Decimal("1.0"), ratio_for={"x": Decimal("1.0")})}),
        config(groups={"g": GroupSpec(ratio=Decimal("0.50"), ratio_for={"x": Decimal(1), "y": Decimal(2)})}),
        ["~ groups.g ratio 1>0.5 ratio_for.y None>2"],
    ),
    (
        "a price taken back",
        config(models={"m": ModelSpec(ratio=Decimal(2), completion_ratio=Decimal(4))}),
        config(models={"m": ModelSpec(ratio=Decimal(2))}),
        ["~ models.m completion_ratio 4>None"],
    ),
    (
        "renamed",
        config(channels={"a": A}),
        config(channels={"b": A}, moved=(Moved(source="channels.a", target="channels.b"),)),
        ["~ channels.b (was a)"],
    ),
    (
        "renamed and changed",
        config(channels={"a": A}),
        config(
            channels={"b": ChannelSpec(type="openai", key="env:A", models=("o3",))},
            moved=(Moved(source="channels.a", target="channels.b"),),
        ),
        ["~ channels.b (was a) models ['gpt-4o']>['o3']"],
    ),
    (
        "renamed long ago",
        config(channels={"b": A}),
        config(channels={"b": A}, moved=(Moved(source="channels.a", target="channels.b"),)),
        [],
    ),
    (
        "a name that is used again",
        config(channels={"a": A}),
        config(
            channels={"a": ChannelSpec(type="gemini"), "b": A},
            moved=(Moved(source="channels.a", target="channels.b"),),
        ),
        ["+ channels.a", "~ channels.b (was a)"],
    ),
    (
        "a model with a dot is renamed",
        config(models={"gpt-4.1": ModelSpec(ratio=Decimal(1))}),
        config(
            models={"gpt-4.2": ModelSpec(ratio=Decimal(1))},
            moved=(Moved(source='models."gpt-4.1"', target='models."gpt-4.2"'),),
        ),
        ["~ models.gpt-4.2 (was gpt-4.1)"],
    ),
    (
        "a token's quota",
        config(tokens={"t": TokenSpec(quota=Decimal(1))}),
        config(tokens={"t": TokenSpec(quota=Decimal(3))}),
        ["~ tokens.t quota 1>3"],
    ),
]


@pytest.mark.parametrize(("before", "after", "expected"), [c[1:] for c in CASES], ids=[c[0] for c in CASES])
def test_the_plan_says_what_differs(local: Local, before: Config, after: Config, expected: list[str]) -> None:
    apply(local, before, who="test")
    assert said(plan(local, after).changes) == expected
    apply(local, after, who="test")
    assert plan(local, after).changes == ()


@pytest.mark.parametrize(
    ("only", "expected"),
    [
        ((), ["~ routing retries 3>5", "+ groups.g", "+ channels.a", "+ channels.b", "- channels.old"]),
        (("channels",), ["+ channels.a", "+ channels.b", "- channels.old"]),
        (("channel",), ["+ channels.a", "+ channels.b", "- channels.old"]),
        (("channels/a",), ["+ channels.a"]),
        (("channel/[ab]",), ["+ channels.a", "+ channels.b"]),
        (("channels/old",), ["- channels.old"]),
        (("routing", "groups"), ["~ routing retries 3>5", "+ groups.g"]),
    ],
)
def test_only_what_is_chosen(local: Local, only: tuple[str, ...], expected: list[str]) -> None:
    apply(local, Config(channels={"old": A}), who="test")
    wanted = Config(routing=RoutingSpec(retries=5), groups={"g": GroupSpec()}, channels={"a": A, "b": A})
    assert said(plan(local, wanted, only=only).changes) == expected


def test_a_kind_that_does_not_exist(local: Local) -> None:
    with pytest.raises(ConfigError, match="no kind is called 'chanels'"):
        plan(local, Config(), only=("chanels/a",))


def test_without_pruning_nothing_is_deleted(local: Local) -> None:
    apply(local, Config(channels={"a": A}), who="test")
    assert plan(local, Config(), prune=False).changes == ()


def test_a_token_of_a_user_who_does_not_exist(local: Local) -> None:
    with pytest.raises(ConfigError) as caught:
        plan(local, Config(tokens={"a": TokenSpec(user="nobody"), "b": TokenSpec(user="no one"), "c": TokenSpec()}))
    assert [p.key for p in caught.value.problems] == ["tokens.a.user", "tokens.b.user"]


def test_what_a_new_object_says_is_in_the_plan(local: Local) -> None:
    (change,) = plan(local, Config(channels={"a": A})).changes
    assert change.fields == (
        Field("type", None, "openai"),
        Field("key", None, MASKED),
        Field("models", None, ["gpt-4o"]),
    )


def test_references_in_lists_and_tables_are_not_shown() -> None:
    spec = ChannelSpec(type="x", keys=("env:A", "file:/b"), headers={"X": "secret:c"}, params={"a": {"b": ["cmd:x"]}})
    shown = {f.key: f.after for f in differences(None, spec)}
    assert shown == {"type": "x", "keys": [MASKED, MASKED], "headers.X": MASKED, "params.a.b": [MASKED]}


def test_what_an_older_version_stored_is_compared_all_the_same(local: Local) -> None:
    apply(local, Config(channels={"a": A}), who="test")
    with local.db.writing() as c:
        declared.update(c, "channels", 1, {"spec": '{"type":"openai","key":"env:A","models":["gpt-4o"],"old_word":1}'})
    (change,) = plan(local, Config(channels={"a": A})).changes
    assert Field("old_word", 1, None) in change.fields
    apply(local, Config(channels={"a": A}), who="test")
    assert plan(local, Config(channels={"a": A})).changes == ()


def test_a_key_behind_a_reference_that_changed(local: Local, secrets: dict[str, str]) -> None:
    wanted = Config(tokens={"ci": TokenSpec(key="env:CI")})
    apply(local, wanted, who="test")
    secrets["env:CI"] = "sk-" + "n" * 48
    (change,) = plan(local, wanted).changes
    assert change.fields == (Field("key", MASKED, "(another key behind it)"),)
    del secrets["env:CI"]
    assert plan(local, wanted).changes == ()


def test_comparing_writes_nothing(local: Local) -> None:
    with local.db.reading() as c:
        before = declared.read(c)
        compare(Config(channels={"a": A}), before)
        assert declared.read(c) == before
