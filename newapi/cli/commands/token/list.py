from __future__ import annotations

from typing import Annotated

import typer

from newapi.cli.commands._options import ConfigFile, Form
from newapi.cli.output import Output


def list(
    user: Annotated[str | None, typer.Option("--user", help="Only those of this user.")] = None,
    config: ConfigFile = None,
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
    from newapi.ops.local import open_local
    from newapi.ops.tokens import list_tokens

    show(shown(list_tokens(open_local(config, server_only=True).db, user=user), output, row), output)
