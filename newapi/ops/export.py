"""The database as a configuration file: `newapi export | newapi diff -` shows no change."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from typing import Any

import msgspec
from msgspec import Struct

from newapi.ops.plan import KINDS, SECTIONS, Choice, plain
from newapi.store import declared, specs
from newapi.store.database import Database

_BARE = re.compile(r"[A-Za-z0-9_-]+")
_MONEY = frozenset(
    {
        *("billing.new_user_quota", "billing.invite_quota", "tokens.quota", "tokens.budget"),
        *(f"models.{name}" for name in ("input", "output", "cached_input", "cache_write", "price", "tiers")),
    }
)
_DURATIONS = frozenset(
    {
        *("health.window", "health.cooldown", "health.probe_every", "health.balance_every"),
        *("tasks.poll_every", "tasks.timeout", "tokens.expires"),
    }
)
_UNITS = (("d", 86_400), ("h", 3600), ("m", 60), ("s", 1))


def export(db: Database, *, only: Sequence[str] = ()) -> str:
    """Return what the database holds as TOML: references, never secrets.

    Args:
        db: The database.
        only: `KIND` or `KIND/NAME`; empty for everything.

    Raises:
        ConfigError: `only` names no kind.
        StoreError: The database holds what this version does not understand.
    """
    chosen = Choice(only)
    with db.reading() as c:
        there = declared.read(c)
    tables = ["version = 1\n"]
    for section, type_ in SECTIONS.items():
        if section in there.sections and chosen(section, ""):
            spec = specs.decode(there.sections[section], type_, f"[{section}]")
            if lines := list(_lines(section, spec)):
                tables.append(_table(section, lines))
    for kind, type_ in KINDS.items():
        for name, row in there.of(kind).items():
            if chosen(kind, name):
                spec = specs.decode(row.spec, type_, f"{kind}.{name}")
                tables.append(_table(f"{kind}.{_key(name)}", list(_lines(kind, spec))))
    return "\n".join(tables)


def _table(head: str, lines: Sequence[str]) -> str:
    return f"[{head}]\n" + "".join(f"{line}\n" for line in lines)


def _lines(kind: str, spec: Struct) -> Iterator[str]:
    """Yield the lines of a table: every value that is not as if nothing had been said."""
    for field in msgspec.structs.fields(type(spec)):
        value = getattr(spec, field.name)
        default = field.default if field.default_factory is msgspec.NODEFAULT else field.default_factory()
        if value == default:
            continue
        if field.name == "options":  # what a type needs more is written beside the others
            yield from (f"{_key(name)} = {_value(v)}" for name, v in value.items())
        else:
            path = f"{kind}.{field.encode_name}"
            yield f"{field.encode_name} = {_value(value, money=path in _MONEY, duration=path in _DURATIONS)}"


def _key(name: str) -> str:
    return name if _BARE.fullmatch(name) else _string(name)


def _string(text: str) -> str:
    return msgspec.json.encode(text).decode().replace("\x7f", "\\u007f")


def _value(value: Any, *, money: bool = False, duration: bool = False) -> str:
    match value:
        case str():
            return _string(value)
        case bool():
            return "true" if value else "false"
        case Decimal() if money:
            return _string(f"${plain(value)}")
        case int() | float() if duration:
            return _string(_duration(value))
        case Decimal() | int() | float():
            return plain(value) if isinstance(value, Decimal) else repr(value)
        case datetime():
            return value.isoformat()
        case Struct():
            return _value(msgspec.structs.asdict(value), money=money)
        case Mapping():
            pairs = [f"{_key(str(k))} = {_value(v, money=money)}" for k, v in value.items() if v is not None]
            return "{ " + ", ".join(pairs) + " }" if pairs else "{}"
        case _:
            return "[" + ", ".join(_value(v, money=money) for v in value) + "]"


def _duration(seconds: float) -> str:
    if not seconds:
        return ""
    for unit, size in _UNITS:
        if seconds % size == 0:
            return f"{int(seconds // size)}{unit}"
    return f"{plain(Decimal(str(seconds)))}s"
