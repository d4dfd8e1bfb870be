from __future__ import annotations

from typing import Any

import pytest
from msgspec.structs import replace

from newapi.base.errors import CallerError, Conflict, NotFound
from newapi.base.secret import Secret
from newapi.config.schema import ChannelSpec, Config
from newapi.ops import apply, channels
from newapi.ops.channels import ChannelView, Draft
from newapi.ops.legacy import Told
from newapi.ops.local import Local
from newapi.relay.build import build
from newapi.store import audit, clock, sealed, snapshot
from newapi.store.ledger import Settlement, UsageRecord, write_batch
from tests.ops.sealing import sealing

SPEC = ChannelSpec(type="openai", models=("gpt-4o",))


@pytest.fixture
def local(local: Local) -> Local:
    return sealing(local)


def make(local: Local, name: str = "main", *keys: str, several: bool = False, **spec: Any) -> ChannelView:
    told = Told(replace(SPEC, **spec))
    draft = Draft(name, told, [Secret(k) for k in keys or ("sk-one",)], several)
    return channels.create(local, [draft], who="ann")[0]


def keys(local: Local, view: ChannelView) -> list[str]:
    return [key.reveal() for key in channels.keys_of(local, view)]


def edit(local: Local, id: int, new: dict[str, Any] | None = None, **options: Any) -> ChannelView:
    return channels.edit(local, id, lambda v: Told(replace(v.spec, **(new or {})), v.legacy), who="ann", **options)


# -- making ----------------------------------------------------------------------------------


def test_a_key_is_sealed_and_nowhere_plain(local: Local) -> None:
    view = make(local, "main", " sk-very-secret ")
    assert keys(local, view) == ["sk-very-secret"]
    assert view.references[0].startswith(channels.SEALED)
    for file in local.db.file.parent.iterdir() if local.db.file else ():
        assert b"sk-very-secret" not in file.read_bytes()
    assert "sk-very-secret" not in repr(view)


def test_a_new_channel_is_by_hand_enabled_and_noted(local: Local) -> None:
    before = clock.generation(local.db)
    view = make(local)
    assert (view.managed, view.state, view.used, view.tested_at) == ("", "enabled", 0, 0)
    assert clock.generation(local.db) > before
    assert [(e.who, e.action, e.target) for e in audit.entries(local.db)] == [("ann", "channel.create", "main")]


def test_the_relay_has_it_with_its_key(local: Local) -> None:
    make(local, "main", "sk-a", "sk-b")
    (channel,) = build(snapshot.load(local.db), local.resolve, pytest.fail).channels
    assert [key.reveal() for key in channel.keys] == ["sk-a", "sk-b"]


def test_a_taken_name_gets_a_number(local: Local) -> None:
    told = Told(SPEC)
    drafts = [Draft("flock", told, [Secret(k)]) for k in ("a", "b", "c")]
    assert [c.name for c in channels.create(local, drafts, who="ann")] == ["flock", "flock-2", "flock-3"]
    assert make(local, "flock").name == "flock-4"


@pytest.mark.parametrize(("name", "given"), [("main", ["  "]), ("main", []), ("", ["k"]), ("n" * 192, ["k"])])
def test_a_channel_needs_a_name_and_a_key(local: Local, name: str, given: list[str]) -> None:
    good = Draft("good", Told(SPEC), [Secret("k")])
    with pytest.raises(CallerError):
        channels.create(local, [good, Draft(name, Told(SPEC), [Secret(k) for k in given])], who="ann")
    assert channels.list_channels(local.db) == []
    assert sealed.names(local.db) == []


def test_one_key_of_several_stays_a_list(local: Local) -> None:
    assert len(make(local, "one", "k", several=True).spec.keys) == 1
    assert make(local, "two", "k").spec.keys == ()


def test_found_by_name_or_id_or_told_which_is_near(local: Local) -> None:
    view = make(local)
    assert channels.get(local.db, "main") == channels.get(local.db, str(view.id)) == channels.find(local.db, view.id)
    with pytest.raises(NotFound, match="did you mean 'main'"):
        channels.get(local.db, "maim")
    with pytest.raises(NotFound):
        channels.find(local.db, 999)


# -- changing --------------------------------------------------------------------------------


def test_a_change_leaves_key_and_counters(local: Local) -> None:
    view = make(local)
    write_batch(local.db, [Settlement(UsageRecord("r1", 1.0, quota=7), 0, 0, view.id, 7)])
    changed = edit(local, view.id, {"models": ("o3",)}, name="other", now=5.0)
    assert (changed.name, changed.spec.models, changed.used, changed.updated_at) == ("other", ("o3",), 7, 5.0)
    assert changed.created_at == view.created_at
    assert keys(local, changed) == ["sk-one"]


def test_a_name_that_is_taken_is_refused(local: Local) -> None:
    make(local, "a")
    b = make(local, "b")
    with pytest.raises(Conflict):
        edit(local, b.id, name="a")
    with pytest.raises(CallerError):
        edit(local, b.id, name=" ")


def test_new_keys_replace_the_sealed_ones(local: Local) -> None:
    view = make(local)
    changed = edit(local, view.id, keys=[Secret("sk-two")])
    assert keys(local, changed) == ["sk-two"]
    assert sealed.names(local.db) == [changed.references[0].removeprefix("secret:")]


def test_appended_keys_come_after_those_there_none_twice(local: Local) -> None:
    view = make(local, "main", "a", "b")
    channels.switch_keys(local.db, view.id, [1], enabled=False, who="ann")
    changed = edit(local, view.id, keys=[Secret("b"), Secret("c"), Secret("c")], append=True)
    assert keys(local, changed) == ["a", "b", "c"]
    assert set(changed.key_states) == {1}


def test_the_states_of_keys_that_are_replaced_go_with_them(local: Local) -> None:
    view = make(local, "main", "a", "b")
    channels.switch_keys(local.db, view.id, [0], enabled=False, who="ann")
    assert edit(local, view.id, keys=[Secret("x"), Secret("y")]).key_states == {}


def test_a_new_key_cures_what_tripped_but_not_what_a_person_disabled(local: Local) -> None:
    for state, after in (("tripped", "enabled"), ("disabled", "disabled")):
        view = make(local, state)
        channels.switch(local.db, [view.id], state, who="ann")  # type: ignore[arg-type]
        assert edit(local, view.id, {"priority": 3}).state == state
        assert edit(local, view.id, keys=[Secret("new")]).state == after


# -- switching -------------------------------------------------------------------------------


def test_switched_off_and_on(local: Local) -> None:
    a, b = make(local, "a"), make(local, "b")
    assert channels.switch(local.db, [a.id, b.id], "disabled", who="ann") == 2
    assert channels.switch(local.db, [a.id, 999], "disabled", who="ann") == 0
    off = channels.find(local.db, a.id)
    assert (off.state, off.state_reason, off.spec.enabled) == ("disabled", "by hand", False)
    assert channels.switch(local.db, [a.id], "enabled", who="ann") == 1
    on = channels.find(local.db, a.id)
    assert (on.state, on.state_reason, on.spec.enabled) == ("enabled", "", True)


def test_the_file_goes_on_saying_that_its_channel_is_enabled(local: Local, secrets: dict[str, str]) -> None:
    secrets["env:A"] = "sk-a"
    config = Config(channels={"a": replace(SPEC, key="env:A")})
    apply.apply(local, config, who="ann")
    (view,) = channels.list_channels(local.db)
    channels.switch(local.db, [view.id], "disabled", who="ann")
    assert not apply.plan(local, config).changes
    apply.apply(local, config, who="ann")
    assert channels.find(local.db, view.id).state == "disabled"


def test_one_that_the_file_disables_can_be_enabled(local: Local, secrets: dict[str, str]) -> None:
    secrets["env:A"] = "sk-a"
    apply.apply(local, Config(channels={"a": replace(SPEC, key="env:A", enabled=False)}), who="ann")
    (view,) = channels.list_channels(local.db)
    channels.switch(local.db, [view.id], "enabled", who="ann")
    assert [c.name for c in build(snapshot.load(local.db), local.resolve, pytest.fail).channels] == ["a"]


def test_by_tag(local: Local) -> None:
    a = make(local, "a", tag="x")
    make(local, "b", tag="y")
    assert channels.with_tag(local.db, "x") == [a]
    with pytest.raises(CallerError):
        channels.with_tag(local.db, "")


# -- deleting and copying --------------------------------------------------------------------


def test_deleted_with_what_was_sealed_for_it(local: Local) -> None:
    a, b = make(local, "a"), make(local, "b")
    sealed.put(local.db, "mine", b"x")
    assert channels.delete(local.db, [a.id, 999], who="ann") == 1
    assert [c.id for c in channels.list_channels(local.db)] == [b.id]
    assert sealed.names(local.db) == [b.references[0].removeprefix("secret:"), "mine"]


def test_a_copy_has_the_key_as_long_as_either_lives(local: Local) -> None:
    view = make(local, "main", "sk-a", tag="x")
    write_batch(local.db, [Settlement(UsageRecord("r1", 1.0, quota=7), 0, 0, view.id, 7)])
    copy = channels.copy(local, view.id, suffix="-copy", keep_counters=False, who="ann")
    assert (copy.name, copy.spec.tag, copy.used) == ("main-copy", "x", 0)
    assert channels.copy(local, view.id, suffix="-copy", keep_counters=True, who="ann").used == 7
    channels.delete(local.db, [view.id], who="ann")
    assert keys(local, copy) == ["sk-a"]
    channels.delete(local.db, [c.id for c in channels.list_channels(local.db)], who="ann")
    assert sealed.names(local.db) == []


# -- keys ------------------------------------------------------------------------------------


def test_a_disabled_key_is_not_used(local: Local) -> None:
    view = make(local, "main", "a", "b", "c")
    channels.switch_keys(local.db, view.id, [1], enabled=False, who="ann", now=5.0)
    (channel,) = build(snapshot.load(local.db), local.resolve, pytest.fail).channels
    assert [key.reveal() for key in channel.keys] == ["a", "c"]
    state = channels.find(local.db, view.id).key_states[1]
    assert (state.state, state.reason, state.at) == ("disabled", "by hand", 5.0)
    assert channels.switch_keys(local.db, view.id, [1], enabled=True, who="ann").key_states == {}


def test_without_a_key_the_relay_leaves_it_out(local: Local) -> None:
    view = make(local, "main", "a", "b")
    channels.switch_keys(local.db, view.id, None, enabled=False, who="ann")
    warnings: list[str] = []
    assert not build(snapshot.load(local.db), local.resolve, warnings.append).channels
    assert "all its keys are disabled" in warnings[0]
    assert channels.switch_keys(local.db, view.id, None, enabled=True, who="ann").key_states == {}


def test_deleted_keys_take_their_states_along(local: Local) -> None:
    view = make(local, "main", "a", "b", "c")
    channels.switch_keys(local.db, view.id, [0, 2], enabled=False, who="ann")
    assert channels.delete_keys(local.db, view.id, [0], who="ann") == 1
    left = channels.find(local.db, view.id)
    assert keys(local, left) == ["b", "c"]
    assert set(left.key_states) == {1}
    assert len(sealed.names(local.db)) == 2
    with pytest.raises(CallerError):
        channels.delete_keys(local.db, view.id, [0, 1], who="ann")


@pytest.mark.parametrize("position", [-1, 1, 99])
def test_there_is_no_such_key(local: Local, position: int) -> None:
    view = make(local)
    with pytest.raises(NotFound):
        channels.switch_keys(local.db, view.id, [position], enabled=False, who="ann")
    with pytest.raises(NotFound):
        channels.delete_keys(local.db, view.id, [position], who="ann")
