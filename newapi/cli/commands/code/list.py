from __future__ import annotations

from typing import Annotated, Literal

import typer

from newapi.cli.commands._gateway import HERE, Where
from newapi.cli.commands._options import Form, shown
from newapi.cli.output import Output


def list(
    match: Annotated[str, typer.Option("--match", help="Those whose name begins so.")] = "",
    state: Annotated[
        Literal["enabled", "disabled", "used"] | None, typer.Option("--state", help="enabled, disabled or used.")
    ] = None,
    reveal: Annotated[bool, typer.Option("--reveal", help="Show the codes, not only their last characters.")] = False,
    at: Where = HERE,
    output: Form = Output.TABLE,
) -> None:
    """List the redemption codes, the latest first.

    Examples:
        newapi code list --state used
        newapi code list --match spring --reveal -o csv
    """
    from msgspec.structs import replace

    from newapi.cli.commands.code._view import masked, row
    from newapi.cli.output import show
    from newapi.ops.operations.kept import ListCodes

    there = at.gateway()
    found = [code for code in there.do(ListCodes(match)) if state in (None, code.state)]
    if not reveal:
        found = [replace(code, code=masked(code.code)) for code in found]
    show(shown(found, output, row), output)
