from __future__ import annotations

from typing import Annotated

import typer

from newapi.cli.commands._gateway import HERE, Where
from newapi.cli.commands._options import DryRun, Form, dollars, read
from newapi.cli.output import Output


def topup(
    name: Annotated[str, typer.Argument(help="The name, or the id.")],
    amount: Annotated[str, typer.Argument(help="USD: `$10`.")],
    subtract: Annotated[bool, typer.Option("--subtract", help="Take it away instead.")] = False,
    override: Annotated[bool, typer.Option("--override", help="Set it, whatever it is now.")] = False,
    dry_run: DryRun = False,
    at: Where = HERE,
    output: Form = Output.TABLE,
) -> None:
    """Add to what a user may spend.

    Examples:
        newapi user topup ann '$10'
        newapi user topup ann '$2.50' --subtract
    """
    from newapi.base.units import usd
    from newapi.cli.commands.user._view import row
    from newapi.cli.output import note, show
    from newapi.ops.operations.users import ShowUser, TopUp
    from newapi.ops.users import Mode, quota_of

    if subtract and override:
        raise typer.BadParameter("--subtract and --override exclude each other", param_hint="--subtract")
    mode: Mode = "subtract" if subtract else "override" if override else "add"
    value = read("AMOUNT", amount, dollars)
    quota = quota_of(value) if value is not None else 0
    there = at.gateway()
    user = there.do(ShowUser(name))
    if dry_run:
        note(f"Would {mode} {usd(quota)}: {user.name} has {usd(user.quota)}.")
        return
    user = there.do(TopUp(user.name, quota, mode))
    show(row(user) if output is Output.TABLE else user, output)
