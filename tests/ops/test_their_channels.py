"""Rows of New API's channels that are odd: what becomes of them, and what is told."""

from __future__ import annotations

from typing import Any

import pytest

from newapi.base.errors import CallerError
from newapi.ops.their_channels import Taken, Weights, take

SERVED_NOTHING = "it is disabled: it served nothing there either"


def taken(weights: Weights | None = None, lists: tuple[str, ...] = (), **row: Any) -> Taken:
    row = {"id": 3, "type": 1, "status": 1, "name": "c", "key": "k", "models": "m", "group": "default", **row}
    return take(row, weights or Weights([row]), lists, 3, 100.0)


@pytest.mark.parametrize(
    ("row", "field", "left", "notes"),
    [
        ({"param_override": "[1]"}, "params", {}, ["param_override is no JSON of an object"]),
        ({"setting": '{"proxy":5}'}, "proxy", "", ["setting: proxy must be a str"]),
        ({"settings": "nope"}, "options", {}, ["settings is no JSON of an object"]),
        ({"status_code_mapping": '{"404":500,"999":200}'}, "status_mapping", {"404": 500}, ['"999" is not a status']),
        ({"model_mapping": '{"a":"b","":"c"}'}, "model_mapping", {"a": "b"}, []),
        ({"header_override": '{"re:^X-":"","*":""}'}, "headers", {"re:^X-": "", "*": ""}, []),
        ({"param_override": '{"stop":[null]}'}, "params", {}, ["params: null in a list"]),
        (
            {"param_override": '{"operations":[{"mode":"set","path":"a","value":null}]}'},
            "param_operations",
            ({"mode": "set", "path": "a"},),
            [],
        ),
        ({"group": "auto, vip"}, "groups", ("vip",), ["auto: a list of groups has no channels"]),
        ({"models": " m ,m,, n"}, "models", ("m", "n"), []),
        ({"key": ""}, "key", "", ["it has no key"]),
        ({"type": 54}, "type", "doubao-video", ["type 'doubao-video' is not served here"]),
        ({"auto_ban": 0}, "auto_disable", False, []),
    ],
)
def test_what_new_api_leaves_alone_stays_enabled(row: dict[str, Any], field: str, left: Any, notes: list[str]) -> None:
    made = taken(lists=("auto",), **row)
    assert getattr(made.draft.told.spec, field) == left
    assert [note[: len(due)] for note, due in zip(made.notes, notes, strict=True)] == notes
    assert (made.columns["state"], made.draft.told.spec.enabled) == ("enabled", True)


@pytest.mark.parametrize(
    ("row", "field", "left"),
    [
        ({"model_mapping": "no JSON"}, "model_mapping", {}),
        ({"model_mapping": '{"a":"b","b":"a"}'}, "model_mapping", {"b": "a"}),
        ({"base_url": "api.test"}, "base_url", ""),
        ({"setting": '{"proxy":"env:HOME"}'}, "proxy", ""),
        ({"header_override": '{"X A":"b","X-C":"d"}'}, "headers", {"X-C": "d"}),
        ({"models": "m" * 300}, "models", ()),
        ({"models": None}, "models", ()),
        ({"group": ""}, "groups", ()),
    ],
)
def test_what_serves_nothing_there_is_disabled_and_told(row: dict[str, Any], field: str, left: Any) -> None:
    made = taken(**row)
    assert getattr(made.draft.told.spec, field) == left
    assert SERVED_NOTHING in made.notes
    assert (made.columns["state"], made.draft.told.spec.enabled) == ("disabled", False)
    assert made.columns["state_reason"] == made.notes[-2]


@pytest.mark.parametrize(
    ("key", "info", "keys", "states"),
    [
        ("a\n\nb", '{"is_multi_key":true,"multi_key_status_list":{"2":2}}', ["a", "b"], {"1": "disabled"}),
        ("a\r\nb\r\n", b'{"is_multi_key":true,"multi_key_status_list":{"0":3,"9":2}}', ["a", "b"], {"0": "tripped"}),
        ('["a","b"]', '{"is_multi_key":true,"multi_key_status_list":{"1":3}}', ["a", "b"], {"1": "tripped"}),
        ('[{"p":1},{"p":2}]', '{"is_multi_key":true,"multi_key_status_list":null}', ['{"p":1}', '{"p":2}'], {}),
        ("a\nb", '{"is_multi_key":false}', ["a\nb"], {}),
        (' {\n"p":1}\n', None, ['{\n"p":1}'], {}),
    ],
)
def test_keys(key: str, info: Any, keys: list[str], states: dict[str, str]) -> None:
    import msgspec

    made = taken(key=key, channel_info=info.decode() if isinstance(info, bytes) else info)
    assert [secret.reveal() for secret in made.draft.keys] == keys
    found = msgspec.json.decode(str(made.columns.get("key_states", "{}")))
    assert {at: state.get("state", "disabled") for at, state in found.items()} == states
    assert made.draft.several is bool(info and b"true" in (info if isinstance(info, bytes) else info.encode()))


@pytest.mark.parametrize("number", [None, 0, "x", 28, 99])
def test_a_type_that_nobody_knows(number: Any) -> None:
    with pytest.raises(CallerError, match="are not served here"):
        taken(type=number)


def test_a_proxy_with_a_password_stays_and_is_not_told() -> None:
    made = taken(setting='{"proxy":"socks5://u:canary@h.test:1"}')
    assert (made.draft.told.spec.proxy, made.notes) == ("socks5://u:canary@h.test:1", ())


@pytest.mark.parametrize(
    ("row", "others", "weight"),
    [
        ({"weight": 0}, [], 100),
        ({"weight": None}, [{"weight": 0}], 100),
        ({"weight": 0}, [{"weight": 5}], 0),
        ({"weight": 0}, [{"weight": 5, "priority": 9}], 100),
        ({"weight": 0}, [{"weight": 5, "group": "vip"}], 100),
        ({"weight": 0}, [{"weight": 5, "status": 2}], 100),
        ({"weight": 0, "group": "default,vip"}, [{"weight": 5, "group": "vip"}], 1),
        ({"weight": 7}, [], 7),
    ],
)
def test_a_weight_of_0_is_an_equal_share_where_nobody_has_one(
    row: dict[str, Any], others: list[dict[str, Any]], weight: int
) -> None:
    rows = [{"status": 1, "group": "default", **r} for r in (row, *others)]
    made = taken(Weights(rows), **row)
    assert made.draft.told.spec.weight == weight
    assert bool(made.notes) is (weight == 1)
