from __future__ import annotations

from typing import Annotated, Literal

import typer

from newapi.cli.commands._gateway import HERE, Where

Level = Literal["debug", "info", "warning", "error"]


def log_level(
    level: Annotated[Level, typer.Argument(help="debug, info, warning or error: this and what is worse is told.")],
    at: Where = HERE,
) -> None:
    """Change what the running server tells in its own log, on every worker and node.

    It holds until the server is reloaded or started anew: then `[log] level` of its file says.

    Examples:
        newapi log-level debug
        newapi log-level info --context prod
    """
    from newapi.cli.output import note
    from newapi.ops.workers import log_level as tell

    where, token = at.running()
    tell(where, level, token)
    note(f"The server tells what is {level} or worse, until it is reloaded.")
