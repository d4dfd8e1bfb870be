from __future__ import annotations

from typing import Annotated

import typer

from newapi.cli.commands._gateway import HERE, Where
from newapi.cli.commands._options import Form
from newapi.cli.output import Output


def get(
    name: Annotated[str, typer.Argument(help="Its name.")],
    at: Where = HERE,
    output: Form = Output.TABLE,
) -> None:
    """Show one group: its ratios, its limits, the channels that serve it.

    Examples:
        newapi group get vip
        newapi group get vip -o json
    """
    from newapi.cli.output import show
    from newapi.ops.operations.reading import ShowGroup

    show(at.gateway().do(ShowGroup(name)), output)
