"""Who may ask for what."""

from __future__ import annotations

from decimal import Decimal

import pytest

from newapi.base.errors import CallerError
from newapi.relay.admit import admit, check_model, keys_shown
from newapi.relay.snapshot import Snapshot
from newapi.relay.values import Caller
from tests.relay.world import KEY, NOW, snapshot, token, user


def ask(picture: Snapshot, key: str = KEY, peer: str = "192.0.2.7") -> Caller:
    return admit(picture, {"authorization": f"Bearer {key}"}, "", peer, NOW)


@pytest.mark.parametrize(
    ("headers", "query", "shown"),
    [
        ({"authorization": "Bearer a"}, "", ["a"]),
        ({"authorization": "bearer  a "}, "", ["a"]),
        ({"authorization": "a"}, "", ["a"]),
        ({"x-api-key": "b"}, "", ["b"]),
        ({"x-goog-api-key": "c"}, "", ["c"]),
        ({}, "d", ["d"]),
        ({"sec-websocket-protocol": "realtime, openai-insecure-api-key.e, openai-beta.realtime-v1"}, "", ["e"]),
        ({"authorization": "Bearer a", "x-api-key": "b"}, "d", ["a", "b", "d"]),
        ({"authorization": "Bearer "}, "", []),
        ({}, "", []),
    ],
)
def test_a_key_is_found_wherever_a_vendor_s_client_puts_it(
    headers: dict[str, str], query: str, shown: list[str]
) -> None:
    assert keys_shown(headers, query) == shown


def test_a_key_is_known_with_and_without_its_prefix() -> None:
    picture = snapshot()
    assert ask(picture).token.id == ask(picture, KEY.removeprefix("sk-")).token.id == 1


def test_the_first_key_that_is_known_counts() -> None:
    assert admit(snapshot(), {"authorization": "Bearer no", "x-api-key": KEY}, "", "", NOW).token.id == 1


@pytest.mark.parametrize(
    ("picture", "status"),
    [
        (snapshot(tokens={}), 401),
        (snapshot(tokens={KEY: token(enabled=False)}), 401),
        (snapshot(tokens={KEY: token(expires_at=NOW)}), 401),
        (snapshot(tokens={KEY: token(expires_at=NOW - 1)}), 401),
        (snapshot(users=[user(enabled=False)]), 403),
        (snapshot(users=[user(2)]), 403),
        (snapshot(tokens={KEY: token(group="gone")}), 403),
        (snapshot(tokens={KEY: token(spec={"allow_ips": ["10.0.0.0/8"]})}), 403),
    ],
    ids=["unknown", "disabled", "expires now", "expired", "banned", "no owner", "group gone", "address"],
)
def test_who_is_refused(picture: Snapshot, status: int) -> None:
    with pytest.raises(CallerError) as caught:
        ask(picture)
    assert caught.value.status == status


def test_no_key_at_all_says_how_to_give_one() -> None:
    with pytest.raises(CallerError, match="Authorization"):
        admit(snapshot(), {}, "", "", NOW)


def test_a_token_that_expires_later_is_taken() -> None:
    assert ask(snapshot(tokens={KEY: token(expires_at=NOW + 1)})).token.expires_at == NOW + 1


@pytest.mark.parametrize(
    ("allowed", "peer", "admitted"),
    [
        ("192.0.2.0/24", "192.0.2.7", True),
        ("192.0.2.7", "192.0.2.7", True),
        ("192.0.2.7/24", "192.0.2.9", True),
        ("192.0.2.8", "192.0.2.7", False),
        ("2001:db8::/32", "2001:db8::1", True),
        ("2001:db8::/32", "192.0.2.7", False),
        ("0.0.0.0/0", "", False),
        ("0.0.0.0/0", "unix", False),
    ],
)
def test_addresses(allowed: str, peer: str, admitted: bool) -> None:
    picture = snapshot(tokens={KEY: token(spec={"allow_ips": [allowed]})})
    if admitted:
        assert ask(picture, peer=peer).token.id == 1
    else:
        with pytest.raises(CallerError):
            ask(picture, peer=peer)


@pytest.mark.parametrize("role", ["admin", "root"])
def test_an_administrator_may_pin_a_channel(role: str) -> None:
    assert ask(snapshot(users=[user(role=role)]), f"{KEY}-17").channel_id == 17


def test_nobody_else_may() -> None:
    with pytest.raises(CallerError) as caught:
        ask(snapshot(), f"{KEY}-17")
    assert caught.value.status == 403


@pytest.mark.parametrize(
    ("group", "ratio", "special"),
    [("", Decimal(2), None), ("vip", Decimal("0.5"), Decimal("0.5")), ("plain", Decimal(1), None)],
)
def test_what_a_caller_pays(group: str, ratio: Decimal, special: Decimal | None) -> None:
    groups = {"default": {"ratio": "2", "ratio_for": {"vip": "0.5"}}, "vip": {"ratio": "3"}, "plain": {}}
    caller = ask(snapshot(tokens={KEY: token(group=group)}, groups=groups))
    assert (caller.group, caller.group_ratio, caller.user_ratio) == (group or "default", ratio, special)


LISTED = {
    "default": {"ratio": "2", "ratio_for": {"open": "0.3"}},
    "open": {"selectable": True},
    "shut": {"ratio": "9"},
    "auto": {"members": ["shut", "open", "default"]},
    "vault": {"members": ["shut"]},
}


@pytest.mark.parametrize(
    ("role", "groups"),
    [
        ("user", [("open", Decimal("0.3")), ("default", 2)]),
        ("root", [("shut", 9), ("open", Decimal("0.3")), ("default", 2)]),
    ],
)
def test_a_list_of_groups_is_those_that_are_open_to_the_user(role: str, groups: list[tuple[str, Decimal]]) -> None:
    picture = snapshot(tokens={KEY: token(group="auto")}, users=[user(role=role)], groups=LISTED)
    caller = ask(picture)
    assert caller.list_name == "auto"
    assert [(c.group, c.group_ratio) for c in caller.in_groups()] == groups
    assert caller.group == groups[0][0]


def test_a_list_of_which_nothing_is_open() -> None:
    with pytest.raises(CallerError, match="None of the groups in 'vault' is open") as caught:
        ask(snapshot(tokens={KEY: token(group="vault")}, groups=LISTED))
    assert caught.value.status == 403


@pytest.mark.parametrize(
    ("allowed", "model", "refused"),
    [([], "any", False), (["gpt-4o"], "gpt-4o", False), (["gpt-4o"], "gpt-4", True), (["gpt-*"], "gpt-4", False)],
)
def test_a_token_s_list_of_models(allowed: list[str], model: str, refused: bool) -> None:
    caller = ask(snapshot(tokens={KEY: token(spec={"models": allowed})}))
    if not refused:
        check_model(caller, model)
        return
    with pytest.raises(CallerError) as caught:
        check_model(caller, model)
    assert (caught.value.status, caught.value.param) == (403, "model")
