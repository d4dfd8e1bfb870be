from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from newapi.base.errors import UpstreamError
from newapi.base.http import HttpCall, HttpReply
from newapi.config.schema import ChannelSpec, Config, HealthSpec
from newapi.ops import apply, channels
from newapi.ops.local import Local
from newapi.ops.notices import Board, Notice
from newapi.ops.upkeep import NOTHING_LEFT, Upkeep
from tests.ops.test_channel_probe import CHAT, say

NOW = 1.7e9


class Upstreams(dict[str, Any]):
    """Answers by host: an object, or an error to raise."""

    def __call__(self, call: HttpCall, timeout: float, proxy: str) -> HttpReply:
        answer = self[call.url.split("/")[2]]
        if isinstance(answer, Exception):
            raise answer
        return answer if isinstance(answer, HttpReply) else say(answer)


def left(usd: float) -> dict[str, Any]:
    return {"data": {"total_credits": 100.0, "total_usage": 100.0 - usd}}


def models(*names: str) -> dict[str, Any]:
    return {"object": "list", "data": [{"id": name} for name in names]}


def channel(name: str, **values: Any) -> ChannelSpec:
    made: dict[str, Any] = {"type": "openrouter", "key": "env:CI", "models": ("m",), "base_url": f"http://{name}"}
    return ChannelSpec(**{**made, **values})


def looked_after(local: Local, upstreams: Upstreams, **specs: ChannelSpec) -> Upkeep:
    apply.apply(local, Config(channels=specs), who="ann")
    return Upkeep(local, upstreams, lambda: NOW)


def told(notices: list[Notice]) -> list[tuple[str, str, str, bool]]:
    return [(n.about, n.subject, n.level, n.over) for n in notices]


def state(local: Local, name: str) -> tuple[str, str]:
    view = channels.get(local.db, name)
    return view.state, view.state_reason


def test_a_balance_is_noted_and_told_when_it_is_low_and_when_it_is_not_any_more(local: Local) -> None:
    upstreams = Upstreams(a=left(4.5), b=left(50))
    upkeep = looked_after(local, upstreams, a=channel("a"), b=channel("b"))
    spec = HealthSpec(balance_low=Decimal(5))
    first = upkeep.balances(spec)
    assert told(first) == [("balance", "a", "warning", False)]
    assert first[0].title == "$4.50 is left on the account of channel a"
    assert [channels.get(local.db, n).balance for n in "ab"] == [4.5, 50]
    assert upkeep.balances(spec) == []
    upstreams["a"] = UpstreamError("no answer", kind="timeout")
    assert upkeep.balances(spec) == []  # nothing is known of it: it is not over
    upstreams["a"] = left(20)
    over = upkeep.balances(spec)
    assert told(over) == [("balance", "a", "warning", True)]
    assert over[0].title.startswith("Over: ")


@pytest.mark.parametrize(("auto", "after"), [(True, ("tripped", NOTHING_LEFT)), (False, ("enabled", ""))])
def test_a_channel_with_nothing_left_is_disabled(local: Local, auto: bool, after: tuple[str, str]) -> None:
    upkeep = looked_after(local, Upstreams(a=left(0)), a=channel("a", auto_disable=auto))
    assert told(upkeep.balances(HealthSpec())) == [("balance", "a", "error", False)]
    assert state(local, "a") == after


def test_only_enabled_channels_whose_upstream_tells_are_asked(local: Local, secrets: dict[str, str]) -> None:
    several = channel("a", key="", keys=("env:CI", "env:OTHER"))
    upkeep = looked_after(
        local, Upstreams(), a=several, b=channel("b", type="azure"), c=channel("c", enabled=False), d=channel("d")
    )
    channels.switch(local.db, [channels.get(local.db, "d").id], "disabled", who="ann")
    assert upkeep.balances(HealthSpec()) == []  # an upstream that was asked would raise KeyError


def test_new_models_and_those_that_are_gone(local: Local) -> None:
    upstreams = Upstreams(a=models("m", "n"))
    spec = channel("a", models=("m", "alias", "g*"), model_mapping={"alias": "n"})
    upkeep = looked_after(local, upstreams, a=spec)
    assert upkeep.models() == []
    upstreams["a"] = models("m", "o", "p")
    first, second = upkeep.models()
    assert (first.title, first.text) == ("The upstream of channel a has new models", "o, p")
    assert (second.title, second.text) == ("Channel a serves models that its upstream does not list", "alias")
    assert upkeep.models() == []
    upstreams["a"] = UpstreamError("no answer", kind="timeout")
    assert upkeep.models() == []
    upstreams["a"] = models("m", "n", "o", "p")
    assert [(n.text, n.over) for n in upkeep.models()] == [("n", False), ("alias", True)]


def test_a_name_that_is_mapped_twice_is_looked_for_where_its_chain_ends(local: Local) -> None:
    spec = channel("a", models=("fast", "slow"), model_mapping={"fast": "small", "small": "m", "slow": "large"})
    (notice,) = looked_after(local, Upstreams(a=models("m")), a=spec).models()
    assert notice.text == "slow"


def test_a_test_that_fails_is_told_once_and_when_it_is_over(local: Local) -> None:
    upstreams = Upstreams(a=CHAT, b=say({"error": {"message": "No such key"}}, 401))
    upkeep = looked_after(local, upstreams, a=channel("a"), b=channel("b"))
    (failed,) = upkeep.tests()
    assert (failed.about, failed.subject, failed.text) == ("channel_test", "b", "m: No such key")
    assert upkeep.tests() == []
    assert state(local, "b") == ("enabled", "")
    assert channels.get(local.db, "a").tested_at > 0
    upstreams["b"] = CHAT
    assert told(upkeep.tests()) == [("channel_test", "b", "warning", True)]


def test_a_board() -> None:
    board, one = Board(), Notice("budget", "ci", "Budget", "80 %")
    other = Notice("budget", "web", "Budget", "100 %", "error")
    assert board.update([one], 1) == [one]
    assert board.update([one, other], 2) == [other]
    assert [(n.subject, n.over, n.at) for n in board.update([], 3, unknown={"web"})] == [("ci", True, 3)]
    assert [(n.subject, n.level) for n in board.update([], 4)] == [("web", "error")]


def test_what_gets_worse_is_told_again_and_what_gets_better_is_not() -> None:
    board, near, over = Board(), Notice("budget", "ci", "Budget", "80 %"), Notice("budget", "ci", "Budget", "", "error")
    assert board.update([near], 1) == [near]
    assert board.update([over, near], 2) == [over]
    assert board.update([near], 3) == []
    assert [n.over for n in board.update([], 4)] == [True]
