"""The references to secrets that a configuration holds, and where it holds them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, cast

from msgspec import Struct

from newapi import secrets
from newapi.config.read import fields_of, kind_of
from newapi.config.schema import Config


class Found(Struct, frozen=True):
    """One reference. `key` is where it stands: `("channels", "main", "key")`."""

    key: tuple[str | int, ...]
    reference: str

    @property
    def where(self) -> str:
        """Its place for people: `channels.main.key`."""
        return ".".join(map(str, self.key))


def references(config: Config) -> list[Found]:
    """Return the references in `config`, in the order of the schema; those of sections not said are the defaults."""
    return list(_within(config, (), config))


def _within(value: Any, path: tuple[str | int, ...], hint: Any) -> Iterator[Found]:
    """Yield the references in `value`: texts that the schema calls references, a database or a proxy that is one."""
    type_, kind = kind_of(hint)
    if isinstance(value, Struct):
        for key, (attribute, field, _) in fields_of(type(value)).items():
            yield from _within(getattr(value, attribute), (*path, key), field)
    elif isinstance(value, Mapping):
        inner = getattr(type_, "__args__", (Any, Any))[1]
        for key, item in cast(Mapping[str, Any], value).items():
            yield from _within(item, (*path, key), inner)
    elif isinstance(value, tuple):
        inner = getattr(type_, "__args__", (Any,))[0]
        for i, item in enumerate(cast(tuple[Any, ...], value)):
            yield from _within(item, (*path, i), inner)
    elif isinstance(value, str) and secrets.is_reference(value):
        # A URL, or where it has a password a reference to one.
        is_either = "://" not in value and (path == ("server", "database") or path[::2] == ("channels", "proxy"))
        if kind == "reference" or is_either:
            yield Found(path, value)
