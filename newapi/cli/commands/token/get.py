from __future__ import annotations

from typing import Annotated

import typer

from newapi.cli.commands._gateway import HERE, Where
from newapi.cli.commands._options import Form
from newapi.cli.output import Output


def get(
    name: Annotated[str, typer.Argument(help="Its name, or its id.")],
    at: Where = HERE,
    output: Form = Output.TABLE,
) -> None:
    """Show one token: never its key.

    Examples:
        newapi token get ci
        newapi token get ci -o json
    """
    from newapi.cli.commands.token._view import row
    from newapi.cli.output import show

    token = at.gateway().token(name)
    show(row(token) if output is Output.TABLE else token, output)
