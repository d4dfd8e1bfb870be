"""Redemption codes, redeemed by many at once."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest

from newapi.base.errors import CallerError
from newapi.ops import redemption, users
from newapi.ops.local import Local
from newapi.ops.redemption import CodeChanges, NewCodes
from newapi.ops.users import NewUser

NOW = 1_800_000_000.0


def test_of_many_at_once_one_gets_it(local: Local) -> None:
    (code,) = redemption.create(local, NewCodes(name="race", quota=7), by=1, who="test", now=NOW)
    ids = [users.create(local.db, NewUser(name=f"user{n}"), who="test").id for n in range(8)]

    def redeem(id: int) -> int:
        try:
            return redemption.redeem(local.db, id, code, now=NOW)
        except CallerError:
            return 0
        finally:
            local.db.close()

    with ThreadPoolExecutor(8) as pool:
        got = list(pool.map(redeem, ids))
    assert sorted(got) == [0] * 7 + [7]
    assert [users.find(local.db, id).quota for id in ids] == got


def test_one_calls_by_once_however_often_at_once(local: Local) -> None:
    ann = users.create(local.db, NewUser(name="ann"), who="test")

    def call(_: int) -> int:
        try:
            return redemption.check_in(local.db, ann.id, 5, 5, now=NOW).quota
        except CallerError:
            return 0
        finally:
            local.db.close()

    with ThreadPoolExecutor(8) as pool:
        assert sum(pool.map(call, range(8))) == 5
    assert users.find(local.db, ann.id).quota == 5
    assert redemption.check_in(local.db, ann.id, 5, 5, now=NOW + 86_400).quota == 5


def test_where_keys_are_not_kept_a_code_still_counts(local: Local) -> None:
    from newapi.ops.vault import Vault

    bare = Local(db=local.db, config=local.config, vault=Vault(local.vault.resolve))
    (code,) = redemption.create(bare, NewCodes(name="bare", quota=7), by=1, who="test", now=NOW)
    ((shown,), total) = redemption.page(bare)
    assert (shown.code, total) == (f"…{code.reveal()[-4:]}", 1)
    ann = users.create(local.db, NewUser(name="ann"), who="test")
    assert redemption.redeem(local.db, ann.id, code, now=NOW) == 7


@pytest.mark.parametrize(("after", "valid"), [(-1, True), (0, False), (1, False)])
def test_a_code_ends(local: Local, after: float, valid: bool) -> None:
    new = NewCodes(name="brief", quota=7, expires_at=NOW + 60)
    (code,) = redemption.create(local, new, by=1, who="test", now=NOW)
    ann = users.create(local.db, NewUser(name="ann"), who="test")
    if valid:
        assert redemption.redeem(local.db, ann.id, code, now=NOW + 60 + after) == 7
    else:
        with pytest.raises(CallerError):
            redemption.redeem(local.db, ann.id, code, now=NOW + 60 + after)


def test_an_expired_code_can_be_given_more_time(local: Local) -> None:
    new = NewCodes(name="brief", quota=7, expires_at=NOW + 60)
    redemption.create(local, new, by=1, who="test", now=NOW)
    ((code,), _) = redemption.page(local)
    later = NOW + 100
    assert redemption.change(local, code.id, CodeChanges(name="old"), who="test", now=later).name == "old"
    with pytest.raises(CallerError):
        redemption.change(local, code.id, CodeChanges(expires_at=NOW + 99), who="test", now=later)
    assert redemption.change(local, code.id, CodeChanges(expires_at=0), who="test", now=later).expires_at == 0
