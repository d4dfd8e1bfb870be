from __future__ import annotations

from typing import Annotated

import typer

from newapi.cli.commands._gateway import ContextName, ServerUrl, TokenFile
from newapi.cli.commands._options import ConfigFile, Form
from newapi.cli.output import Output


def list(
    user: Annotated[str | None, typer.Option("--user", help="Only those of this user.")] = None,
    config: ConfigFile = None,
    server: ServerUrl = None,
    context: ContextName = None,
    token_file: TokenFile = None,
    output: Form = Output.TABLE,
) -> None:
    """List the tokens.

    Examples:
        newapi token list
        newapi token list --user ann -o json
    """
    from newapi.cli.commands._gateway import gateway
    from newapi.cli.commands._options import shown
    from newapi.cli.commands.token._view import row
    from newapi.cli.output import show

    there = gateway(config, server=server, context=context, token_file=token_file)
    show(shown(there.tokens(user), output, row), output)
