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
    """Show one channel: where its keys are, never the keys.

    Examples:
        newapi channel get openai-main
        newapi channel get openai-main -o json
    """
    from newapi.cli.commands._gateway import gateway
    from newapi.cli.commands.channel._view import full
    from newapi.cli.output import show

    show(full(gateway(config, server=server, context=context, token_file=token_file).channel(name)), output)
