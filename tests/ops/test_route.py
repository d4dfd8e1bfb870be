from __future__ import annotations

import time
from decimal import Decimal
from random import Random
from typing import Any

import pytest
from msgspec.structs import replace

from newapi.base.errors import NotFound, UpstreamError
from newapi.config.schema import ChannelSpec, Config, GroupSpec, HealthSpec, ModelSpec, TokenSpec
from newapi.ops import apply, channels
from newapi.ops.legacy import Told
from newapi.ops.local import Local
from newapi.ops.route import Routed, route
from newapi.relay.affinity import Affinity
from newapi.relay.build import build
from newapi.relay.figures import Figures
from newapi.relay.health import Health
from newapi.relay.route import Router
from newapi.relay.snapshot import Channel
from newapi.store import rests
from newapi.store import snapshot as stored
from newapi.store.models import Setting
from newapi.store.rests import RestRow
from tests.relay.test_health import error

NOW = 1_700_000_000.0


@pytest.fixture
def local(local: Local, secrets: dict[str, str]) -> Local:
    secrets |= {"env:A": "sk-a", "env:B": "sk-b"}

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
            "light": channel(weight=100, keys=("env:A", "env:B"), key=""),
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


# -- at this moment ------------------------------------------------------------------------------


class Serving:
    """What a server knows, without one."""

    def __init__(self, local: Local) -> None:
        self.snapshot = build(stored.load(local.db), local.resolve, lambda _: None)
        self.health, self.figures, self.affinity = Health(), Figures(), Affinity()
        self.router = Router(Random(1), self.health, self.figures, self.clock)
        self.local = replace(local, serving=self)  # type: ignore[arg-type]

    def clock(self) -> float:
        return NOW

    def channel(self, name: str) -> Channel:
        return next(c for c in self.snapshot.channels if c.name == name)

    def fail(self, name: str, *errors: UpstreamError, key: int = 0) -> None:
        for failure in errors:
            self.health.failed(self.channel(name), key, "m", failure, HealthSpec(), NOW)


def order(found: Routed) -> list[tuple[int, str, str]]:
    return [(s.turn, s.channel, s.state) for s in found.steps if s.turn or s.rests]


def test_what_rests_comes_last_and_why(local: Local) -> None:
    serving = Serving(local)
    serving.fail("heavy", *[error(500, message="broke")] * 3)
    found = route(serving.local, "m", group="vip")
    assert (found.live, found.strategy) == (True, "weighted")
    assert order(found) == [(1, "light", "up"), (2, "last", "up"), (3, "heavy", "resting")]
    (rest,) = found.steps[2].rests
    assert (rest.key, rest.state, rest.until, rest.reason) == (0, "resting", NOW + 300, "500: broke")
    assert found.steps[2].reason == "it rests: asked when nobody else answers"


def test_one_key_of_several_and_one_that_waits(local: Local) -> None:
    serving = Serving(local)
    serving.fail("light", error(403), error(403), error(403), key=1)
    serving.fail("last", error(429, after=60.0))
    found = route(serving.local, "m", group="vip")
    assert order(found) == [(1, "heavy", "up"), (1, "light", "up"), (0, "last", "waiting")]
    light = next(s for s in found.steps if s.channel == "light")
    assert [(r.key, r.state) for r in light.rests] == [(1, "resting")]


def test_figures_and_the_shares_of_a_strategy(local: Local) -> None:
    with local.db.writing() as c:
        Setting.insert(section="routing", value='{"strategy":"least-busy"}').execute(c)
    serving = Serving(local)
    serving.figures.began(serving.channel("heavy").id)
    serving.figures.took(serving.channel("heavy").id, "m", True, 0.25, NOW)
    serving.figures.took(serving.channel("heavy").id, "m", False, 2.0, NOW)
    found = route(serving.local, "m", group="vip")
    assert [(s.channel, s.share, s.under_way) for s in found.steps if s.turn == 1] == [("light", 1, 0), ("heavy", 0, 1)]
    heavy = found.steps[1]
    assert (heavy.stream_ms, heavy.answer_ms) == (250, 2000)


def test_a_conversation_s_channel_comes_first(local: Local) -> None:
    serving = Serving(local)
    light = serving.channel("light")
    serving.affinity.served((1, "m", "talk"), light.id, light.prints[0], NOW + 60)
    found = route(serving.local, "m", token="vip", conversation="talk")
    assert [(s.channel, s.share, s.conversation) for s in found.steps if s.turn == 1] == [
        ("light", 1, True),
        ("heavy", 0, False),
    ]
    assert found.steps[0].conversations == 1
    assert route(serving.local, "m", token="vip", conversation="other").steps[0].channel == "heavy"


def test_without_a_server_the_database_knows_what_rests(local: Local) -> None:
    picture = build(stored.load(local.db), local.resolve, lambda _: None)
    heavy = next(c for c in picture.channels if c.name == "heavy")
    later = time.time() + 100
    rests.put(local.db, RestRow(heavy.id, heavy.prints[0], "o", "broken", later - 400, later, "500: broke"))
    found = route(local, "m", group="vip")
    assert (found.live, order(found)[-1]) == (False, (3, "heavy", "resting"))
    assert found.steps[0].under_way is None


def test_fallbacks_and_lists_of_groups_come_in_their_order(local: Local) -> None:
    config = Config(
        groups={"a": GroupSpec(), "b": GroupSpec(), "auto": GroupSpec(members=("b", "a"))},
        models={"m": ModelSpec(ratio=Decimal(1), fallback=("n", "unpriced")), "n": ModelSpec(ratio=Decimal(1))},
        channels={
            "in-a": ChannelSpec(type="openai", key="env:A", models=("m",), groups=("a",)),
            "in-b": ChannelSpec(type="openai", key="env:A", models=("m",), groups=("b",)),
            "other": ChannelSpec(type="openai", key="env:A", models=("n", "unpriced"), groups=("a",)),
        },
    )
    apply.apply(local, config, who="ann")
    found = route(local, "m", group="auto")
    assert [(s.turn, s.channel, s.model, s.group) for s in found.steps] == [
        (1, "in-b", "m", "b"),
        (2, "in-a", "m", "a"),
        (3, "other", "n", "a"),
    ]
