"""Values of a command line read by themselves: typer imports pydantic, and builds a reader with it, for every one.

What is plainly right is read here, the same as typer reads it. Anything else is left to typer, which knows what to say.
"""

from __future__ import annotations

import os
import re
import typing
from collections.abc import Callable, Sequence
from enum import Enum
from pathlib import Path
from typing import Any, TypeVar

_INT = re.compile(r"-?[0-9]{1,18}")
_FLOAT = re.compile(r"-?[0-9]{1,15}(?:\.[0-9]{1,15})?")

T = TypeVar("T")
Read = Callable[[Any], Any]


class Unread(Exception):
    """The value is not plainly right."""


def lighten(parameters: Sequence[Any]) -> list[Any]:
    """Return parameters of a command of typer's; they read what is plainly right without pydantic from now on."""
    for parameter in parameters:
        told = parameter.type_descriptor
        if isinstance(getattr(parameter.get_runtime_param, "__self__", None), _Plain):
            continue
        if (read := reader(told.annotation, told.parameter_info)) is not None:
            parameter.get_runtime_param = _Plain(read, parameter.get_runtime_param).itself
    return [*parameters]


class _Plain:
    """Stands for typer's `RuntimeParam`."""

    def __init__(self, read: Read, typer_s: Callable[[], Any]) -> None:
        self._read, self._typer_s = read, typer_s

    def itself(self) -> _Plain:
        return self

    def coerce(self, value: Any, param: Any, ctx: Any) -> Any:
        if value is None:
            return () if param.multiple or param.nargs == -1 else None
        try:
            return self._read(value)
        except Unread:
            return self._typer_s().coerce(value, param=param, ctx=ctx)


def reader(annotation: Any, told: Any) -> Read | None:
    """Return what reads the values of a parameter, and raises `Unread`; None for a type that is left to typer.

    Args:
        annotation: The type.
        told: Typer's `ParameterInfo`.
    """
    if told.parser is not None:
        return None
    if typing.get_origin(annotation) is list:
        of = reader(typing.get_args(annotation)[0], told)
        return (lambda value: [of(item) for item in _several(value)]) if of else None
    if annotation in (str, bool):
        return lambda value: _exactly(annotation, value)
    if annotation in (int, float):
        return lambda value: _number(annotation, value, told)
    if isinstance(annotation, type) and issubclass(annotation, Enum):
        return lambda value: _choice(annotation, value)
    if annotation is Path and not told.resolve_path and told.path_type is None:
        return lambda value: _path(value, told)
    return None


def _several(value: Any) -> list[Any] | tuple[Any, ...]:
    if not isinstance(value, list | tuple):
        raise Unread
    return typing.cast("list[Any]", value)


def _exactly(kind: type[T], value: Any) -> T:
    if type(value) is not kind:
        raise Unread
    return value


def _number(kind: type[int | float], value: Any, told: Any) -> int | float:
    if type(value) is kind:
        number = value
    elif type(value) is str and (_INT if kind is int else _FLOAT).fullmatch(value):
        number = kind(value)
    else:
        raise Unread
    if (told.min is not None and number < told.min) or (told.max is not None and number > told.max):
        raise Unread
    return number


def _choice(kind: type[Enum], value: Any) -> Enum:
    for member in kind:
        if value is member or (type(value) is str and value == str(member.value)):
            return member
    raise Unread


def _path(value: Any, told: Any) -> Path:
    path = Path(_exactly(str, value)) if not isinstance(value, Path) else value
    there = path.exists()
    if (not there and told.exists) or (there and not (told.file_okay and told.dir_okay and not told.writable)):
        raise Unread
    if there and told.readable and not os.access(path, os.R_OK):
        raise Unread
    return path
