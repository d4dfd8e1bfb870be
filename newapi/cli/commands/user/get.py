from __future__ import annotations

from typing import Annotated

import typer

from newapi.cli.commands._gateway import HERE, Where
from newapi.cli.commands._options import Form
from newapi.cli.output import Output


def get(
    name: Annotated[str, typer.Argument(help="The name, or the id.")],
    at: Where = HERE,
    output: Form = Output.TABLE,
) -> None:
    """Show a user.

    Examples:
        newapi user get ann
        newapi user get ann -o json
    """
    from newapi.cli.commands.user._view import row
    from newapi.cli.output import show
    from newapi.ops.operations.users import ShowUser

    user = at.gateway().do(ShowUser(name))
    show(row(user) if output is Output.TABLE else user, output)
