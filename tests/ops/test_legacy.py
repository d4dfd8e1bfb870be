from __future__ import annotations

from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from newapi.base.errors import CallerError
from newapi.config.schema import ChannelSpec
from newapi.ops import legacy
from newapi.ops.legacy import Told

ROW: dict[str, Any] = {
    "type": 1,
    "name": "main",
    "base_url": "https://proxy.test/",
    "models": " gpt-4o ,gpt-4o-mini,, gpt-4o",
    "group": "default, vip",
    "priority": 5,
    "weight": 10,
    "tag": "prod",
    "remark": "first",
    "test_model": "gpt-4o-mini",
    "openai_organization": "org-1",
    "auto_ban": 0,
    "model_mapping": '{"gpt-4o":"gpt-4o-2024-11-20"}',
    "status_code_mapping": '{"400":"500","404":503}',
    "param_override": '{"temperature":0.25,"operations":[{"mode":"delete","path":"store"}]}',
    "header_override": '{"X-Team":"red","X-Number":3,"X-Null":null}',
    "setting": '{"proxy":"socks5://127.0.0.1:1080","thinking_to_content":true,"system_prompt":"Be polite.",'
    '"system_prompt_override":true,"pass_through_body_enabled":true,"force_format":true}',
    "settings": '{"allow_service_tier":true,"allow_speed":false,"disable_store":true,'
    '"upstream_model_update_check_enabled":true}',
}
SPEC = ChannelSpec(
    type="openai",
    base_url="https://proxy.test",
    models=("gpt-4o", "gpt-4o-mini"),
    groups=("default", "vip"),
    priority=5,
    weight=10,
    tag="prod",
    remark="first",
    test_model="gpt-4o-mini",
    organization="org-1",
    auto_disable=False,
    model_mapping={"gpt-4o": "gpt-4o-2024-11-20"},
    status_mapping={"400": 500, "404": 503},
    params={"temperature": 0.25},
    param_operations=({"mode": "delete", "path": "store"},),
    headers={"X-Team": "red", "X-Number": "3"},
    proxy="socks5://127.0.0.1:1080",
    thinking_to_content=True,
    system_prompt="Be polite.",
    system_prompt_mode="prepend",
    pass_through_body=True,
    force_format=True,
    allow_fields=("service_tier",),
    drop_fields=("store",),
)


def test_a_row_says_what_the_channel_is() -> None:
    told = legacy.new(ROW)
    assert told.spec == SPEC
    assert told.kept == {"settings": {"upstream_model_update_check_enabled": True}}


def test_what_is_read_can_be_written_back() -> None:
    told = legacy.new(ROW)
    again = legacy.change(Told(ChannelSpec(type="openai")), legacy.row_fields(told.spec, told.kept))
    assert again == told


def test_a_new_channel_without_a_word_is_new_apis() -> None:
    told = legacy.new({})
    assert told == Told(ChannelSpec(type="openai", weight=0))
    assert legacy.row_fields(told.spec, told.kept)["auto_ban"] == 1


@pytest.mark.parametrize(
    ("field", "value", "attribute", "expected"),
    [
        ("priority", 0, "priority", 0),
        ("weight", 0, "weight", 0),
        ("tag", "", "tag", ""),
        ("models", "", "models", ()),
        ("model_mapping", "", "model_mapping", {}),
        ("param_override", "{}", "params", {}),
        ("remark", None, "remark", "first"),
        ("setting", "", "proxy", ""),
        ("auto_ban", 1, "auto_disable", True),
        ("model_mapping", {"a": "b"}, "model_mapping", {"a": "b"}),
    ],
)
def test_what_is_said_changes_and_null_does_not(field: str, value: Any, attribute: str, expected: Any) -> None:
    changed = legacy.change(Told(SPEC), {field: value})
    assert getattr(changed.spec, attribute) == expected
    untouched = {f for f in ChannelSpec.__struct_fields__ if f != attribute and field != "setting"}
    untouched -= {"param_operations"} if field == "param_override" else set()
    assert all(getattr(changed.spec, f) == getattr(SPEC, f) for f in untouched)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("type", 999),
        ("type", "abc"),
        ("weight", -1),
        ("weight", 1.5),
        ("priority", "high"),
        ("models", "m" * 256),
        ("models", 5),
        ("model_mapping", "{oops"),
        ("model_mapping", '{"a":1}'),
        ("model_mapping", "[]"),
        ("status_code_mapping", '{"4xx":500}'),
        ("param_override", '{"operations":5}'),
        ("setting", '{"proxy":5}'),
        ("settings", "[1]"),
        ("header_override", "text"),
    ],
)
def test_what_makes_no_sense_is_refused(field: str, value: Any) -> None:
    with pytest.raises(CallerError):
        legacy.new({field: value})


@pytest.mark.parametrize(
    ("number", "other", "options"),
    [
        (3, "2025-01-01", {"api_version": "2025-01-01"}),
        (39, "account", {"account_id": "account"}),
        (17, "plugin-1", {"plugin": "plugin-1"}),
        (1, "whatever", {}),
    ],
)
def test_other_is_what_the_type_needs(number: int, other: str, options: dict[str, Any]) -> None:
    told = legacy.new({"type": number, "other": other})
    assert told.spec.options == options
    assert legacy.row_fields(told.spec, told.kept)["other"] == other
    assert legacy.row_fields(*_both(legacy.change(told, {"other": ""})))["other"] == ""


def test_settings_of_the_type_are_its_options() -> None:
    told = legacy.new({"type": 3, "other": "v1", "settings": '{"azure_responses_version":"preview"}'})
    assert told.spec.options == {"api_version": "v1", "responses_version": "preview"}
    fields = legacy.row_fields(told.spec, told.kept)
    assert msgspec.json.decode(fields["settings"]) == {"azure_responses_version": "preview"}
    assert legacy.change(told, {"settings": "{}"}).spec.options == {"api_version": "v1"}


def test_a_compatible_type_keeps_its_number_and_gets_its_address() -> None:
    told = legacy.new({"type": 12})
    assert (told.spec.type, told.spec.base_url) == ("openai", "https://api.api2gpt.com")
    assert legacy.row_fields(told.spec, told.kept)["type"] == 12
    assert legacy.row_fields(*_both(legacy.change(told, {"type": 14})))["type"] == 14


def test_every_number_leads_back_to_its_provider() -> None:
    for number, name in legacy.numbers().items():
        assert legacy.type_number(ChannelSpec(type=name)) == number


def test_a_type_without_a_provider_is_kept_only_where_that_is_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    number = 999
    monkeypatch.setattr(legacy, "UNSERVED", {number: "nowhere"})
    row = {"type": number, "other": "x", "settings": '{"a":1}'}
    with pytest.raises(CallerError):
        legacy.new(row)
    told = legacy.new(row, unserved=True)
    assert told.spec.type == legacy.UNSERVED[number]
    fields = legacy.row_fields(told.spec, told.kept)
    assert (fields["type"], fields["other"], fields["settings"]) == (number, "x", '{"a":1}')
    assert legacy.change(told, fields) == told


@pytest.mark.parametrize(
    ("text", "keys"),
    [
        ("a", ["a"]),
        (" a \r\n\n b\n", ["a", "b"]),
        ('[{"project_id":"p"},{"project_id":"q"}]', ['{"project_id":"p"}', '{"project_id":"q"}']),
        ('["x","y"]', ["x", "y"]),
        ("", []),
    ],
)
def test_keys_are_lines_or_elements(text: str, keys: list[str]) -> None:
    assert legacy.key_lines(text) == keys


def test_an_array_of_keys_that_is_none_is_refused() -> None:
    with pytest.raises(CallerError):
        legacy.key_lines("[oops")


NAMES = st.text(st.characters(codec="utf-8", exclude_characters=","), min_size=1, max_size=20).map(str.strip)
LISTS = st.lists(NAMES.filter(bool), unique=True, max_size=4).map(tuple)
JSONS = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.text(max_size=5),
    lambda children: st.lists(children, max_size=3) | st.dictionaries(st.text(max_size=5), children, max_size=3),
    max_leaves=5,
)


@given(
    models=LISTS,
    groups=LISTS,
    priority=st.integers(-(2**31), 2**31),
    weight=st.integers(0, 2**31),
    mapping=st.dictionaries(st.text(max_size=5), st.text(max_size=5), max_size=3),
    params=st.dictionaries(st.text(max_size=5).filter(lambda k: k != "operations"), JSONS, max_size=3),
    headers=st.dictionaries(st.text(max_size=5), st.text(max_size=5), max_size=3),
    prompt=st.text(max_size=5),
    allowed=st.lists(st.sampled_from(["service_tier", "speed", "inference_geo"]), unique=True).map(tuple),
)
def test_any_spec_survives_its_row(
    models: Any,
    groups: Any,
    priority: int,
    weight: int,
    mapping: Any,
    params: Any,
    headers: Any,
    prompt: str,
    allowed: Any,
) -> None:
    spec = ChannelSpec(
        type="openai",
        models=models,
        groups=groups,
        priority=priority,
        weight=weight,
        model_mapping=mapping,
        params=params,
        headers=headers,
        system_prompt=prompt,
        allow_fields=allowed,
    )
    row = legacy.row_fields(spec, {})
    again = legacy.new(row).spec
    assert msgspec.structs.replace(again, allow_fields=()) == msgspec.structs.replace(spec, allow_fields=())
    assert {*again.allow_fields} == {*allowed}


def _both(told: Told) -> tuple[Any, Any]:
    return told.spec, told.kept
