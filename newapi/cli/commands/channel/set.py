from __future__ import annotations

from typing import Annotated

import typer

from newapi.cli.commands._gateway import HERE, Where
from newapi.cli.commands._options import DryRun, Form
from newapi.cli.output import Output


def set(
    name: Annotated[str, typer.Argument(help="Its name, or its id.")],
    settings: Annotated[
        list[str] | None, typer.Argument(metavar="KEY=VALUE...", help="As in its table of the configuration.")
    ] = None,
    rename: Annotated[str | None, typer.Option("--name", help="Its new name.")] = None,
    key_stdin: Annotated[
        bool, typer.Option("--key-stdin", help="Read another key from standard input, a line each; kept encrypted.")
    ] = False,
    dry_run: DryRun = False,
    at: Where = HERE,
    output: Form = Output.TABLE,
) -> None:
    """Change a channel; what is not said stays.

    A value is as TOML writes it, or a text. Nothing behind the `=` takes a setting back to its default.

    Examples:
        newapi channel set openai priority=10 weight=50
        newapi channel set openai 'models=["gpt-4o*", "o3"]' model_mapping.fast=gpt-4o-mini tag=
        pass show openai | newapi channel set openai --key-stdin
    """
    from newapi.cli.commands.channel._spec import assign, spec_of, table_of
    from newapi.cli.commands.channel._view import declared, full, keys_from_stdin, row
    from newapi.cli.output import WrongUsage, note, show
    from newapi.ops.operations.channels import EditChannel
    from newapi.ops.plan import differences

    if not settings and not rename and not key_stdin:
        raise WrongUsage("Say what is to change", hint="newapi channel set --help")
    there = at.gateway()
    channel = there.channel(name)
    table = table_of(channel.name, channel.spec)
    assign(table, settings or [])
    spec = spec_of(there, channel.name, table, f"channel {channel.name}")
    changed = [field.key for field in differences(channel.spec, spec)]
    if not changed and not rename and not key_stdin:
        note(f"Channel {channel.name} says so already.")
        return
    declared(channel)
    if dry_run:
        what = [*changed, *(["name"] if rename else []), *(["key"] if key_stdin else [])]
        note(f"Would change {', '.join(what)} of channel {channel.name}.")
        return
    keys = keys_from_stdin() if key_stdin else ()
    edited = there.do(EditChannel(channel.name, spec, channel.updated_at, rename, keys))
    show(row(edited) if output is Output.TABLE else full(edited), output)
