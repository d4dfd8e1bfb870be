"""Conditions of operations: what has to hold of the body, or of the request around it."""

from __future__ import annotations

import operator
from collections.abc import Callable, Mapping, Sequence
from typing import Any, cast

import msgspec
from msgspec import Struct

from newapi.relay import _override_path as paths

_ORDER: Mapping[str, Callable[[Any, Any], bool]] = {
    "gt": operator.gt,
    "gte": operator.ge,
    "lt": operator.lt,
    "lte": operator.le,
}
_MODES = ("full", "prefix", "suffix", "contains", *_ORDER)


class ConditionError(Exception):
    """A condition that makes no sense, or cannot be decided; the message says why."""


class Condition(Struct, frozen=True):
    """One condition, taken apart once."""

    path: paths.Path
    mode: str
    value: Any = None
    invert: bool = False
    pass_missing_key: bool = False


class Conditions(Struct, frozen=True):
    """Conditions joined by `any` or `all`; none at all always hold."""

    parts: tuple[Condition, ...] = ()
    every: bool = False

    def hold(self, *sources: Any) -> bool:
        """Return whether they hold; a path is looked up in each of `sources` until one has it.

        Raises:
            ConditionError: Values of different types are compared, or what is no number is ordered.
        """
        if not self.parts:
            return True
        results = (_holds(c, sources) for c in self.parts)
        return all(results) if self.every else any(results)


def parse(value: Any, every: bool) -> Conditions:
    """Return conditions said as a list of objects, or as one object of paths and values.

    Raises:
        ConditionError: They are neither, or one lacks its path or has an unknown mode.
        PathError: A path makes no sense.
    """
    if value is None:
        return Conditions()
    if isinstance(value, dict):
        members = cast("dict[str, Any]", value)
        if not members:
            raise ConditionError("conditions are empty")
        return Conditions(tuple(Condition(paths.parse(k), "full", v) for k, v in members.items()), every)
    if not isinstance(value, list | tuple):
        raise ConditionError("conditions are neither a list nor an object")
    return Conditions(tuple(_condition(c) for c in cast("Sequence[Any]", value)), every)


def _condition(value: Any) -> Condition:
    if not isinstance(value, dict):
        raise ConditionError("a condition is not an object")
    said = cast("dict[str, Any]", value)
    path, mode = said.get("path"), said.get("mode")
    if not isinstance(path, str) or not path or not isinstance(mode, str):
        raise ConditionError("a condition lacks its path or mode")
    if mode.lower() not in _MODES:
        raise ConditionError(f"unknown condition mode {mode!r}; there are: {', '.join(_MODES)}")
    return Condition(
        paths.parse(path),
        mode.lower(),
        said.get("value"),
        said.get("invert") is True,
        said.get("pass_missing_key") is True,
    )


def _holds(condition: Condition, sources: Sequence[Any]) -> bool:
    for source in sources:
        there, found = paths.find(source, condition.path)
        if there:
            return compare(found, condition.mode, condition.value, condition.path.text) != condition.invert
    # What is not there is neither so nor otherwise: `invert` does not apply.
    return condition.pass_missing_key


def compare(found: Any, mode: str, wanted: Any, path: str) -> bool:
    """Return whether `found` is to `wanted` as `mode` says.

    Raises:
        ConditionError: They cannot be compared so.
    """
    if mode == "full":
        return _equal(found, wanted, path)
    if mode in _ORDER:
        if kind(found) != "number" or kind(wanted) != "number":
            raise ConditionError(f"{path}: {mode} wants numbers")
        return _ORDER[mode](found, wanted)
    one, other = as_text(found), as_text(wanted)
    if mode == "prefix":
        return one.startswith(other)
    return one.endswith(other) if mode == "suffix" else other in one


def _equal(found: Any, wanted: Any, path: str) -> bool:
    if found is None or wanted is None:
        return found is wanted
    if kind(found) != kind(wanted):
        raise ConditionError(f"{path}: a {kind(found)} is compared with a {kind(wanted)}")
    return found == wanted


def kind(value: Any) -> str:
    """Return the JSON type of `value`: null, boolean, number, string, array or object."""
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "boolean"
    if isinstance(value, int | float):
        return "number"
    if isinstance(value, str):
        return "string"
    return "array" if isinstance(value, list | tuple) else "object"


def as_text(value: Any) -> str:
    """Return `value` as text: a string as it is, null as nothing, anything else as JSON."""
    if value is None:
        return ""
    return value if isinstance(value, str) else msgspec.json.encode(value).decode()
