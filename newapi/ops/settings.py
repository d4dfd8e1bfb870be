"""The configuration as it is in force, value by value, and where each value comes from."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, cast

import msgspec
from msgspec import NODEFAULT, Struct

from newapi.config.load import Loaded
from newapi.config.read import fields_of, kind_of
from newapi.config.schema import ChannelSpec
from newapi.ops.toml import key as quoted
from newapi.ops.toml import text_of

Path = tuple[str | int, ...]


class Setting(Struct, frozen=True):
    """One value.

    Attributes:
        table: The table it stands in: `channels.main`, "" at the top.
        key: Its name there; "" for a table in which nothing is said.
        value: As the file writes it; of a secret, the reference.
        origin: `default`, or `file:line`.
    """

    table: str
    key: str
    value: str
    origin: str


def settings(loaded: Loaded) -> list[Setting]:
    """Return every value of a configuration: of sections all, of what has a name those that it says."""
    return list(_table(loaded, loaded.config, ()))


def as_toml(found: list[Setting], *, origins: bool = False) -> str:
    """Return values as a configuration file; with `origins`, each with a comment that says where it comes from."""
    parts: list[str] = []
    table = ""
    for setting in found:
        if setting.table != table:
            table = setting.table
            parts.append(f"\n[{table}]")
        if not setting.key:
            continue
        line = f"{quoted(setting.key)} = {setting.value}"
        parts.append(f"{line}  # {setting.origin}" if origins else line)
    return "\n".join(parts) + "\n"


def _table(loaded: Loaded, struct: Struct, path: Path) -> Iterator[Setting]:
    """Yield the values of a table, then those of the tables in it."""
    named = len(path) > 1
    defaults = {f.name: f for f in msgspec.structs.fields(type(struct))}
    tables: list[tuple[Path, Struct]] = []
    told = False
    for key, (attribute, hint, needed) in fields_of(type(struct)).items():
        value, default = getattr(struct, attribute), defaults[attribute]
        type_, kind = kind_of(hint)
        if isinstance(value, Struct):
            tables.append(((*path, key), value))
        elif _is_named(type_):
            tables += [((*path, key, name), spec) for name, spec in cast(Mapping[str, Struct], value).items()]
        elif isinstance(struct, ChannelSpec) and key == "options":
            for option, said in cast(Mapping[str, Any], value).items():
                yield _setting(loaded, path, option, text_of(said, ""))
        elif needed or loaded.places.has((*path, key)) or not (named or value is None) or value != _default(default):
            told = True
            yield _setting(loaded, path, key, text_of(value, kind or _inner(type_)))
    if named and not told:
        yield Setting(_dotted(path), "", "", "")
    for inner, spec in tables:
        yield from _table(loaded, spec, inner)


def _setting(loaded: Loaded, path: Path, key: str, value: str) -> Setting:
    full = (*path, key)
    found = loaded.places.find(full) if loaded.places.has(full) else None
    origin = f"{found[0].name}:{found[1].line}" if found else "default"
    return Setting(_dotted(path), key, value, origin)


def _dotted(path: Path) -> str:
    return ".".join(quoted(str(p)) for p in path)


def _is_named(type_: Any) -> bool:
    arguments = getattr(type_, "__args__", ())
    return len(arguments) == 2 and isinstance(arguments[1], type) and issubclass(arguments[1], Struct)


def _inner(type_: Any) -> str:
    """Return what the values of a list or table mean."""
    arguments = getattr(type_, "__args__", ())
    return kind_of(arguments[-1])[1] if arguments and arguments[-1] is not Ellipsis else ""


def _default(field: Any) -> Any:
    return field.default if field.default_factory is NODEFAULT else field.default_factory()
