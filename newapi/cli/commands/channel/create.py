from __future__ import annotations

from typing import Annotated

import typer

from newapi.cli.commands._gateway import HERE, Where
from newapi.cli.commands._options import DryRun, Form
from newapi.cli.output import Output


def create(
    name: Annotated[str, typer.Argument(help="What it is called.")],
    type: Annotated[str, typer.Option("--type", help="Who is asked, and how: `newapi channel types`.")],
    models: Annotated[list[str], typer.Option("--models", help="Names and globs: `gpt-4o*,o3`.")],
    key: Annotated[list[str] | None, typer.Option("--key", help="A reference to its key; repeatable.")] = None,
    key_stdin: Annotated[
        bool, typer.Option("--key-stdin", help="Read the key from standard input, a line each; kept encrypted.")
    ] = False,
    base_url: Annotated[str, typer.Option("--base-url", help="Default: the type's own.")] = "",
    groups: Annotated[list[str] | None, typer.Option("--groups", help="Whom it serves; default: `default`.")] = None,
    priority: Annotated[int, typer.Option("--priority", help="Higher first.")] = 0,
    weight: Annotated[int | None, typer.Option("--weight", help="Its share within the priority.")] = None,
    tag: Annotated[str, typer.Option("--tag", help="To name several at once.")] = "",
    set_: Annotated[
        list[str] | None, typer.Option("--set", metavar="KEY=VALUE", help="Any other setting; repeatable.")
    ] = None,
    dry_run: DryRun = False,
    at: Where = HERE,
    output: Form = Output.TABLE,
) -> None:
    """Make a channel: it serves within a second.

    Its key comes from standard input, or a reference says where it is: never from the command line.

    Examples:
        newapi channel create openai --type openai --key env:OPENAI_API_KEY --models 'gpt-4o*,o3'
        pass show deepseek | newapi channel create deepseek --type deepseek --key-stdin --models 'deepseek-*'
        newapi channel create eu --type azure --key env:K --models gpt-4o --set api_version=2024-10-21
    """
    from newapi.cli.commands._options import split
    from newapi.cli.commands.channel._spec import assign, spec_of
    from newapi.cli.commands.channel._view import full, keys_from_stdin, row
    from newapi.cli.output import WrongUsage, note, show
    from newapi.ops.operations.channels import CreateChannel
    from newapi.secrets import is_reference

    references = split(key)
    if bool(references) == key_stdin:
        raise WrongUsage("A channel needs a key", hint="--key env:NAME says where it is, --key-stdin reads it")
    if not all(is_reference(reference) for reference in references):
        raise WrongUsage(
            "A key is never an argument", hint="--key takes a reference, env:NAME; --key-stdin reads a key"
        )
    table: dict[str, object] = {"type": type, "models": [*split(models)], "priority": priority}
    table |= {"base_url": base_url} if base_url else {}
    table |= {"groups": [*split(groups)]} if groups else {}
    table |= {"weight": weight} if weight is not None else {}
    table |= {"tag": tag} if tag else {}
    # What is read from standard input has no reference yet; a configuration has to have one.
    named = references or ("env:KEY",)
    table |= {"key": named[0]} if len(named) == 1 else {"keys": [*named]}
    assign(table, set_ or [])
    there = at.gateway()
    spec = spec_of(there, name, table, f"channel {name}")
    if dry_run:
        note(f"Would make channel {name}: {spec.type}, {', '.join(spec.models)}.")
        return
    if key_stdin:
        from msgspec.structs import replace

        spec = replace(spec, key="", keys=())
    made = there.do(CreateChannel(name, spec, keys_from_stdin() if key_stdin else ()))
    show(row(made) if output is Output.TABLE else full(made), output)
