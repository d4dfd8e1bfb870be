"""JSON Schema of the configuration file, for editors: derived from the structs, in the words of TOML."""

from __future__ import annotations

import ast
from collections.abc import Mapping
from decimal import Decimal
from functools import cache
from pathlib import Path
from typing import Any, Literal, cast, get_args, get_origin

import msgspec
from msgspec import NODEFAULT, Struct

from newapi import providers
from newapi.config import schema, values
from newapi.config.check import NOT_YET
from newapi.config.read import COMMON_OPTIONS, fields_of, kind_of
from newapi.config.schema import ChannelSpec, Config

Json = dict[str, Any]

_DURATION = r"^(\d+(\.\d+)?(ms|s|m|h|d))+$"
_KINDS: Mapping[str, Json] = {
    "duration": {"type": "string", "pattern": _DURATION, "examples": ["30s", "5m", "2h", "30d"]},
    "interval": {"type": "string", "pattern": rf"^$|{_DURATION}", "examples": ["10m", ""]},
    "size": {"type": "string", "pattern": r"^\d+(B|[KMGT]iB|[kMGT]B)$", "examples": ["128MiB"]},
    "money": {"type": "string", "pattern": r"^\$\d+(\.\d+)?$", "examples": ["$10", "$0.002"]},
    "ratio": {"type": "number", "minimum": 0},
    "count": {"type": "integer", "minimum": 0},
    "reference": {
        "type": "string",
        "pattern": r"^$|^(env|file|keyring|secret|cred|cmd):.+",
        "examples": ["env:OPENAI_API_KEY", "file:/run/secrets/openai", "keyring:openai"],
    },
    "expiry": {"type": "string", "examples": ["90d", "2030-01-31"]},
}
_PLAIN: Mapping[Any, Json] = {
    str: {"type": "string"},
    bool: {"type": "boolean"},
    int: {"type": "integer"},
    Any: {},
}
_TEXTS = {
    "duration": values.duration_text,
    "interval": lambda seconds: values.duration_text(seconds) if seconds else "",
    "size": values.size_text,
    "money": values.money_text,
}


def json_schema() -> Json:
    """Return the schema of the whole file, in JSON Schema's draft 7, which editors of TOML know."""
    return {
        "$schema": "http://json-schema.org/draft-07/schema#",
        "title": "newapi configuration",
        **_struct(Config),
    }


def _struct(struct: type[Struct]) -> Json:
    docs = manual().get(struct.__name__, {})
    properties: Json = {}
    required: list[str] = []
    defaults = {f.name: f for f in msgspec.structs.fields(struct)}
    for key, (name, hint, needed) in fields_of(struct).items():
        if struct is ChannelSpec and key == "options":
            continue
        described = dict(_type(hint))
        if text := docs.get(name):
            described["description"] = text
        default = defaults[name].default
        if not needed and default is not NODEFAULT and default is not None and not isinstance(default, Struct):
            described["default"] = _default(hint, default)
        properties[key] = described
        if needed:
            required.append(key)
    if struct is ChannelSpec:
        properties["type"] = {**properties["type"], "enum": sorted(NOT_YET.union(providers.names()))}
        for option in sorted(_options()):
            properties.setdefault(option, {"description": "Read by some types of channel."})
    told: Json = {"type": "object", "additionalProperties": False, "properties": properties}
    if required:
        told["required"] = required
    if text := docs.get(""):
        told["description"] = text
    return told


def _type(hint: Any) -> Json:
    type_, kind = kind_of(hint)
    if kind:
        return _KINDS[kind]
    origin = get_origin(type_)
    if isinstance(type_, type) and issubclass(type_, Struct):
        return _struct(type_)
    if origin is tuple:
        return {"type": "array", "items": _type(get_args(type_)[0])}
    if origin is Literal:
        return {"enum": list(get_args(type_))}
    if origin is dict:
        keys, inner = get_args(type_)
        told: Json = {"type": "object", "additionalProperties": _type(inner)}
        if get_origin(keys) is Literal:
            told["propertyNames"] = {"enum": list(get_args(keys))}
        return told
    if type_ in _PLAIN:
        return _PLAIN[type_]
    return {"anyOf": [_type(t) for t in get_args(type_)]}


def _default(hint: Any, value: Any) -> Any:
    text = _TEXTS.get(kind_of(hint)[1])
    if text:
        return text(value)
    if isinstance(value, Decimal):
        return int(value) if value == int(value) else float(value)
    return list(cast(tuple[Any, ...], value)) if isinstance(value, tuple) else value


@cache
def _options() -> frozenset[str]:
    return COMMON_OPTIONS.union(*(providers.get(name).options for name in providers.names()))


@cache
def manual() -> dict[str, dict[str, str]]:
    """Return what the schema's docstrings say: struct -> attribute -> text; the struct's own under `""`."""
    tree = ast.parse(Path(schema.__file__).read_text(encoding="utf-8"))
    return {node.name: _attributes(node) for node in tree.body if isinstance(node, ast.ClassDef)}


def _attributes(node: ast.ClassDef) -> dict[str, str]:
    found = {"": ast.get_docstring(node) or ""}
    for before, after in zip(node.body, node.body[1:], strict=False):
        match before, after:
            case ast.AnnAssign(target=ast.Name(id=name)), ast.Expr(value=ast.Constant(value=str(text))):
                found[name] = " ".join(text.split())
            case _:
                continue
    return found
