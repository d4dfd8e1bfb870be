"""JSON Schema into Gemini's subset."""

from __future__ import annotations

from typing import Any

import pytest
from google.genai import types
from hypothesis import given
from hypothesis import strategies as st

from newapi.formats import _gemini_schema as schemas

ALLOWED = frozenset(
    "anyOf default description enum example format items maxItems maxLength maxProperties maximum minItems minLength "
    "minProperties minimum nullable pattern properties propertyOrdering required title type".split()
)


@pytest.mark.parametrize(
    ("said", "cleaned"),
    [
        ({"type": "object", "properties": {}}, None),
        ({"type": ["string", "null"], "x": 1}, {"type": "STRING", "nullable": True}),
        ({"const": "a"}, {"type": "STRING", "enum": ["a"]}),
        (
            {"type": "object", "properties": {"a": {"type": "string"}}, "required": [["a"], {}, "a"]},
            {"type": "OBJECT", "properties": {"a": {"type": "STRING"}}, "required": ["a"]},
        ),
        ({"type": "integer", "enum": [1, 2]}, {"type": "INTEGER"}),
        ({"type": "string", "format": "uri"}, {"type": "STRING"}),
        ({"type": "string", "format": "date-time"}, {"type": "STRING", "format": "date-time"}),
        ({"anyOf": [{"type": "string"}, {"type": "null"}]}, {"type": "STRING", "nullable": True}),
        (
            {"oneOf": [{"type": "string"}, {"type": "number"}]},
            {"anyOf": [{"type": "STRING"}, {"type": "NUMBER"}]},
        ),
        (
            {"$defs": {"P": {"type": "object", "properties": {"a": {"type": "string"}}}}, "$ref": "#/$defs/P"},
            {"type": "OBJECT", "properties": {"a": {"type": "STRING"}}},
        ),
        (
            {"allOf": [{"type": "object", "properties": {"a": {"type": "string"}}, "required": ["a", "gone"]}]},
            {"type": "OBJECT", "properties": {"a": {"type": "STRING"}}, "required": ["a"]},
        ),
        ({"type": "array", "items": [{"type": "string"}]}, {"type": "ARRAY", "items": {"type": "STRING"}}),
        # `items: missing field` is what Gemini answers to an array of anything.
        ({"type": "array"}, {"type": "ARRAY", "items": {}}),
        ({"type": "string", "enum": ["", "a"]}, {"type": "STRING", "enum": ["a"]}),
    ],
)
def test_parameters(said: Any, cleaned: Any) -> None:
    assert schemas.parameters(said) == cleaned


def test_a_recursive_schema_ends() -> None:
    node = {"type": "object", "properties": {"next": {"$ref": "#/$defs/N"}}}
    cleaned = schemas.parameters({"$defs": {"N": node}, "$ref": "#/$defs/N"})
    assert cleaned == {"type": "OBJECT", "properties": {"next": {"type": "OBJECT"}}}


_LEAVES = st.sampled_from(
    [
        {"type": "string"},
        {"type": ["integer", "null"]},
        {"const": 1},
        {"enum": ["a", None]},
        {"$ref": "#/$defs/A"},
        True,
    ]
)
SCHEMAS = st.recursive(
    _LEAVES,
    lambda inner: st.one_of(
        st.fixed_dictionaries(
            {"type": st.just("object"), "properties": st.dictionaries(st.text(max_size=3), inner, max_size=3)},
            optional={"additionalProperties": st.booleans(), "$defs": st.dictionaries(st.just("A"), inner)},
        ),
        st.fixed_dictionaries({"type": st.just("array"), "items": inner}),
        st.fixed_dictionaries({"anyOf": st.lists(inner, max_size=3)}),
        st.fixed_dictionaries({"allOf": st.lists(inner, max_size=3)}),
    ),
    max_leaves=12,
)


def allowed(schema: dict[str, Any]) -> bool:
    nested = [
        *schema.get("properties", {}).values(),
        *schema.get("anyOf", ()),
        *([schema["items"]] if "items" in schema else []),
    ]
    return set(schema) <= ALLOWED and not isinstance(schema.get("type"), list) and all(map(allowed, nested))


@given(SCHEMAS)
def test_nothing_else_is_left(schema: Any) -> None:
    cleaned = schemas.parameters(schema)
    if cleaned is not None:
        assert allowed(cleaned)
        types.Schema.model_validate(cleaned)


@given(SCHEMAS)
def test_cleaning_twice_is_cleaning_once(schema: Any) -> None:
    once = schemas.response(schema)
    assert schemas.response(once) == once


def test_back_to_json_schema() -> None:
    own = {
        "type": "OBJECT",
        "properties": {"a": {"type": "ARRAY", "nullable": True, "min_items": "2", "items": {"type": "STRING"}}},
    }
    assert schemas.to_json_schema(own) == {
        "type": "object",
        "properties": {"a": {"type": ["array", "null"], "minItems": 2, "items": {"type": "string"}}},
    }
