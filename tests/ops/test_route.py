from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
from msgspec.structs import replace

from newapi.base.errors import NotFound
from newapi.config.schema import ChannelSpec, Config, GroupSpec, ModelSpec, TokenSpec
from newapi.ops import apply, channels
from newapi.ops.legacy import Told
from newapi.ops.local import Local
from newapi.ops.route import route


@pytest.fixture
def local(local: Local, secrets: dict[str, str]) -> Local:
    secrets["env:A"] = "sk-a"

    def channel(**values: Any) -> ChannelSpec:
        return ChannelSpec(
            **{"type": "openai", "key": "env:A", "models": ("m",), "groups": ("default", "vip"), **values}
        )

    config = Config(
        groups={"vip": GroupSpec(ratio=Decimal("0.8"))},
        models={"m": ModelSpec(ratio=Decimal(1))},
        channels={
            "last": channel(priority=-1, models=("m*",)),
            "heavy": channel(weight=300, model_mapping={"m": "n", "n": "o"}),
            "light": channel(weight=100, keys=("env:A", "env:A"), key=""),
            "others": channel(models=("x",)),
            "default": channel(groups=("default",), priority=9),
            "off": channel(),
            "declared-off": channel(enabled=False),
            "keyless": channel(key="env:MISSING"),
            "resting": channel(keys=("env:A", "env:A"), key=""),
        },
        tokens={
            "vip": TokenSpec(group="vip", unlimited=True),
            "narrow": TokenSpec(group="vip", unlimited=True, models=("x*",)),
            "spent": TokenSpec(group="vip"),
        },
    )
    apply.apply(local, config, who="ann")
    channels.switch(local.db, [channels.get(local.db, "off").id], "tripped", who="ann", reason="401 again and again")
    channels.switch_keys(local.db, channels.get(local.db, "resting").id, None, enabled=False, who="ann")
    return local


def test_the_order_and_why_each_other_one_not(local: Local) -> None:
    found = route(local, "m", group="vip")
    assert found.problems == ()
    used = [(s.turn, s.channel, s.share, s.upstream_model, s.keys) for s in found.steps if s.turn]
    assert used == [(1, "heavy", 0.75, "o", 1), (1, "light", 0.25, "m", 2), (2, "last", 1, "m", 1)]
    assert {s.channel: s.reason for s in found.steps if not s.turn} == {
        "others": "does not serve the model",
        "default": "serves the groups default",
        "off": "tripped: 401 again and again",
        "declared-off": "disabled: by hand",
        "keyless": "env:MISSING is not set",
        "resting": "all its keys are disabled",
    }


@pytest.mark.parametrize(
    ("asked", "problems"),
    [
        ({"token": "vip"}, ()),
        ({"token": "narrow"}, ("token 'narrow' may not call it",)),
        ({"token": "spent"}, ("token 'spent' is exhausted",)),
        ({"group": "reds"}, ("there is no group 'reds'", "no channel of group 'reds' serves it; it is served to")),
    ],
)
def test_what_refuses_it_before_any_channel(local: Local, asked: dict[str, str], problems: tuple[str, ...]) -> None:
    found = route(local, "m", **asked).problems
    assert len(found) == len(problems)
    assert all(f.startswith(p) for f, p in zip(found, problems, strict=True))


def test_a_model_that_nobody_knows(local: Local) -> None:
    found = route(local, "zzz")
    assert found.group == "default"
    assert found.problems == ("it has no price", "no channel of group 'default' serves it")


def test_there_is_no_such_token(local: Local) -> None:
    with pytest.raises(NotFound):
        route(local, "m", token="nobody")


def test_weights_of_nothing_share_alike(local: Local) -> None:
    for name in ("heavy", "light"):
        view = channels.get(local.db, name)
        channels.edit(local, view.id, lambda v: Told(replace(v.spec, weight=0)), who="ann")
    assert [s.share for s in route(local, "m", group="vip").steps if s.turn == 1] == [0.5, 0.5]
