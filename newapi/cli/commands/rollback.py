from __future__ import annotations

from typing import Annotated

import typer

from newapi.cli.commands._gateway import HERE, Where
from newapi.cli.commands._options import DryRun, Form, NoInput, Yes
from newapi.cli.output import Output


def rollback(
    generation: Annotated[int | None, typer.Argument(metavar="[N]", help="The generation; the last but one.")] = None,
    at: Where = HERE,
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

    there = at.gateway()
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
