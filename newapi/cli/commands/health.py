from __future__ import annotations

from typing import Annotated

import typer

from newapi.cli.commands._gateway import ContextName, ServerUrl, Where
from newapi.cli.commands._options import ConfigFile, Form
from newapi.cli.output import Output


def health(
    live: Annotated[bool, typer.Option("--live", help="Does the process answer?")] = False,
    ready: Annotated[bool, typer.Option("--ready", help="Does it serve requests? That is asked by default.")] = False,
    server: ServerUrl = None,
    context: ContextName = None,
    timeout: Annotated[str, typer.Option("--timeout", help="How long it may take: `5s`.")] = "5s",
    config: ConfigFile = None,
    output: Form = Output.TABLE,
) -> None:
    """Ask the running server whether it is well: 0 when it is, 1 when it is not or does not answer.

    It tells everybody: no access token is wanted.

    Examples:
        newapi health
        newapi health --live --timeout 2s
        newapi health --ready --server http://gateway:3000
    """
    from newapi.cli.commands._options import read, seconds
    from newapi.cli.output import show
    from newapi.ops.health import Check, ask

    limit = read("--timeout", timeout, seconds) or 0.0
    listen = Where(config, server, context).address()
    asked: list[Check] = ["live"] if live else []
    if ready or not live:
        asked.append("ready")
    for check in asked:
        ask(listen, check, timeout=limit)
    show({"server": listen, **dict.fromkeys(asked, True)}, output)
