from __future__ import annotations

from typing import Annotated

import typer

from newapi.cli.commands._gateway import HERE, Where
from newapi.cli.commands._options import DryRun


def redeem(
    file: Annotated[str, typer.Argument(help="The file with the code; - is standard input.")],
    user: Annotated[str, typer.Option("--user", help="Whose it is.")] = "root",
    dry_run: DryRun = False,
    at: Where = HERE,
) -> None:
    """Redeem a code for a user: once.

    Examples:
        echo "$CODE" | newapi code redeem - --user ann
    """
    from newapi.base.units import usd
    from newapi.cli.commands._remote import credential
    from newapi.cli.output import note
    from newapi.ops.operations.kept import RedeemCode
    from newapi.ops.operations.users import ShowUser

    there = at.gateway()
    name = there.do(ShowUser(user)).name
    code = credential(file)
    if dry_run:
        note(f"Would redeem a code for {name}.")
        return
    note(f"{name} has {usd(there.do(RedeemCode(name, code)))} more.")
