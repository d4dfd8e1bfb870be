"""Users and their passwords."""

from __future__ import annotations

import pytest

from newapi.base.errors import CallerError, Conflict, NotFound
from newapi.base.secret import Secret
from newapi.ops import users
from newapi.ops.local import Local
from newapi.ops.users import Changes, NewUser, WrongPassword
from newapi.store import audit, clock
from newapi.store import users as store
from newapi.store.models import User

PASSWORD = Secret("correct horse")


@pytest.fixture(autouse=True)
def _cheap_passwords(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("newapi.ops.sessions._LOG_N", 2)


def make(local: Local, name: str, **about: object) -> users.UserView:
    return users.create(local.db, NewUser(name=name, **about), who="test", now=1000.0)  # type: ignore[arg-type]


def test_nobody_signs_in_before_root_has_a_password(local: Local) -> None:
    for guess in ("", "root", "123456"):
        with pytest.raises(WrongPassword):
            users.sign_in(local.db, "root", Secret(guess))


def test_making_root_gives_it_a_password_and_keeps_the_rest(local: Local) -> None:
    before = users.get(local.db, "root")
    after = make(local, "root", role="root", password=PASSWORD)
    assert (before.id, before.unlimited, before.role) == (after.id, after.unlimited, after.role) == (1, True, "root")
    assert users.sign_in(local.db, "root", PASSWORD, now=2000.0).user.id == 1
    assert users.get(local.db, "root").last_login_at == 2000
    with pytest.raises(Conflict):
        make(local, "root", role="root", password=Secret("taken over"))
    assert users.sign_in(local.db, "root", PASSWORD).user.name == "root"


@pytest.mark.parametrize("about", [{"role": "user", "password": PASSWORD}, {"role": "root"}])
def test_root_is_not_made_in_another_way(local: Local, about: dict[str, object]) -> None:
    with pytest.raises(Conflict):
        make(local, "root", **about)


def test_one_signs_in_with_name_or_email(local: Local) -> None:
    make(local, "ann", email="Ann@Example.com", password=PASSWORD)
    for login in ("ann", "ann@example.com", "ANN@example.com"):
        assert users.sign_in(local.db, login, PASSWORD).user.name == "ann"


@pytest.mark.parametrize("name", ["", " ann", "a\tb", "x" * 65])
def test_names_that_are_none(local: Local, name: str) -> None:
    with pytest.raises(CallerError):
        make(local, name)


@pytest.mark.parametrize("password", ["", "1234567", "x" * 129])
def test_passwords_that_are_none(local: Local, password: str) -> None:
    with pytest.raises(CallerError):
        make(local, "ann", password=Secret(password))


def test_a_password_is_not_in_the_database_nor_in_the_audit(local: Local) -> None:
    make(local, "ann", password=PASSWORD)
    users.set_password(local.db, users.get(local.db, "ann").id, Secret("battery staple"), who="test")
    with local.db.reading() as c:
        stored = str(list(User.select().dicts().execute(c)))
    said = str(audit.entries(local.db))
    for secret in ("correct horse", "battery staple"):
        assert secret not in stored + said
    assert "user.password" in said


def test_what_the_relay_sees_moves_the_clock_and_what_it_does_not_does_not(local: Local) -> None:
    ann = make(local, "ann", password=PASSWORD)

    def moved() -> bool:
        nonlocal epoch
        before, epoch = epoch, clock.generation(local.db)
        return epoch != before

    epoch = clock.generation(local.db)
    users.change(local.db, ann.id, Changes(group="default"), who="test")
    assert not moved()
    users.change(local.db, ann.id, Changes(state="disabled"), who="test")
    assert moved()
    users.top_up(local.db, ann.id, 5, who="test")
    assert moved()
    users.merge_setting(local.db, ann.id, {"language": "en"})
    users.set_password(local.db, ann.id, Secret("battery staple"), who="test")
    users.new_access_token(local.db, ann.id, who="test")
    assert not moved()
    users.delete(local.db, ann.id, who="test")
    assert moved()


def test_what_is_charged_meanwhile_is_kept_when_more_is_added(local: Local) -> None:
    ann = make(local, "ann", quota=100)
    with local.db.writing() as c:
        store.add_quota(c, ann.id, -30)
    assert users.top_up(local.db, ann.id, 50, who="test").quota == 120


def test_an_unlimited_user_who_is_given_a_quota_has_that_one(local: Local) -> None:
    assert users.top_up(local.db, 1, 7, mode="add", who="test").unlimited
    set_ = users.top_up(local.db, 1, 7, mode="override", who="test")
    assert (set_.unlimited, set_.quota) == (False, 7)


@pytest.mark.parametrize(
    ("mode", "quota"), [("add", 0), ("add", -1), ("subtract", 101), ("subtract", -1), ("override", 10**15)]
)
def test_amounts_that_make_no_sense(local: Local, mode: users.Mode, quota: int) -> None:
    ann = make(local, "ann", quota=100)
    with pytest.raises(CallerError):
        users.top_up(local.db, ann.id, quota, mode=mode, who="test")
    assert users.find(local.db, ann.id).quota == 100


def test_a_deleted_user_keeps_the_name_and_a_purged_one_does_not(local: Local) -> None:
    ann = make(local, "ann", password=PASSWORD)
    users.delete(local.db, ann.id, who="test")
    with pytest.raises(Conflict):
        make(local, "ann")
    with pytest.raises(NotFound):
        users.get(local.db, "ann")
    assert users.find(local.db, ann.id, deleted=True).state == "deleted"
    users.delete(local.db, ann.id, hard=True, who="test")
    assert make(local, "ann").id > ann.id


@pytest.mark.parametrize("changes", [Changes(role="admin"), Changes(role="user"), Changes(state="disabled")])
def test_root_stays(local: Local, changes: Changes) -> None:
    with pytest.raises(CallerError):
        users.change(local.db, 1, changes, who="test")
    for hard in (False, True):
        with pytest.raises(CallerError):
            users.delete(local.db, 1, hard=hard, who="test")
    assert users.find(local.db, 1).state == "enabled"


def test_a_name_that_is_taken_and_a_group_that_is_none(local: Local) -> None:
    ann = make(local, "ann")
    make(local, "bob")
    with pytest.raises(Conflict):
        users.change(local.db, ann.id, Changes(name="bob"), who="test")
    with pytest.raises(NotFound):
        users.change(local.db, ann.id, Changes(group="nowhere"), who="test")
    assert users.change(local.db, ann.id, Changes(name="anna"), who="test").name == "anna"


def test_names_are_suggested(local: Local) -> None:
    make(local, "annabel")
    with pytest.raises(NotFound, match="did you mean 'annabel'"):
        users.get(local.db, "anabel")


@pytest.mark.parametrize(
    ("role", "target", "may"),
    [
        ("user", "user", False),
        ("admin", "user", True),
        ("admin", "admin", False),
        ("admin", "root", False),
        ("root", "admin", True),
        ("root", "root", True),
    ],
)
def test_who_manages_whom(local: Local, role: str, target: str, may: bool) -> None:
    view = users.get(local.db, "root") if target == "root" else make(local, "them", role=target)
    if may:
        users.check_may_manage(role, view)
    else:
        with pytest.raises(CallerError):
            users.check_may_manage(role, view)


def test_rewards_are_moved_not_made(local: Local) -> None:
    ann = make(local, "ann")
    make(local, "bob", inviter_code=users.aff_code(local.db, ann.id), invite_quota=600_000)
    with pytest.raises(CallerError):
        users.transfer_reward(local.db, ann.id, 600_001)
    moved = users.transfer_reward(local.db, ann.id, 500_000)
    assert (moved.quota, moved.aff_quota, moved.aff_history, moved.aff_count) == (500_000, 100_000, 600_000, 1)
    with pytest.raises(CallerError):
        users.transfer_reward(local.db, ann.id, 100_000)
