"""JSON Schema as Anthropic's structured outputs take it.

Source: https://docs.claude.com/en/docs/build-with-claude/structured-outputs#json-schema-limitations
"""

from __future__ import annotations

from typing import Any, cast

import msgspec

Json = dict[str, Any]

_LISTS = ("anyOf", "allOf")
_MAPS = ("properties", "$defs", "definitions")
_KEPT = frozenset(
    ("$ref", "type", "enum", "const", "anyOf", "allOf", "properties", "$defs", "definitions", "required", "items")
) | frozenset(("title", "description", "default"))
_FORMATS = frozenset("date-time time date duration email hostname uri ipv4 ipv6 uuid".split())


def accepted(schema: Json) -> Json:
    """Return `schema` as Anthropic compiles it: objects closed, limits it does not know told in the description."""
    out: Json = {}
    told: list[str] = []
    for key, value in schema.items():
        if key in _MAPS and isinstance(value, dict):
            out[key] = {name: _inner(s) for name, s in cast(Json, value).items()}
        elif key in (*_LISTS, "oneOf") and isinstance(value, list):
            out["anyOf" if key == "oneOf" else key] = [_inner(s) for s in cast("list[Any]", value)]
        elif key == "items":
            out[key] = _inner(value)
        elif (
            key in _KEPT
            or (key == "format" and isinstance(value, str) and value in _FORMATS)
            or (key == "minItems" and value in (0, 1))
        ):
            out[key] = value
        elif key not in ("additionalProperties", "$schema", "strict"):
            told.append(f"{key}: {msgspec.json.encode(value).decode()}")
    if _is_object(schema):
        out.setdefault("properties", {})
        out["additionalProperties"] = False
    if told:
        before = out.get("description")
        out["description"] = (f"{before}\n\n" if before else "") + "{" + ", ".join(told) + "}"
    return out


def _inner(schema: Any) -> Any:
    return accepted(cast(Json, schema)) if isinstance(schema, dict) else schema


def _is_object(schema: Json) -> bool:
    kind = schema.get("type")
    return (
        kind == "object" or (isinstance(kind, list) and "object" in kind) or (kind is None and "properties" in schema)
    )


def is_accepted(schema: Json) -> bool:
    """Return whether Anthropic compiles `schema` as it is."""
    bare = {k: v for k, v in schema.items() if k != "$schema"}
    return accepted(bare) == bare


def is_closed(schema: Any) -> bool:
    """Return whether every object is closed and has no optional property: what OpenAI calls strict."""
    if isinstance(schema, list):
        return all(is_closed(s) for s in cast("list[Any]", schema))
    if not isinstance(schema, dict):
        return True
    node = cast(Json, schema)
    if _is_object(node):
        names, required = node.get("properties"), node.get("required")
        optional = set(cast(Json, names)) if isinstance(names, dict) else set[str]()
        if isinstance(required, list):
            optional -= {name for name in cast("list[Any]", required) if isinstance(name, str)}
        if node.get("additionalProperties") is not False or optional:
            return False
    inner: list[Any] = [node.get(k) for k in ("items", "anyOf", "allOf", "oneOf")]
    for key in _MAPS:
        found = node.get(key)
        inner += list(cast(Json, found).values()) if isinstance(found, dict) else []
    return is_closed(inner)
