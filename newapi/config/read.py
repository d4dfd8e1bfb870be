"""From what TOML says to the structs of the schema: the shape of it. Every problem is noted, none ends the reading."""

from __future__ import annotations

import re
import types
from collections.abc import Callable, Mapping
from datetime import UTC, date, datetime
from decimal import Decimal
from functools import cache
from typing import Annotated, Any, Literal, Union, cast, get_args, get_origin, get_type_hints

import msgspec
from msgspec import NODEFAULT, Meta, Struct

from newapi import providers
from newapi.base.nearest import nearest
from newapi.config import values
from newapi.config.findings import Findings, advise, dotted
from newapi.config.positions import Path
from newapi.config.schema import ChannelSpec, Config
from newapi.config.values import SCHEMES

COMMON_OPTIONS = frozenset(
    {
        *("api_version", "account_id", "region", "bot_id", "app", "endpoint"),
        *("claude_beta_query", "openrouter_enterprise", "azure_responses_version"),
    }
)
"""What a channel may say whatever its type: read by those types that know it."""


class _Bad:
    """Stands for a value that was not readable."""


BAD = _Bad()


def read(data: Mapping[str, Any], findings: Findings) -> Config:
    """Return the configuration that `data` says, as far as it can be read.

    Args:
        data: Of a TOML document whose floats were parsed as `Decimal`.
        findings: Told what cannot.
    """
    config = _Reader(findings).struct(Config, data, ())
    return config if isinstance(config, Config) else Config()


@cache
def fields_of(struct: type[Struct]) -> dict[str, tuple[str, Any, bool]]:
    """Return the fields of a struct by their name in the file: attribute, annotation, whether it must be there."""
    hints = get_type_hints(struct, include_extras=True)
    return {
        f.encode_name: (f.name, hints[f.name], f.default is NODEFAULT and f.default_factory is NODEFAULT)
        for f in msgspec.structs.fields(struct)
    }


def kind_of(hint: Any) -> tuple[Any, str]:
    """Return a type without what annotates it or makes it optional, and its kind (`duration`, `money`, …) or ""."""
    if get_origin(hint) is Annotated:
        inner, *notes = get_args(hint)
        kind = next((m.extra["kind"] for m in notes if isinstance(m, Meta) and m.extra), "")
        return inner, kind
    if get_origin(hint) in (Union, types.UnionType) and type(None) in get_args(hint):
        rest = [a for a in get_args(hint) if a is not type(None)]
        if len(rest) == 1:
            return kind_of(rest[0])
    return hint, ""


class _Reader:
    def __init__(self, findings: Findings) -> None:
        self._findings = findings

    def value(self, hint: Any, value: Any, path: Path) -> Any:
        type_, kind = kind_of(hint)
        if kind:
            return _KINDS[kind](self, value, path)
        origin = get_origin(type_)
        if isinstance(type_, type) and issubclass(type_, Struct):
            return self.struct(type_, value, path)
        if origin is dict:
            return self._mapping(get_args(type_), value, path)
        if origin is tuple:
            return self._array(get_args(type_)[0], value, path)
        if origin is Literal:
            return self._choice(get_args(type_), value, path)
        return self._plain(type_, value, path)

    def struct(self, struct: type[Struct], value: Any, path: Path) -> Any:
        if not isinstance(value, dict):
            return self._wrong(path, "a table", value, _as_table(path))
        table = cast(dict[str, Any], value)
        fields = fields_of(struct)
        found: dict[str, Any] = {}
        if struct is ChannelSpec:
            fields = {k: f for k, f in fields.items() if k != "options"}
            found["options"] = self._options(table, fields, path)
        for key, inner in table.items():
            if key not in fields:
                if key not in found.get("options", ()):
                    self._unknown(path, key, fields, table)
                continue
            name, hint, _ = fields[key]
            read = self.value(hint, inner, (*path, key))
            if read is not BAD:
                found[name] = read
        missing = [key for key, (_, _, required) in fields.items() if required and key not in table]
        for key in missing:
            self._findings.add((*path, key), f"`{key}` is missing", _MISSING.get(key, ""), at_key=True)
        required = {name for name, _, needed in fields.values() if needed}
        return struct(**found) if required <= found.keys() else BAD

    def _unknown(self, path: Path, key: str, fields: Mapping[str, Any], table: Mapping[str, Any]) -> None:
        known = set(fields)
        if "type" in fields:
            known |= _options_of(table.get("type"))
        if "type" in fields and key == "options":
            hint = "what a type needs more is written beside the other keys"
        elif len(elsewhere := _sections_with(key)) == 1 and (len(path) < _NAMED or not nearest(key, known)):
            hint = f"it is a key of [{elsewhere[0]}]"
        elif nearest(key, known) or not path or len(known) <= _FEW:
            hint = advise(key, known)
        else:
            hint = "`newapi schema` tells the keys that there are"
        what = "section" if not path and isinstance(table[key], dict) else "key"
        if isinstance(said := table[key], str) and _SECRET_WORDS.search(key):
            self._findings.hide(said)
        self._findings.add((*path, key), f"unknown {what} `{key}`", hint, at_key=True)

    def _options(self, table: Mapping[str, Any], fields: Mapping[str, Any], path: Path) -> dict[str, Any]:
        known = _options_of(table.get("type"))
        found = {k: self._anything(v, (*path, k)) for k, v in table.items() if k in known and k not in fields}
        return {k: v for k, v in found.items() if v is not BAD}

    def _mapping(self, args: tuple[Any, ...], value: Any, path: Path) -> Any:
        if not isinstance(value, dict):
            named = isinstance(args[1], type) and issubclass(args[1], Struct)
            return self._wrong(path, "a table", value, _as_table((*path, "NAME") if named else path))
        key_type, value_type = args
        allowed = get_args(key_type) if get_origin(key_type) is Literal else None
        found: dict[str, Any] = {}
        for key, inner in cast(dict[str, Any], value).items():
            if allowed and key not in allowed:
                self._findings.add((*path, key), f"unknown key `{key}`", advise(key, allowed), at_key=True)
            elif not key:
                self._findings.add((*path, key), "a name is empty", "say one between the quotes", at_key=True)
            else:
                read = self.value(value_type, inner, (*path, key))
                if read is not BAD:
                    found[key] = read
        return found

    def _array(self, element: Any, value: Any, path: Path) -> Any:
        if not isinstance(value, list):
            hint = ""
            if isinstance(value, str):
                hint = f'`{path[-1]} = ["{value}"]`'
            elif isinstance(value, dict):
                hint = f"each one begins with [[{dotted(path)}]], in two brackets"
            return self._wrong(path, "an array", value, hint)
        read = [self.value(element, v, (*path, i)) for i, v in enumerate(cast(list[Any], value))]
        return tuple(v for v in read if v is not BAD)

    def _choice(self, allowed: tuple[Any, ...], value: Any, path: Path) -> Any:
        if value in allowed:
            return value
        told = " or ".join((", ".join(f'"{a}"' for a in allowed[:-1]), f'"{allowed[-1]}"'))
        near = nearest(value, allowed) if isinstance(value, str) else ""
        return self._wrong(path, told, value, f'did you mean "{near}"?' if near else "")

    def _plain(self, type_: Any, value: Any, path: Path) -> Any:
        if type_ is Any:
            return self._anything(value, path)
        if type_ is str:
            return value if isinstance(value, str) else self._wrong(path, "a string", value, _quoted(value))
        if type_ is bool:
            return value if isinstance(value, bool) else self._wrong(path, "true or false", value, _unquoted(value))
        if type_ is int:
            return value if _is_int(value) else self._wrong(path, "a whole number", value, _unquoted(value))
        # The one union: `workers`, a number or a word.
        if value == "auto" or (_is_int(value) and value > 0):
            return value
        return self._wrong(path, 'a whole number of 1 or more, or "auto"', value, _unquoted(value))

    def _anything(self, value: Any, path: Path) -> Any:
        """Return what JSON can say too."""
        match value:
            case Decimal() if value.is_finite():
                return float(value)
            case dict():
                table = cast(dict[str, Any], value)
                return {k: self._anything(v, (*path, k)) for k, v in table.items()}
            case list():
                return [self._anything(v, (*path, i)) for i, v in enumerate(cast(list[Any], value))]
            case str() | bool() | int():
                return value
            case _:
                return self._wrong(path, "a value that JSON has", value, "write it as a string")

    def duration(self, value: Any, path: Path, *, never: bool = False) -> Any:
        if isinstance(value, str):
            if never and not value:
                return 0.0
            try:
                seconds = values.parse_duration(value)
            except ValueError:
                pass
            else:
                if seconds or never:
                    return seconds
                self._findings.add(path, f"`{path[-1]}` must be longer than nothing", 'as in "30s" or "5m"')
                return BAD
        guess = values.guess_duration(value)
        hint = f'did you mean "{guess}"?' if guess else 'units are ms, s, m, h and d, as in "30s" or "1h30m"'
        expected = 'a duration like "30s" or "5m"' + (', or "" for never' if never else "")
        return self._wrong(path, expected, value, hint)

    def size(self, value: Any, path: Path) -> Any:
        try:
            return values.parse_size(value)
        except (ValueError, TypeError):
            guess = values.guess_size(value)
            hint = f'did you mean "{guess}"?' if guess else "units are B, KiB, MiB, GiB, kB, MB and GB"
            return self._wrong(path, 'a size like "128MiB"', value, hint)

    def money(self, value: Any, path: Path) -> Any:
        try:
            return values.parse_money(value)
        except (ValueError, TypeError):
            guess = values.guess_money(value)
            hint = f'did you mean "{guess}"?' if guess else "it is in US dollars, with a dollar sign before it"
            return self._wrong(path, 'money like "$10" or "$0.002"', value, hint)

    def ratio(self, value: Any, path: Path) -> Any:
        if (_is_int(value) or isinstance(value, Decimal)) and Decimal(value).is_finite() and value >= 0:
            return Decimal(value)
        return self._wrong(path, "a number of 0 or more", value, _unquoted(value))

    def count(self, value: Any, path: Path) -> Any:
        if _is_int(value) and value >= 0:
            return value
        return self._wrong(path, "a whole number of 0 or more", value, _unquoted(value))

    def expiry(self, value: Any, path: Path) -> Any:
        match value:
            case datetime():
                return value if value.tzinfo else value.replace(tzinfo=UTC)
            case date():
                return datetime(value.year, value.month, value.day, tzinfo=UTC)
            case str() if _DURATION_LIKE.match(value):
                return self.duration(value, path)
            case _:
                hint = f"without quotes: {value}" if isinstance(value, str) and _DATE.match(value) else ""
                return self._wrong(path, 'a date like 2030-01-31, or a duration like "90d"', value, hint)

    def reference(self, value: Any, path: Path) -> Any:
        if not isinstance(value, str):
            return self._wrong(path, 'a reference like "env:NAME"', value)
        scheme, colon, rest = value.partition(":")
        if not value or (colon and rest and scheme in SCHEMES):
            return value
        if colon and scheme in SCHEMES:
            self._findings.add(path, f'"{scheme}:" names nothing', f'as in "{scheme}:NAME"')
        elif colon and (near := nearest(scheme, SCHEMES)):
            self._findings.add(path, f"`{scheme}:` is not a kind of reference", f"did you mean `{near}:…`?")
        elif variable := _VARIABLE.fullmatch(value):
            hint = f'did you mean "env:{variable[1] or variable[2]}"?'
            self._wrong(path, 'a reference like "env:NAME"', value, hint)
        else:
            self._findings.hide(value)
            self._findings.add(path, f"{_called(path)} is a secret itself; a reference belongs here", _store(path))
        return BAD

    def _wrong(self, path: Path, expected: str, value: Any, hint: str = "") -> Any:
        self._findings.add(path, f"{_called(path)} must be {expected}, not {_told(value)}", hint)
        return BAD


_NAMED = 2
"""How long the path of a table with a name is: `channels.main`."""
_FEW = 12
"""Of so many keys all are told."""
_NUMBER = re.compile(r"\d+(?:\.\d+)?")
_DATE = re.compile(r"\d{4}-\d\d-\d\d")
_DURATION_LIKE = re.compile(r"\s*\d+(?!\d*-)")
_VARIABLE = re.compile(r"\$\{?(\w+)\}?|([A-Z][A-Z0-9_]*_(?:KEY|TOKEN|SECRET|PASSWORD|URL|DSN))")
"""A variable of the environment, as shells write it, or by its name alone."""
_SECRET_WORDS = re.compile(r"key|secret|token|password|credential", re.IGNORECASE)

_KINDS: Mapping[str, Callable[[_Reader, Any, Path], Any]] = {
    "duration": _Reader.duration,
    "interval": lambda reader, value, path: reader.duration(value, path, never=True),
    "size": _Reader.size,
    "money": _Reader.money,
    "ratio": _Reader.ratio,
    "count": _Reader.count,
    "reference": _Reader.reference,
    "expiry": _Reader.expiry,
}

_MISSING = {
    "type": 'the provider, as in `type = "openai"`; `newapi channel types` lists them',
    "from": 'as in `{ from = "channels.old", to = "channels.new" }`',
    "to": 'as in `{ from = "channels.old", to = "channels.new" }`',
    "via": '"webhook", "email", "bark" or "gotify"',
    "input": 'the price of a million tokens, as in `input = "$2.50"`',
    "output": 'the price of a million tokens, as in `output = "$10"`',
}


def _options_of(type_: object) -> set[str]:
    """Return the keys that a channel of this type reads beyond those of every channel."""
    if isinstance(type_, str) and type_ in providers.names():
        return {*COMMON_OPTIONS, *providers.get(type_).options}
    return set(COMMON_OPTIONS)


def _called(path: Path) -> str:
    """Return what a value is called in a sentence: its key, and which one of an array."""
    *before, last = path
    return f"`{before[-1]}[{last}]`" if isinstance(last, int) and before else f"`{last}`"


def _store(path: Path) -> str:
    """Return how to keep the secret at `path` elsewhere."""
    names = [part for part in path if isinstance(part, str)]
    name = names[1] if len(names) > 2 else names[-1]
    return (
        f'`newapi secret set {name}` keeps it, then "keyring:{name}" refers to it; '
        f'or "env:NAME" for a variable of the environment'
    )


def _is_int(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _sections_with(key: str) -> list[str]:
    """Return the sections of the file, of those that have no names in them, which have a key."""
    structs = {name: kind_of(hint)[0] for name, (_, hint, _) in fields_of(Config).items()}
    return [n for n, s in structs.items() if isinstance(s, type) and issubclass(s, Struct) and key in fields_of(s)]


def _as_table(path: Path) -> str:
    """Return how the table at `path` is written; "" for an element of an array."""
    return f"it begins with [{dotted(path)}]" if all(isinstance(part, str) for part in path) else ""


def _quoted(value: Any) -> str:
    """Return what to do about a number or a truth where a string belongs."""
    return f'between quotes: "{_told(value)}"' if isinstance(value, bool | int | Decimal) else ""


def _unquoted(value: Any) -> str:
    """Return what to do about a string where a number or a truth belongs."""
    if not isinstance(value, str):
        return ""
    plain = {"yes": "true", "on": "true", "no": "false", "off": "false"}.get(value.lower(), value.lower())
    return f"without quotes: {plain}" if plain in ("true", "false") or _NUMBER.fullmatch(plain) else ""


def _told(value: Any) -> str:
    """Return a value of the wrong kind as it is written, what is long only by its kind."""
    match value:
        case bool():
            return "true" if value else "false"
        case str():
            return f'"{value}"' if len(value) <= 40 else "a long string"
        case dict():
            return "a table"
        case list():
            return "an array"
        case datetime() | date():
            return "a date"
        case _:
            return str(value)
