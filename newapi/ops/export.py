"""The database as a configuration file: `newapi export | newapi diff -` shows no change."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import msgspec
from msgspec import Struct

from newapi.config.schema import Config
from newapi.ops.plan import KINDS, SECTIONS, Choice
from newapi.ops.toml import key, value_of
from newapi.store import declared, specs
from newapi.store.database import Database


def export(db: Database, *, only: Sequence[str] = ()) -> str:
    """Return what the database holds as TOML: references, never secrets.

    Args:
        db: The database.
        only: `KIND` or `KIND/NAME`; empty for everything.

    Raises:
        ConfigError: `only` names no kind.
        NotFound: It names what is not there.
        StoreError: The database holds what this version does not understand.
    """
    chosen = Choice(only)
    with db.reading() as c:
        there = declared.read(c)
    chosen.check(Config(), there)
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
                tables.append(_table(f"{kind}.{key(name)}", list(_lines(kind, spec))))
    return "\n".join(tables)


def document(config: Config) -> str:
    """Return a configuration as one TOML document, as far as it is applied: without `[server]` and its like."""
    tables = ["version = 1\n"]
    if config.moved:
        moves = msgspec.to_builtins(config.moved)
        tables[0] += f"moved = {value_of('', moves)}\n"
    for section in SECTIONS:
        if lines := list(_lines(section, getattr(config, section))):
            tables.append(_table(section, lines))
    for kind in KINDS:
        for name, spec in getattr(config, kind).items():
            tables.append(_table(f"{kind}.{key(name)}", list(_lines(kind, spec))))
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
            yield from (f"{key(name)} = {value_of('', v)}" for name, v in value.items())
        else:
            path = f"{kind}.{field.encode_name}"
            yield f"{field.encode_name} = {value_of(path, value)}"


def table(kind: str, name: str, spec: Struct) -> str:
    """Return one object as its table of a configuration file."""
    return _table(f"{kind}.{key(name)}", list(_lines(kind, spec)))
