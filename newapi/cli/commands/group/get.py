from __future__ import annotations

from typing import Annotated

import typer

from newapi.cli.commands._options import ConfigFile, Form
from newapi.cli.output import Output


def get(
    name: Annotated[str, typer.Argument(help="Its name.")],
    config: ConfigFile = None,
    output: Form = Output.TABLE,
) -> None:
    """Show one group: its ratios, its limits, the channels that serve it.

    Examples:
        newapi group get vip
        newapi group get vip -o json
    """
    from newapi.cli.output import show
    from newapi.ops.groups import get as find
    from newapi.ops.local import open_local

    show(find(open_local(config, server_only=True).db, name), output)
