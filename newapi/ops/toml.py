"""Values in the words of the configuration file: `"$10"`, `"30s"`, `[1, 2]`."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal
from functools import cache
from typing import Any

import msgspec
from msgspec import Struct, inspect

from newapi.config.values import duration_text, money_text, plain, size_text
from newapi.ops.plan import KINDS, SECTIONS

_BARE = re.compile(r"[A-Za-z0-9_-]+")


def value_of(path: str, value: Any) -> str:
    """Return `value` as it is written at `path`: the kind of object and the key (`tokens.quota`, `health.window`)."""
    return _value(value, kind_of(path))


def text_of(value: Any, kind: str) -> str:
    """Return `value` as the file writes it, where `kind` is what the schema says it means (`money`, `size`, …, "")."""
    return _value(value, kind)


def kind_of(path: str) -> str:
    """Return what a number at `path` means in the schema (`money`, `duration`, …), "" where it means itself."""
    section, _, key_ = path.partition(".")
    return _kinds(section).get(key_.partition(".")[0], "")


def key(name: str) -> str:
    """Return a key, quoted where it has to be."""
    return name if _BARE.fullmatch(name) else _string(name)


@cache
def _kinds(section: str) -> dict[str, str]:
    type_ = SECTIONS.get(section) or KINDS.get(section)
    if type_ is None:
        return {}
    info = inspect.type_info(type_)
    return {f.encode_name: _kind(f.type) for f in info.fields} if isinstance(info, inspect.StructType) else {}


def _kind(type_: inspect.Type) -> str:
    """Return the kind that the schema gives a type, or what is in it."""
    match type_:
        case inspect.Metadata(extra={"kind": str() as kind}):
            return kind
        case inspect.UnionType(types=types):
            return next((kind for kind in map(_kind, types) if kind), "")
        case inspect.DictType(value_type=inner) | inspect.VarTupleType(item_type=inner):
            return _kind(inner)
        case inspect.StructType(fields=fields):
            return next((kind for kind in (_kind(f.type) for f in fields) if kind), "")
        case _:
            return ""


def _string(text: str) -> str:
    return msgspec.json.encode(text).decode().replace("\x7f", "\\u007f")


def _value(value: Any, kind: str = "") -> str:
    match value:
        case str():
            return _string(value)
        case bool():
            return "true" if value else "false"
        case Decimal() if kind == "money":
            return _string(money_text(value))
        case int() | float() if kind == "interval" and not value:
            return '""'
        case int() if kind == "size":
            return _string(size_text(value))
        case int() | float() if kind in ("duration", "interval", "expiry"):
            return _string(duration_text(value))
        case Decimal():
            return plain(value)
        case int() | float():
            return repr(value)
        case datetime():
            return value.isoformat()
        case Struct():
            return _value(msgspec.structs.asdict(value), kind)
        case Mapping():
            pairs = [f"{key(str(k))} = {_value(v, kind)}" for k, v in value.items() if v is not None]
            return "{ " + ", ".join(pairs) + " }" if pairs else "{}"
        case _:
            return "[" + ", ".join(_value(v, kind) for v in value if v is not None) + "]"
