from __future__ import annotations

from typing import Annotated

import typer

from newapi.cli.commands._gateway import ContextName, ServerUrl, TokenFile
from newapi.cli.commands._options import ConfigFile, DryRun, NoInput, Yes


def delete(
    name: Annotated[str, typer.Argument(help="Its name, or its id.")],
    config: ConfigFile = None,
    server: ServerUrl = None,
    context: ContextName = None,
    token_file: TokenFile = None,
    yes: Yes = False,
    dry_run: DryRun = False,
    no_input: NoInput = False,
) -> None:
    """Delete a token: its key stops working within a second; its records stay.

    Examples:
        newapi token delete ci
        newapi token delete ci --yes
    """
    from newapi.base.units import usd
    from newapi.cli.commands._gateway import gateway
    from newapi.cli.output import confirm, note

    there = gateway(config, server=server, context=context, token_file=token_file)
    token = there.token(name)
    left = "unlimited" if token.unlimited else f"{usd(token.remaining)} left"
    if token.managed:
        note("The configuration declares it: the next apply makes it again, with another key.")
    if dry_run:
        note(f"Would delete token {token.name} of {token.user} ({left}).")
        return
    confirm(f"Delete token {token.name} of {token.user} ({left})?", yes=yes, no_input=no_input)
    there.delete_token(name)
    note(f"Deleted token {token.name}.")
