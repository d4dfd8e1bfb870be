"""A channel as a row of a table, and whole."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import typer

from newapi.cli.commands._options import when

if TYPE_CHECKING:
    from newapi.base.secret import Secret
    from newapi.ops.channels import ChannelView
    from newapi.ops.gateway import Gateway


def row(channel: ChannelView) -> dict[str, Any]:
    """Return what people look for."""
    from newapi.base.units import usd

    spec = channel.spec
    return {
        "name": channel.name,
        "type": spec.type,
        "state": channel.state,
        "why": why(channel),
        "priority": spec.priority,
        "weight": spec.weight,
        "groups": ", ".join(spec.groups),
        "models": ", ".join(spec.models),
        "used": usd(channel.used),
        "tested": f"{when(channel.tested_at)}, {channel.response_ms} ms" if channel.tested_at else "",
        "made_by": channel.managed or "command",
    }


def why(channel: ChannelView) -> str:
    """Return why a channel is not enabled, and until when."""
    until = f"until {when(channel.disabled_until)}" if channel.disabled_until else ""
    return ", ".join(filter(None, (channel.state_reason, until)))


def full(channel: ChannelView) -> dict[str, Any]:
    """Return all of a channel: what it is told to be, and what became of it. References, never keys."""
    import msgspec

    from newapi.config.findings import mask

    told: dict[str, Any] = msgspec.to_builtins(channel)
    told.pop("legacy")
    told["spec"]["proxy"] = mask(told["spec"]["proxy"])  # its URL may hold a password
    return {"id": told.pop("id"), "name": told.pop("name"), **told.pop("spec"), **told}


def chosen(there: Gateway, names: list[str] | None, tag: str | None) -> list[ChannelView]:
    """Return the channels that are named, or have a tag; one of the two has to be said."""
    from newapi.base.errors import CallerError, NotFound
    from newapi.base.nearest import did_you_mean

    if bool(names) == (tag is not None):
        raise typer.BadParameter("say which: names, or --tag", param_hint="NAME")
    if tag is None:
        return [there.channel(name) for name in names or ()]
    if not tag:
        raise CallerError("The tag is empty", param="tag")
    channels = there.channels()
    found = [channel for channel in channels if channel.spec.tag == tag]
    if not found:
        near = did_you_mean(tag, {channel.spec.tag for channel in channels if channel.spec.tag})
        raise NotFound(f"No channel has the tag {tag!r}{near}")
    return found


def declared(channel: ChannelView) -> None:
    """Say that the file has the last word, where it declares a channel that a command changes."""
    from newapi.cli.output import note

    if channel.managed:
        note(f"The configuration declares {channel.name}: the next apply makes it what the file says.")


def keys_from_stdin() -> tuple[Secret, ...]:
    """Return the keys on standard input, a line each.

    Raises:
        WrongUsage: There are none.
    """
    import sys

    from newapi.base.secret import Secret
    from newapi.cli.output import WrongUsage

    found = tuple(Secret(line.strip()) for line in sys.stdin.read().splitlines() if line.strip())
    if not found:
        raise WrongUsage("Standard input has no key", hint="printf '%s' \"$KEY\" | newapi channel … --key-stdin")
    return found
