from __future__ import annotations

from typing import Annotated

import typer

from newapi.cli.commands._gateway import ContextName, ServerUrl, TokenFile
from newapi.cli.commands._options import ConfigFile, Form
from newapi.cli.output import Output


def get(
    name: Annotated[str, typer.Argument(help="Its name, or its id.")],
    config: ConfigFile = None,
    server: ServerUrl = None,
    context: ContextName = None,
    token_file: TokenFile = None,
    output: Form = Output.TABLE,
) -> None:
    """Show one token: never its key.

    Examples:
        newapi token get ci
        newapi token get ci -o json
    """
    from newapi.cli.commands._gateway import gateway
    from newapi.cli.commands.token._view import row
    from newapi.cli.output import show

    token = gateway(config, server=server, context=context, token_file=token_file).token(name)
    show(row(token) if output is Output.TABLE else token, output)
