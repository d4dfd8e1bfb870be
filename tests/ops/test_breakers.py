from __future__ import annotations

from typing import Any

import pytest

from newapi.base.errors import StoreError, UpstreamError
from newapi.base.secret import Secret
from newapi.config.schema import ChannelSpec, HealthSpec
from newapi.ops import breakers, channels
from newapi.ops.breakers import Keeper
from newapi.ops.channels import ChannelView
from newapi.ops.local import Local
from newapi.relay.build import build
from newapi.relay.health import Health
from newapi.relay.snapshot import Channel, Snapshot
from newapi.store import rests
from newapi.store import snapshot as stored
from newapi.store.rests import RestRow
from tests.ops.sealing import sealing
from tests.ops.test_channel_probe import CHAT, Script, make, say

SPEC = HealthSpec()
NOW = 1_700_000_000.0


@pytest.fixture
def local(local: Local) -> Local:
    return sealing(local)


def picture(local: Local) -> Snapshot:
    return build(stored.load(local.db), local.resolve, lambda _: None)


def first(local: Local) -> Channel:
    return picture(local).channels[0]


def failure(status: int, message: str = "no") -> UpstreamError:
    return UpstreamError(message, upstream_status=status, status=status)


def fail(local: Local, status: int, *, key: int = 0, times: int = 1, channel: Channel | None = None) -> None:
    """Let health see failures, and return when what it found out is written."""
    keeper = Keeper(local)
    health, channel = Health(keeper), channel or first(local)
    for _ in range(times):
        health.failed(channel, key, "gpt-4o", failure(status), SPEC, NOW)
    keeper.close()


def now(local: Local, view: ChannelView) -> tuple[str, dict[int, str]]:
    view = channels.find(local.db, view.id)
    return view.state, {position: key.state for position, key in view.key_states.items()}


def rows(local: Local) -> list[tuple[str, str]]:
    with local.db.reading() as c:
        return [(row.kind, row.model) for row in rests.load(c)]


def test_a_dead_key_is_disabled_alone_and_the_last_one_with_its_channel(local: Local) -> None:
    view = make(local, "a", "b")
    fail(local, 401, key=1)
    assert now(local, view) == ("enabled", {1: "tripped"})
    assert channels.find(local.db, view.id).key_states[1].reason == "401: no"
    assert [k.reveal() for k in first(local).keys] == ["a"]
    fail(local, 401)
    assert now(local, view) == ("tripped", {0: "tripped", 1: "tripped"})
    assert channels.find(local.db, view.id).state_reason == "all its keys are disabled: 401: no"


def test_the_one_key_of_a_channel_is_the_channel(local: Local) -> None:
    view = make(local)
    fail(local, 401)
    assert now(local, view) == ("tripped", {})
    assert picture(local).channels == ()


def test_a_key_that_is_there_twice_is_dead_twice(local: Local) -> None:
    view = make(local, "a", "b", "a")
    fail(local, 401)
    assert now(local, view)[1] == {0: "tripped", 2: "tripped"}


def test_keys_that_were_changed_meanwhile_are_left_alone(local: Local) -> None:
    view = make(local, "a", "b")
    before = first(local)
    channels.delete_keys(local.db, view.id, [0], who="ann")
    channels.edit(local, view.id, lambda v: channels.Told(v.spec), who="ann", keys=[Secret("c")], append=True)
    fail(local, 401, channel=before)
    assert now(local, view) == ("enabled", {})
    channels.delete(local.db, [view.id], who="ann")
    fail(local, 401, channel=before)


def test_positions_are_those_of_all_keys(local: Local) -> None:
    view = make(local, "a", "b", "c")
    channels.switch_keys(local.db, view.id, [0], enabled=False, who="ann")
    fail(local, 401, key=1)
    assert now(local, view)[1] == {0: "disabled", 2: "tripped"}


def test_a_rest_outlives_the_process(local: Local) -> None:
    make(local)
    fail(local, 500, times=3)
    after = picture(local)
    health = Health()
    health.take_over(after.rests, after.channels, NOW)
    channel = after.channels[0]
    assert health.rests(channel, 0, "gpt-4o", NOW)
    assert not health.rests(channel, 0, "o3", NOW)
    keeper = Keeper(local)
    health = Health(keeper)
    health.take_over(after.rests, after.channels, NOW)
    health.succeeded(channel, 0, "gpt-4o", NOW + 400)
    keeper.close()
    assert rows(local) == []


def test_what_cannot_be_written_is_said(
    local: Local, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def full(*_: Any) -> None:
        raise StoreError("the disk is full")

    make(local)
    monkeypatch.setattr(rests, "put", full)
    fail(local, 500, times=3)
    assert "the disk is full" in caplog.text


# -- coming back -----------------------------------------------------------------------------


def test_each_dead_key_is_probed_by_itself(local: Local) -> None:
    view = make(local, "a", "b", "c", "d")
    fail(local, 401, key=1)
    fail(local, 401, key=1)
    channels.switch_keys(local.db, view.id, [3], enabled=False, who="ann")
    up = Script(CHAT, say({"error": {"message": "still bad"}}, 401))
    done = breakers.probe_disabled(local, send=up)
    assert [t.error for t in done] == ["", "still bad"]
    assert [v for call in up.calls for k, v in call.headers if k == "authorization"] == ["Bearer b", "Bearer c"]
    assert now(local, view) == ("enabled", {2: "tripped", 3: "disabled"})


def test_a_channel_comes_back_with_its_first_key(local: Local) -> None:
    view = make(local, "a", "b")
    for key in (1, 0):
        fail(local, 401, key=key)
    breakers.probe_disabled(local, send=Script(say({}, 401), CHAT))
    assert now(local, view) == ("enabled", {0: "tripped"})


def test_a_channel_without_keys_of_its_own_comes_back(local: Local) -> None:
    view = make(local)
    fail(local, 401)
    assert breakers.probe_disabled(local, send=Script(say({}, 401)))[0].error
    assert now(local, view)[0] == "tripped"
    breakers.probe_disabled(local, send=Script(CHAT))
    assert now(local, view)[0] == "enabled"


def test_what_a_person_disabled_is_not_probed(local: Local) -> None:
    view = make(local, "a", "b")
    fail(local, 401)
    channels.switch(local.db, [view.id], "disabled", who="ann")
    assert breakers.probe_disabled(local, send=Script()) == []


def test_a_test_that_succeeds_ends_what_is_held_against_what_was_tested(local: Local) -> None:
    view = make(local, "a", "b")
    fail(local, 500, times=3)
    fail(local, 500, key=1, times=3)
    before, health = picture(local), Health()
    health.take_over(before.rests, before.channels, NOW)
    breakers.check_all(local, [channels.find(local.db, view.id)], model="gpt-4o", send=Script(CHAT))
    after = picture(local)
    assert after.epoch > before.epoch
    health.take_over(after.rests, after.channels, NOW + 9)
    assert [health.rests(after.channels[0], key, "gpt-4o", NOW + 9) for key in (0, 1)] == [False, True]


def test_a_test_that_fails_changes_nothing(local: Local) -> None:
    view = make(local)
    fail(local, 500, times=3)
    breakers.check_all(local, [channels.find(local.db, view.id)], send=Script(say({}, 500)))
    assert rows(local) == [("broken", "gpt-4o")]


def test_one_that_is_enabled_by_hand_begins_anew(local: Local) -> None:
    view = make(local, "a", "b", "c")
    fail(local, 500, times=3)
    fail(local, 401, key=1)
    channels.switch_keys(local.db, view.id, [2], enabled=False, who="ann")
    channels.switch(local.db, [view.id], "enabled", who="ann")
    assert now(local, view) == ("enabled", {2: "disabled"})
    assert rows(local) == [("reset", "")]


def test_a_channel_of_a_type_that_has_no_keys(local: Local) -> None:
    """Its state is the channel's own."""
    spec = ChannelSpec(type="openai", base_url="https://up.test", models=("gpt-4o",))
    with local.db.writing() as c:
        from newapi.store import channels as store
        from newapi.store import specs

        columns = {"name": "bare", "spec": specs.encode(spec), "created_at": NOW, "updated_at": NOW}
        id = store.insert(c, columns)
    fail(local, 401)
    assert channels.find(local.db, id).state == "tripped"
    breakers.probe_disabled(local, send=Script(CHAT))
    assert channels.find(local.db, id).state == "enabled"
    rests.put(local.db, RestRow(id, "", "", "broken", NOW, NOW + 300))
    breakers.check_all(local, [channels.find(local.db, id)], send=Script(CHAT))
    assert rows(local) == [("reset", "")]
