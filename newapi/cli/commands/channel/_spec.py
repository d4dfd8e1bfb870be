"""What a channel is to be, put together from the command line or an editor and checked as a configuration is."""

from __future__ import annotations

import tomllib
from typing import TYPE_CHECKING, Any

import typer

if TYPE_CHECKING:
    from collections.abc import Mapping

    from newapi.config.schema import ChannelSpec
    from newapi.ops.gateway import Gateway


def table_of(name: str, spec: ChannelSpec) -> dict[str, Any]:
    """Return a channel's table of the configuration, as plain values."""
    from newapi.ops.export import table

    return tomllib.loads(table("channels", name, spec))["channels"][name]


def spec_of(there: Gateway, name: str, table: Mapping[str, Any], file: str) -> ChannelSpec:
    """Return what a table of the configuration says.

    Raises:
        ConfigError: It is not valid; `file` is what it is called then.
    """
    import tomlkit

    return parsed(there, name, tomlkit.dumps({"channels": {name: table}}), file)


def parsed(there: Gateway, name: str, text: str, file: str) -> ChannelSpec:
    """Return what `[channels.NAME]` says in a text. The groups are those of the gateway; prices are not looked at.

    Raises:
        ConfigError: It is not valid, or there is no such table.
    """
    from pathlib import Path

    import tomlkit

    from newapi.base.errors import ConfigError, Problem
    from newapi.config.load import load
    from newapi.ops.operations.reading import ListGroups

    groups: dict[str, Any] = {group.name: {} for group in there.do(ListGroups())}
    if "[groups" not in text:
        text = f"{text.rstrip()}\n\n{tomlkit.dumps({'groups': groups})}"
    config = load(Path(file), text, has_price=lambda _: True).config
    if name not in config.channels:
        raise ConfigError([Problem(f"there is no [channels.{name}] any more", file=file)])
    return config.channels[name]


def assign(table: dict[str, Any], settings: list[str]) -> None:
    """Put `KEY=VALUE` into a table: a value as TOML says it, or a text; nothing behind the sign takes the key away."""
    for setting in settings:
        key, sign, value = setting.partition("=")
        if not sign or not key:
            raise typer.BadParameter(
                f"{setting!r} says nothing: write priority=10, or tag=prod", param_hint="KEY=VALUE"
            )
        *path, last = key.split(".")
        inner = table
        for part in path:
            inner = inner.setdefault(part, {})
            if not isinstance(inner, dict):
                raise typer.BadParameter(f"{part} has no keys of its own", param_hint=setting)
        if value:
            inner[last] = _value(value)
        else:
            inner.pop(last, None)


def _value(text: str) -> Any:
    try:
        return tomllib.loads(f"value = {text}")["value"]
    except tomllib.TOMLDecodeError:
        return text
