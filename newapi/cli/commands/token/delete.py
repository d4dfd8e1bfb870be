from __future__ import annotations

from typing import Annotated

import typer

from newapi.cli.commands._gateway import HERE, Where
from newapi.cli.commands._options import DryRun, NoInput, Yes


def delete(
    name: Annotated[str, typer.Argument(help="Its name, or its id.")],
    at: Where = HERE,
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
    from newapi.cli.output import confirm, note

    there = at.gateway()
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
