from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from newapi.base.errors import ConfigError, Conflict, NotFound, StoreError
from newapi.base.progress import watched
from newapi.config.schema import (
    BillingSpec,
    ChannelSpec,
    Config,
    GroupSpec,
    ModelSpec,
    RoutingSpec,
    Tier,
    TokenSpec,
)
from newapi.ops import history
from newapi.ops.apply import BY_HAND, apply, plan
from newapi.ops.local import Local
from newapi.ops.vault import Vault
from newapi.store import audit, channels, snapshot, tokens
from newapi.store.keys import hash_key
from newapi.store.ledger import Settlement, UsageRecord, write_batch

A = ChannelSpec(type="openai", key="env:A", models=("gpt-4o",))
USD = 500_000


def spend(local: Local, quota: int, id: str = "r1") -> None:
    """Use the first token."""
    write_batch(local.db, [Settlement(UsageRecord(id, 1.0, quota=quota), 1, 1, 0, quota)])


def token(local: Local) -> snapshot.StoredToken:
    return snapshot.load(local.db).tokens[0]


def test_what_is_applied_is_what_is_loaded(local: Local) -> None:
    wanted = Config(
        routing=RoutingSpec(retries=7),
        billing=BillingSpec(unpriced="default", new_user_quota=Decimal("0.5")),
        groups={"default": GroupSpec(), "vip": GroupSpec(ratio=Decimal("0.8"))},
        models={"m": ModelSpec(tiers=(Tier(up_to=128_000, input=Decimal("0.4"), output=Decimal("1.2")),))},
        channels={"a": A, "b": ChannelSpec(type="anthropic", enabled=False, options={"region": "eu"})},
        tokens={"ci": TokenSpec(key="env:CI", group="vip", quota=Decimal(10), models=("gpt-4o*",))},
    )
    made = apply(local, wanted, who="me", now=1000.0)
    stored = snapshot.load(local.db)
    assert (made.generation, stored.generation) == (1, 1)
    assert (stored.routing, stored.billing, stored.health) == (wanted.routing, wanted.billing, wanted.health)
    assert (stored.groups, stored.models) == (wanted.groups, wanted.models)
    assert [(c.id, c.name, c.spec, c.state, c.state_reason) for c in stored.channels] == [
        (1, "a", wanted.channels["a"], "enabled", ""),
        (2, "b", wanted.channels["b"], "disabled", BY_HAND),
    ]
    (ci,) = stored.tokens
    assert (ci.name, ci.user_id, ci.group, ci.spec) == ("ci", 1, "vip", wanted.tokens["ci"])
    assert ci.key_hash == hash_key("c" * 48)
    assert (ci.remaining, ci.used, ci.unlimited, ci.expires_at, ci.state) == (10 * USD, 0, False, 0, "enabled")
    assert made.new_tokens == ()


def test_a_key_is_made_where_none_is_declared(local: Local) -> None:
    wanted = Config(tokens={"a": TokenSpec(), "ci": TokenSpec(key="env:CI"), "b": TokenSpec()})
    made = apply(local, wanted, who="me")
    assert [t.name for t in made.new_tokens] == ["a", "b"]
    keys = [t.key.reveal() for t in made.new_tokens]
    assert all(len(k) == 51 and k.startswith("sk-") and k[3:].isalnum() for k in keys)
    assert keys[0] != keys[1]
    with local.db.reading() as c:
        for t in made.new_tokens:
            (record,) = tokens.select(c, key_hash=hash_key(t.key.reveal()))
            assert record.name == t.name
            assert record.key_hint == t.key.reveal()[-4:]
            opened = local.vault.open(record.key_cipher)
            assert opened is not None
            assert opened.reveal() == t.key.reveal()
    assert (
        apply(
            local, Config(tokens={"a": TokenSpec(), "ci": TokenSpec(key="env:CI"), "b": TokenSpec()}), who="me"
        ).new_tokens
        == ()
    )


def test_a_key_is_not_kept_where_none_is_to_be(local: Local) -> None:
    hashing = Local(db=local.db, config=local.config, vault=Vault(local.vault.resolve))
    apply(hashing, Config(tokens={"a": TokenSpec()}), who="me")
    with local.db.reading() as c:
        assert tokens.select(c, name="a")[0].key_cipher is None


def test_the_database_holds_no_key(local: Local, tmp_path: Any) -> None:
    made = apply(local, Config(tokens={"a": TokenSpec(), "ci": TokenSpec(key="env:CI")}), who="me")
    held = b"".join(p.read_bytes() for p in tmp_path.iterdir())
    for key in (made.new_tokens[0].key.reveal()[3:], "c" * 48):
        assert key.encode() not in held


@pytest.mark.parametrize(
    ("declared", "problems"),
    [
        ({"a": TokenSpec(key="env:NONE")}, ["tokens.a.key"]),
        ({"a": TokenSpec(key="env:NONE"), "b": TokenSpec(key="env:NOR")}, ["tokens.a.key", "tokens.b.key"]),
        ({"a": TokenSpec(key="env:CI"), "b": TokenSpec(key="env:CI")}, ["tokens.b.key"]),
    ],
)
def test_a_key_that_cannot_be_had(local: Local, declared: dict[str, TokenSpec], problems: list[str]) -> None:
    before = snapshot.load(local.db)
    with pytest.raises(ConfigError) as caught:
        apply(local, Config(groups={"g": GroupSpec()}, tokens=declared), who="me")
    assert [p.key for p in caught.value.problems] == problems
    assert snapshot.load(local.db) == before


def test_a_key_goes_to_another_token(local: Local) -> None:
    apply(local, Config(tokens={"a": TokenSpec(key="env:CI")}), who="me")
    apply(local, Config(tokens={"b": TokenSpec(key="env:CI")}), who="me")
    assert [t.name for t in snapshot.load(local.db).tokens] == ["b"]


def test_a_key_that_changed(local: Local, secrets: dict[str, str]) -> None:
    wanted = Config(tokens={"ci": TokenSpec(key="env:CI", quota=Decimal(1))})
    apply(local, wanted, who="me")
    spend(local, 100)
    secrets["env:CI"] = "sk-" + "n" * 48
    apply(local, wanted, who="me")
    assert token(local).key_hash == hash_key("n" * 48)
    assert token(local).used == 100


@pytest.mark.parametrize(
    ("first", "spent", "then", "remaining", "unlimited"),
    [
        ({"quota": Decimal(10)}, USD, {"quota": Decimal(20)}, 19 * USD, False),
        ({"quota": Decimal(10)}, USD, {"quota": Decimal("0.5")}, -USD // 2, False),
        ({"quota": Decimal(10)}, USD, {"quota": Decimal(10), "group": "vip"}, 9 * USD, False),
        ({"quota": Decimal(10)}, USD, {"unlimited": True}, -USD, True),
        ({"unlimited": True}, USD, {"quota": Decimal(5)}, 4 * USD, False),
    ],
)
def test_what_was_spent_stays_spent(
    local: Local, first: dict[str, Any], spent: int, then: dict[str, Any], remaining: int, unlimited: bool
) -> None:
    apply(local, Config(tokens={"t": TokenSpec(**first)}), who="me")
    spend(local, spent)
    assert plan(local, Config(tokens={"t": TokenSpec(**first)})).changes == ()
    apply(local, Config(tokens={"t": TokenSpec(**then)}), who="me")
    assert (token(local).remaining, token(local).used, token(local).unlimited) == (remaining, spent, unlimited)


@pytest.mark.parametrize(
    ("expires", "at"),
    [(None, 0), (60.0, 1060.0), (datetime(2030, 1, 1, tzinfo=UTC), 1893456000.0), (datetime(2030, 1, 1), 1893456000.0)],  # noqa: DTZ001
)
def test_when_a_token_expires(local: Local, expires: Any, at: float) -> None:
    apply(local, Config(tokens={"t": TokenSpec(expires=expires)}), who="me", now=1000.0)
    apply(local, Config(tokens={"t": TokenSpec(expires=expires, group="vip")}), who="me", now=5000.0)
    assert token(local).expires_at == at


def test_a_token_is_turned_off_and_on(local: Local) -> None:
    for enabled, state in ((False, "disabled"), (True, "enabled")):
        apply(local, Config(tokens={"t": TokenSpec(enabled=enabled)}), who="me")
        assert token(local).state == state


@pytest.mark.parametrize(
    ("state", "reason", "changed", "after"),
    [
        ("tripped", "3 failures", {"weight": 5}, "tripped"),
        ("tripped", "3 failures", {"key": "env:B"}, "enabled"),
        ("disabled", "401", {"base_url": "https://b.example"}, "enabled"),
        ("disabled", BY_HAND, {"key": "env:B"}, "disabled"),
        ("enabled", "", {"enabled": False}, "disabled"),
        ("tripped", "3 failures", {"enabled": False}, "disabled"),
    ],
)
def test_the_state_of_a_channel_is_its_own(
    local: Local, state: channels.State, reason: str, changed: dict[str, Any], after: str
) -> None:
    apply(local, Config(channels={"a": A}), who="me")
    channels.set_state(local.db, 1, state, reason)
    assert plan(local, Config(channels={"a": A})).changes == ()
    apply(local, Config(channels={"a": msgspec.structs.replace(A, **changed)}), who="me")
    assert snapshot.load(local.db).channels[0].state == after


def test_of_two_applies_at_once_the_second_is_told(local: Local) -> None:
    first, second = plan(local, Config(channels={"a": A})), plan(local, Config(channels={"b": A}))
    apply(local, Config(channels={"a": A}), who="me", base=first.base)
    with pytest.raises(Conflict, match="Generation 1 was applied meanwhile"):
        apply(local, Config(channels={"b": A}), who="you", base=second.base)
    assert [c.name for c in snapshot.load(local.db).channels] == ["a"]


def test_nothing_to_do_leaves_everything(local: Local) -> None:
    apply(local, Config(channels={"a": A}), who="me")
    epoch = snapshot.generation(local.db)
    made = apply(local, Config(channels={"a": A}), who="me")
    assert (made.generation, made.changes) == (1, ())
    assert snapshot.generation(local.db) == epoch
    assert len(history.history(local.db)) == 1


def test_running_servers_see_every_apply(local: Local) -> None:
    before = snapshot.generation(local.db)
    apply(local, Config(channels={"a": A}), who="me")
    after = snapshot.generation(local.db)
    assert after > before
    assert snapshot.load(local.db).epoch == after


def test_what_commands_made_is_left_alone(local: Local) -> None:
    from newapi.ops import tokens as ops_tokens

    ops_tokens.create(local, "mine", TokenSpec(), who="me")
    apply(local, Config(tokens={"t": TokenSpec()}), who="me")
    apply(local, Config(), who="me")
    assert [t.name for t in snapshot.load(local.db).tokens] == ["mine"]


def test_what_commands_made_and_the_file_declares_becomes_the_files(local: Local) -> None:
    from newapi.ops import tokens as ops_tokens

    ops_tokens.create(local, "mine", TokenSpec(quota=Decimal(1)), who="me")
    wanted = Config(tokens={"mine": TokenSpec(quota=Decimal(1))})
    assert plan(local, wanted).changes == ()
    assert plan(local, wanted).adopted == (("tokens", "mine"),)
    made = apply(local, wanted, who="me")
    assert (made.generation, made.adopted) == (0, (("tokens", "mine"),))
    assert plan(local, wanted).adopted == ()
    apply(local, Config(), who="me")
    assert snapshot.load(local.db).tokens == ()


def test_every_apply_is_in_the_audit_log(local: Local) -> None:
    apply(local, Config(channels={"a": A}), who="me", source="commit 1a2b3c", now=5.0)
    (entry,) = audit.entries(local.db, action="apply")
    assert (entry.created_at, entry.who, entry.source, entry.target) == (5.0, "me", "commit 1a2b3c", "generation 1")
    assert "env:A" not in str(entry.detail)


def test_a_failure_in_the_middle_leaves_nothing(local: Local) -> None:
    before = snapshot.load(local.db)
    with local.db.writing() as c:
        c.execute_sql("ALTER TABLE generations RENAME TO elsewhere")  # missed when all but the generation is written
    with pytest.raises(StoreError):
        apply(local, Config(channels={"a": A}, tokens={"t": TokenSpec()}), who="me")
    with local.db.writing() as c:
        c.execute_sql("ALTER TABLE elsewhere RENAME TO generations")
    assert snapshot.load(local.db) == before


def test_going_back(local: Local) -> None:
    one = Config(channels={"a": A}, routing=RoutingSpec(retries=1))
    two = Config(channels={"b": A}, routing=RoutingSpec(retries=2))
    apply(local, one, who="me", source="one", now=10.0)
    apply(local, two, who="me", now=20.0)
    number, config = history.configuration_of(local.db, None)
    assert (number, config) == (1, one)
    apply(local, config, who="me", source="rollback to 1", now=30.0)
    assert [c.name for c in snapshot.load(local.db).channels] == ["a"]
    assert [msgspec.structs.astuple(g) for g in history.history(local.db)] == [
        (3, 30.0, "me", "rollback to 1", 1, 1, 1, True),
        (2, 20.0, "me", "", 1, 1, 1, False),
        (1, 10.0, "me", "one", 1, 1, 0, False),
    ]
    assert [c.label for c in history.changes_of(local.db, 1)] == ["routing", "channels.a"]


@pytest.mark.parametrize(
    ("applies", "number", "message"),
    [
        (0, None, "no generation to go back"),
        (1, None, "no generation to go back"),
        (0, 3, "nothing was applied"),
        (2, 9, "there are 1 to 2"),
    ],
)
def test_a_generation_that_does_not_exist(local: Local, applies: int, number: int | None, message: str) -> None:
    for i in range(applies):
        apply(local, Config(routing=RoutingSpec(retries=10 + i)), who="me")
    with pytest.raises(NotFound, match=message):
        history.configuration_of(local.db, number)


# -- properties -----------------------------------------------------------------------------------------------------

NAMES = st.sampled_from(["a", "b", "gpt-4.1", "x y", "ü"])
NUMBERS = st.decimals(0, 1000, places=3, allow_nan=False)
CHANNELS = st.builds(
    ChannelSpec,
    type=st.sampled_from(["openai", "anthropic"]),
    key=st.sampled_from(["", "env:A", "env:B"]),
    models=st.lists(st.sampled_from(["gpt-4o", "o3*", "*"]), max_size=2).map(tuple),
    priority=st.integers(-5, 5),
    enabled=st.booleans(),
    headers=st.dictionaries(NAMES, st.text(max_size=5), max_size=2),
    params=st.dictionaries(NAMES, st.one_of(st.integers(-9, 9), st.booleans(), st.text(max_size=3)), max_size=2),
)
TOKENS = st.builds(
    TokenSpec,
    group=st.sampled_from(["default", "vip"]),
    quota=st.none() | NUMBERS,
    unlimited=st.booleans(),
    expires=st.none() | st.sampled_from([60.0, datetime(2030, 1, 1, tzinfo=UTC)]),
    key=st.just(""),
    budget=st.dictionaries(st.sampled_from(["day", "month"]), NUMBERS, max_size=2),
)
MODELS = st.builds(ModelSpec, ratio=st.none() | NUMBERS, input=st.none() | NUMBERS, price=st.none() | NUMBERS)
GROUPS = st.builds(GroupSpec, ratio=NUMBERS, ratio_for=st.dictionaries(NAMES, NUMBERS, max_size=2))
CONFIGS = st.builds(
    Config,
    routing=st.builds(RoutingSpec, retries=st.integers(0, 9)),
    groups=st.dictionaries(NAMES, GROUPS, max_size=3),
    models=st.dictionaries(NAMES, MODELS, max_size=3),
    channels=st.dictionaries(NAMES, CHANNELS, max_size=3),
    tokens=st.dictionaries(NAMES, TOKENS, max_size=3),
)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(CONFIGS, CONFIGS)
def test_the_plan_after_an_apply_is_empty(local: Local, first: Config, second: Config) -> None:
    for wanted in (first, second):
        apply(local, wanted, who="me")
        assert plan(local, wanted).changes == ()
        stored = snapshot.load(local.db)
        assert (stored.groups, stored.models) == (wanted.groups, wanted.models)
        assert {c.name: c.spec for c in stored.channels} == wanted.channels
        assert {t.name: t.spec for t in stored.tokens} == wanted.tokens


def test_how_far_it_is_is_told(local: Local) -> None:
    told: list[tuple[str, int, int]] = []
    wanted = Config(groups={"a": GroupSpec(), "b": GroupSpec()}, tokens={"ci": TokenSpec(key="env:CI")})
    with watched(lambda *said: told.append(said)):
        apply(local, wanted, who="test")
    assert told[:2] == [("Resolving keys of tokens", 0, 1), ("Resolving keys of tokens", 1, 1)]
    assert told[2] == ("Comparing with the database", 0, 0)
    assert ("Applying changes", 3, 3) in told
    assert told[-2:] == [("Writing new groups", 0, 0), ("Writing new tokens", 0, 0)]
