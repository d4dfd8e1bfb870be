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
    """Show one channel: where its keys are, never the keys.

    Examples:
        newapi channel get openai-main
        newapi channel get openai-main -o json
    """
    from newapi.cli.commands.channel._view import full
    from newapi.cli.output import show

    show(full(at.gateway().channel(name)), output)
