from __future__ import annotations

from typing import Annotated

import typer

from newapi.cli.commands._options import ConfigFile, Form
from newapi.cli.output import Output


def get(
    name: Annotated[str, typer.Argument(help="The name, or the id.")],
    config: ConfigFile = None,
    output: Form = Output.TABLE,
) -> None:
    """Show a user.

    Examples:
        newapi user get ann
        newapi user get ann -o json
    """
    from newapi.cli.commands.user._view import row
    from newapi.cli.output import show
    from newapi.ops.local import open_local
    from newapi.ops.users import get as find

    user = find(open_local(config, server_only=True).db, name)
    show(row(user) if output is Output.TABLE else user, output)
