from __future__ import annotations

from typing import Annotated

import typer

from newapi.cli.commands._gateway import HERE, Where
from newapi.cli.commands._options import Form
from newapi.cli.output import Output


def list(
    token: Annotated[str, typer.Option("--token", help="Only what this token may call, at its price.")] = "",
    unpriced: Annotated[bool, typer.Option("--unpriced", help="Only those that nobody priced.")] = False,
    at: Where = HERE,
    output: Form = Output.TABLE,
) -> None:
    """List the models that channels serve and what they cost: USD a million tokens.

    Examples:
        newapi model list
        newapi model list --token ci
        newapi model list --unpriced -o name
    """
    from newapi.cli.commands._options import shown
    from newapi.cli.commands.model._view import row
    from newapi.cli.output import show
    from newapi.ops.operations.reading import ListModels

    there = at.gateway()
    found = there.do(ListModels(token, unpriced))
    show(shown(found, output, row), output)
