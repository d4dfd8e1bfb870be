from __future__ import annotations

from typing import Annotated

import typer

from newapi.cli.commands._gateway import HERE, Where
from newapi.cli.commands._options import Form
from newapi.cli.output import Output


def list(
    user: Annotated[str | None, typer.Option("--user", help="Only those of this user.")] = None,
    at: Where = HERE,
    output: Form = Output.TABLE,
) -> None:
    """List the tokens.

    Examples:
        newapi token list
        newapi token list --user ann -o json
    """
    from newapi.cli.commands._options import shown
    from newapi.cli.commands.token._view import row
    from newapi.cli.output import show

    there = at.gateway()
    show(shown(there.tokens(user), output, row), output)
