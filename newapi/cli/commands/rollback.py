from __future__ import annotations

from typing import Annotated

import typer

from newapi.cli.commands._gateway import ContextName, ServerUrl, TokenFile
from newapi.cli.commands._options import ConfigFile, DryRun, Form, NoInput, Yes
from newapi.cli.output import Output


def rollback(
    generation: Annotated[int | None, typer.Argument(metavar="[N]", help="The generation; the last but one.")] = None,
    config: ConfigFile = None,
    server: ServerUrl = None,
    context: ContextName = None,
    token_file: TokenFile = None,
    yes: Yes = False,
    dry_run: DryRun = False,
    no_input: NoInput = False,
    output: Form = Output.TABLE,
) -> None:
    """Go back to what an earlier `apply` made: a new generation with the configuration of that one.

    Examples:
        newapi rollback
        newapi history
        newapi rollback 12
    """
    from newapi.cli.commands._apply import apply_shown
    from newapi.cli.commands._gateway import gateway

    there = gateway(config, server=server, context=context, token_file=token_file)
    number, made = there.rollback_plan(generation)
    apply_shown(
        made,
        lambda: there.rollback(number, base=made.base),
        yes=yes,
        dry_run=dry_run,
        no_input=no_input,
        write_tokens=None,
        output=output,
    )
