from __future__ import annotations

from typing import Annotated, Literal

import typer

from newapi.cli.commands._gateway import ContextName, ServerUrl, TokenFile
from newapi.cli.commands._options import ConfigFile, Form, shown
from newapi.cli.output import Output


def list(
    match: Annotated[str, typer.Option("--match", help="Those whose name begins so.")] = "",
    state: Annotated[
        Literal["enabled", "disabled", "used"] | None, typer.Option("--state", help="enabled, disabled or used.")
    ] = None,
    reveal: Annotated[bool, typer.Option("--reveal", help="Show the codes, not only their last characters.")] = False,
    config: ConfigFile = None,
    server: ServerUrl = None,
    context: ContextName = None,
    token_file: TokenFile = None,
    output: Form = Output.TABLE,
) -> None:
    """List the redemption codes, the latest first.

    Examples:
        newapi code list --state used
        newapi code list --match spring --reveal -o csv
    """
    from msgspec.structs import replace

    from newapi.cli.commands._gateway import gateway
    from newapi.cli.commands.code._view import masked, row
    from newapi.cli.output import show
    from newapi.ops.operations.kept import ListCodes

    there = gateway(config, server=server, context=context, token_file=token_file)
    found = [code for code in there.do(ListCodes(match)) if state in (None, code.state)]
    if not reveal:
        found = [replace(code, code=masked(code.code)) for code in found]
    show(shown(found, output, row), output)
