"""What an apply would change: the file compared with the database, field by field. Nothing here writes."""

from __future__ import annotations

import fnmatch
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from decimal import Decimal
from functools import cache
from typing import Any, Literal

import msgspec
from msgspec import NODEFAULT, Struct

from newapi.base.errors import ConfigError, NotFound, Problem, StoreError
from newapi.base.nearest import did_you_mean, nearest
from newapi.config.findings import Places, advise
from newapi.config.schema import (
    BillingSpec,
    ChannelSpec,
    Config,
    GroupSpec,
    HealthSpec,
    ModelSpec,
    RoutingSpec,
    TasksSpec,
    TokenSpec,
)
from newapi.config.values import plain, split_label
from newapi.store import specs
from newapi.store.declared import Declared, TokenRow

SECTIONS: Mapping[str, type[Any]] = {
    "routing": RoutingSpec,
    "health": HealthSpec,
    "billing": BillingSpec,
    "tasks": TasksSpec,
}
KINDS: Mapping[str, type[Any]] = {
    "groups": GroupSpec,
    "models": ModelSpec,
    "channels": ChannelSpec,
    "tokens": TokenSpec,
}
MASKED = "(reference)"
_REFERENCE = re.compile(r"(env|file|keyring|secret|cred|cmd):.")

Action = Literal["create", "update", "delete"]


class Field(Struct, frozen=True):
    """One value that changes; None is absent. Of a reference it says only that it is another one."""

    key: str
    before: Any = None
    after: Any = None


class Change(Struct, frozen=True, omit_defaults=True):
    """One object (or section, which has no name) that changes.

    Attributes:
        kind: `groups`, `models`, `channels`, `tokens`, or the name of a section.
        moved_from: Its name before, when it is renamed.
    """

    kind: str
    name: str
    action: Action
    fields: tuple[Field, ...] = ()
    moved_from: str = ""

    @property
    def label(self) -> str:
        """What it is called in a plan: `channels.main`, `routing`."""
        return f"{self.kind}.{self.name}" if self.name else self.kind


class Plan(Struct, frozen=True):
    """Everything that changes.

    Attributes:
        base: The generation it was made on: an apply in between makes it void.
        adopted: Objects of commands that the file declares just as they are; an apply makes them its own.
    """

    base: int
    changes: tuple[Change, ...]
    adopted: tuple[tuple[str, str], ...] = ()

    def count(self, action: Action) -> int:
        """Return how many objects are created, updated or deleted."""
        return sum(change.action == action for change in self.changes)


def compare(
    config: Config,
    declared: Declared,
    *,
    prune: bool = True,
    only: Sequence[str] = (),
    key_hashes: Mapping[str, str] | None = None,
    places: Places | None = None,
) -> Plan:
    """Return the plan that makes `declared` what `config` says.

    Args:
        config: The file.
        declared: The database.
        prune: Whether what an earlier apply made, and the file no longer has, is deleted.
        only: `KIND` or `KIND/NAME` (names may be globs); empty for everything.
        key_hashes: By token name, the hash of the key that its reference resolves to, where it does.
        places: Where in the file its keys are.

    Raises:
        ConfigError: The file cannot be applied to this database.
        NotFound: `only` names what is not there.
    """
    chosen = Choice(only)
    chosen.check(config, declared)
    changes: list[Change] = []
    adopted: list[tuple[str, str]] = []
    for section, type_ in SECTIONS.items():
        if chosen(section, "") and (change := _section(section, type_, config, declared)):
            changes.append(change)
    moved = _moved(config, declared)
    for kind, type_ in KINDS.items():
        wanted: Mapping[str, Any] = getattr(config, kind)
        there = declared.of(kind)
        origin = {to: source for (k, source), (_, to) in moved.items() if k == kind}
        used: set[str] = set(origin.values())
        for name, spec in wanted.items():
            if not chosen(kind, name):
                continue
            row = there.get(origin.get(name, name)) if name in origin or name not in used else None
            change = _object(kind, type_, name, spec, row, (key_hashes or {}).get(name) if kind == "tokens" else None)
            if change is not None:
                changes.append(change)
            elif row is not None and not row.managed:
                adopted.append((kind, name))
        if prune:
            kept = {*wanted, *used}
            gone = [n for n, row in there.items() if row.managed and n not in kept and chosen(kind, n)]
            changes += [Change(kind, name, "delete") for name in gone]
    _check_users(config, declared, changes, places or Places())
    return Plan(declared.generation, tuple(changes), tuple(adopted))


def differences(before: Any, after: Any) -> tuple[Field, ...]:
    """Return the fields that differ between two specs of one type; of a new one (`before` None) those that say any."""
    if before is None:
        old, new = {}, _flat(after, {name: default for name, (_, default) in _fields(type(after)).items()})
    elif type(before) is type(after):
        old, new = _flat(before, _values(after)), _flat(after, _values(before))
    else:  # this version's schema no longer reads what is stored
        old, new = dict(_leaves("", before)), _flat(after, {})
    found: list[Field] = []
    for key in dict.fromkeys((*old, *new)):
        a, b = old.get(key), new.get(key)
        if a == b:
            continue
        shown_a, shown_b = _shown(a), _shown(b)
        if shown_a == shown_b:  # both are references
            shown_b = "(another reference)"
        found.append(Field(key, shown_a, shown_b))
    return tuple(found)


class Choice:
    """What `--only` lets through."""

    def __init__(self, only: Iterable[str]) -> None:
        self._chosen: list[tuple[str, str]] = []
        for text in only:
            kind, _, name = text.partition("/")
            known = [k for k in (*KINDS, *SECTIONS) if kind in (k, k.removesuffix("s"))]
            if not known:
                hint = advise(kind, (*KINDS, *SECTIONS))
                raise ConfigError([Problem(f"--only {text}: no kind is called {kind!r}", hint=hint)])
            self._chosen.append((known[0], name))

    def check(self, config: Config, declared: Declared) -> None:
        """Return when what is chosen by its name is there.

        Raises:
            NotFound: Something is neither in the file nor in the database.
        """
        for kind, name in self._chosen:
            known = {*getattr(config, kind), *declared.of(kind)} if kind in KINDS else set[str]()
            if name and not any(n == name or fnmatch.fnmatchcase(n, name) for n in known):
                near = did_you_mean(name, known)
                raise NotFound(f"--only {kind}/{name}: there is none{near}")

    def __call__(self, kind: str, name: str) -> bool:
        if not self._chosen:
            return True
        return any(k == kind and (not n or n == name or fnmatch.fnmatchcase(name, n)) for k, n in self._chosen)


def _section(section: str, type_: type[Any], config: Config, declared: Declared) -> Change | None:
    wanted = getattr(config, section)
    text = declared.sections.get(section)
    if text is not None and text == specs.encode(wanted):
        return None
    stored = type_() if text is None else _read(text, type_)
    fields = differences(stored, wanted)
    return Change(section, "", "update", fields) if fields else None


def _object(kind: str, type_: type[Any], name: str, spec: Any, row: Any, key_hash: str | None) -> Change | None:
    if row is None:
        return Change(kind, name, "create", differences(None, spec))
    fields = ()
    if row.spec != specs.encode(spec):
        fields = differences(_read(row.spec, type_), spec)
    if isinstance(row, TokenRow) and key_hash not in (None, row.key_hash) and not any(f.key == "key" for f in fields):
        fields = (*fields, Field("key", MASKED, "(another key behind it)"))
    moved_from = row.name if row.name != name and kind != "tokens" else ""
    if kind == "tokens" and row.name != name and f"{row.name}-{row.key}" != name:
        moved_from = row.name
    if not fields and not moved_from:
        return None
    return Change(kind, name, "update", fields, moved_from)


def _moved(config: Config, declared: Declared) -> dict[tuple[str, str], tuple[str, str]]:
    """Return the renames that are still to be done: what bears the old name, and nothing the new one."""
    found: dict[tuple[str, str], tuple[str, str]] = {}
    for move in config.moved:
        kind, old = split_label(move.source)
        _, new = split_label(move.target)
        there = declared.of(kind)
        if old in there and new not in there and new in getattr(config, kind):
            found[kind, old] = (kind, new)
    return found


def _check_users(config: Config, declared: Declared, changes: Iterable[Change], places: Places) -> None:
    problems: list[Problem] = []
    for change in changes:
        if change.kind == "tokens" and change.action != "delete":
            user = config.tokens[change.name].user
            if user not in declared.users:
                message = f"there is no user `{user}` to own token `{change.name}`"
                near = nearest(user, declared.users)
                make = f"`newapi user create {user}` makes one; without `user` it is root's"
                hint = f"did you mean `{near}`?" if near else make
                problems.append(places.problem(("tokens", change.name, "user"), message, hint))
    if problems:
        raise ConfigError(problems)


def _read(text: str, type_: type[Any]) -> Any:
    """Return the stored spec, or its plain values where this version's schema no longer reads it."""
    try:
        return specs.decode(text, type_, "")
    except StoreError:
        return msgspec.json.decode(text)


@cache
def _fields(type_: type[Struct]) -> dict[str, tuple[str, Any]]:
    """Return a struct's fields: name -> what it is called in the file, and its default."""
    return {
        f.name: (f.encode_name, f.default if f.default_factory is NODEFAULT else f.default_factory())
        for f in msgspec.structs.fields(type_)
    }


def _values(spec: Struct) -> dict[str, Any]:
    return {name: getattr(spec, name) for name in _fields(type(spec))}


def _flat(spec: Struct, other: Mapping[str, Any]) -> dict[str, Any]:
    """Return, by dotted key, the values of `spec` that differ from those in `other`."""
    named = {
        name: msgspec.to_builtins(getattr(spec, field), builtin_types=(Decimal,))
        for field, (name, _) in _fields(type(spec)).items()
        if field not in other or getattr(spec, field) != other[field]
    }
    return dict(_leaves("", named))


def _leaves(prefix: str, values: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    for key, value in values.items():
        path = f"{prefix}.{key}" if prefix else str(key)
        if isinstance(value, dict) and (value or not prefix):
            yield from _leaves(path, value)
        elif value is not None:
            yield path, value


def _shown(value: Any) -> Any:
    if isinstance(value, str) and _REFERENCE.match(value):
        return MASKED
    if isinstance(value, Decimal):
        return Decimal(plain(value))
    if isinstance(value, (list, tuple)):
        return [_shown(v) for v in value]
    if isinstance(value, dict):
        return {k: _shown(v) for k, v in value.items()}
    return value
