from __future__ import annotations

from typing import Annotated

import typer

from newapi.cli.commands._options import ConfigFile, Form
from newapi.cli.output import Output


def get(
    name: Annotated[str, typer.Argument(help="Its name, or its id.")],
    config: ConfigFile = None,
    output: Form = Output.TABLE,
) -> None:
    """Show one channel: where its keys are, never the keys.

    Examples:
        newapi channel get openai-main
        newapi channel get openai-main -o json
    """
    from newapi.cli.commands.channel._view import full
    from newapi.cli.output import show
    from newapi.ops.channels import get as find
    from newapi.ops.local import open_local

    show(full(find(open_local(config, server_only=True).db, name)), output)
