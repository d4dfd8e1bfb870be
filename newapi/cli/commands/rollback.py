from __future__ import annotations

from typing import Annotated

import typer

from newapi.cli.commands._options import ConfigFile, DryRun, Form, NoInput, Yes
from newapi.cli.output import Output


def rollback(
    generation: Annotated[int | None, typer.Argument(metavar="[N]", help="The generation; the last but one.")] = None,
    config: ConfigFile = None,
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
    from newapi.ops.history import configuration_of
    from newapi.ops.local import open_local

    local = open_local(config, server_only=True)
    number, wanted = configuration_of(local.db, generation)
    apply_shown(
        local,
        wanted,
        yes=yes,
        dry_run=dry_run,
        no_input=no_input,
        prune=True,
        only=(),
        source=f"rollback to {number}",
        write_tokens=None,
        output=output,
    )
