from __future__ import annotations

from typing import Annotated

import typer

from newapi.cli.commands._gateway import ContextName, ServerUrl, TokenFile
from newapi.cli.commands._options import ConfigFile, Form
from newapi.cli.output import Output


def get(
    name: Annotated[str, typer.Argument(help="Its name.")],
    config: ConfigFile = None,
    server: ServerUrl = None,
    context: ContextName = None,
    token_file: TokenFile = None,
    output: Form = Output.TABLE,
) -> None:
    """Show one group: its ratios, its limits, the channels that serve it.

    Examples:
        newapi group get vip
        newapi group get vip -o json
    """
    from newapi.cli.commands._gateway import gateway
    from newapi.cli.output import show
    from newapi.ops.operations.reading import ShowGroup

    show(gateway(config, server=server, context=context, token_file=token_file).do(ShowGroup(name)), output)
