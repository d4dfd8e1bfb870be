from __future__ import annotations

from decimal import Decimal

import pytest

from newapi.base.errors import Conflict, NewapiError, NotFound
from newapi.config.schema import TokenSpec
from newapi.ops import tokens
from newapi.ops.local import Local
from newapi.store import audit, declared, snapshot
from newapi.store.keys import hash_key
from newapi.store.ledger import Settlement, UsageRecord, write_batch
from newapi.store.models import User


@pytest.fixture
def ann(local: Local) -> Local:
    """A second user."""
    with local.db.writing() as c:
        User.insert(name="ann", created_at=0).execute(c)
    return local


def test_a_new_token(local: Local) -> None:
    with pytest.raises(NotFound, match="no group 'vip'"):
        tokens.create(local, "ci", TokenSpec(group="vip"), who="me")
    with local.db.writing() as c:
        declared.insert(c, "groups", [{"name": "vip", "spec": "{}", "managed": ""}])
    epoch = snapshot.generation(local.db)
    spec = TokenSpec(group="vip", quota=Decimal(10), expires=60.0, models=("gpt-4o*",), allow_ips=("10.0.0.0/8",))
    view, key = tokens.create(local, "ci", spec, who="me", now=1000.0)
    assert (view.id, view.name, view.user, view.group, view.state) == (1, "ci", "root", "vip", "enabled")
    assert (view.remaining, view.used, view.unlimited, view.expires_at) == (5_000_000, 0, False, 1060.0)
    assert (view.models, view.allow_ips, view.managed) == (("gpt-4o*",), ("10.0.0.0/8",), "")
    assert view.key_hint == key.reveal()[-4:]
    assert snapshot.generation(local.db) > epoch
    assert snapshot.load(local.db).tokens[0].key_hash == hash_key(key.reveal())
    assert [(e.who, e.action, e.target) for e in audit.entries(local.db)] == [("me", "token.create", "ci")]


def test_a_new_token_with_a_key_of_ones_own(local: Local) -> None:
    _, key = tokens.create(local, "ci", TokenSpec(key="env:CI"), who="me")
    assert key.reveal() == "sk-" + "c" * 48
    with pytest.raises(Conflict, match="another token"):
        tokens.create(local, "other", TokenSpec(key="env:CI"), who="me")
    with pytest.raises(NewapiError, match="not set"):
        tokens.create(local, "third", TokenSpec(key="env:NONE"), who="me")


def test_a_name_is_used_once_by_a_user(ann: Local) -> None:
    tokens.create(ann, "ci", TokenSpec(), who="me")
    with pytest.raises(Conflict, match="root has a token 'ci'"):
        tokens.create(ann, "ci", TokenSpec(), who="me")
    tokens.create(ann, "ci", TokenSpec(user="ann"), who="me")
    with pytest.raises(Conflict, match=r"1 \(root\), 2 \(ann\)"):
        tokens.get(ann.db, "ci")
    assert tokens.get(ann.db, "2").user == "ann"


def test_tokens_of_a_user(ann: Local) -> None:
    tokens.create(ann, "a", TokenSpec(), who="me")
    tokens.create(ann, "b", TokenSpec(user="ann"), who="me")
    assert [t.name for t in tokens.list_tokens(ann.db)] == ["a", "b"]
    assert [t.name for t in tokens.list_tokens(ann.db, user="ann")] == ["b"]


@pytest.mark.parametrize(
    ("spec", "spent", "now", "state"),
    [
        (TokenSpec(quota=Decimal(1)), 0, 0.0, "enabled"),
        (TokenSpec(quota=Decimal(1)), 500_000, 0.0, "exhausted"),
        (TokenSpec(unlimited=True), 500_000, 0.0, "enabled"),
        (TokenSpec(unlimited=True, expires=60.0), 0, 59.0, "enabled"),
        (TokenSpec(unlimited=True, expires=60.0), 0, 60.0, "expired"),
        (TokenSpec(unlimited=True, enabled=False, expires=60.0), 0, 99.0, "disabled"),
    ],
)
def test_the_state_of_a_token(local: Local, spec: TokenSpec, spent: int, now: float, state: str) -> None:
    tokens.create(local, "t", spec, who="me", now=0.0)
    write_batch(local.db, [Settlement(UsageRecord("r", 1.0), 1, 1, 0, spent)])
    assert tokens.get(local.db, "t", now=now).state == state


def test_what_does_not_exist(local: Local) -> None:
    tokens.create(local, "production", TokenSpec(), who="me")
    with pytest.raises(NotFound, match="did you mean 'production'"):
        tokens.get(local.db, "prodution")
    with pytest.raises(NotFound):
        tokens.delete(local.db, "99", who="me")
    with pytest.raises(NotFound, match="did you mean 'root'"):
        tokens.create(local, "x", TokenSpec(user="rot"), who="me")
    with pytest.raises(NotFound, match="no user 'x'"):
        tokens.list_tokens(local.db, user="x")


def test_deleting(local: Local) -> None:
    tokens.create(local, "a", TokenSpec(), who="me")
    write_batch(local.db, [Settlement(UsageRecord("r", 1.0, token_id=1, token_name="a"), 1, 1, 0, 5)])
    epoch = snapshot.generation(local.db)
    assert tokens.delete(local.db, "a", who="me").used == 5
    assert tokens.list_tokens(local.db) == []
    assert snapshot.generation(local.db) > epoch
    view, _ = tokens.create(local, "a", TokenSpec(), who="me")
    assert view.id == 2, "the id of a token that is gone is not given to another: its records would be taken for theirs"
