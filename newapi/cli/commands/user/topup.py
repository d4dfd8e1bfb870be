from __future__ import annotations

from typing import Annotated

import typer

from newapi.cli.commands._options import ConfigFile, DryRun, Form, dollars, read
from newapi.cli.output import Output


def topup(
    name: Annotated[str, typer.Argument(help="The name, or the id.")],
    amount: Annotated[str, typer.Argument(help="USD: `$10`.")],
    subtract: Annotated[bool, typer.Option("--subtract", help="Take it away instead.")] = False,
    override: Annotated[bool, typer.Option("--override", help="Set it, whatever it is now.")] = False,
    dry_run: DryRun = False,
    config: ConfigFile = None,
    output: Form = Output.TABLE,
) -> None:
    """Add to what a user may spend.

    Examples:
        newapi user topup ann '$10'
        newapi user topup ann '$2.50' --subtract
    """
    from newapi.base.units import usd
    from newapi.cli.commands._options import account
    from newapi.cli.commands.user._view import row
    from newapi.cli.output import note, show
    from newapi.ops.local import open_local
    from newapi.ops.users import Mode, quota_of, top_up
    from newapi.ops.users import get as find

    if subtract and override:
        raise typer.BadParameter("--subtract and --override exclude each other", param_hint="--subtract")
    mode: Mode = "subtract" if subtract else "override" if override else "add"
    value = read("AMOUNT", amount, dollars)
    quota = quota_of(value) if value is not None else 0
    db = open_local(config, server_only=True).db
    user = find(db, name)
    if dry_run:
        note(f"Would {mode} {usd(quota)}: {user.name} has {usd(user.quota)}.")
        return
    user = top_up(db, user.id, quota, mode=mode, who=account())
    show(row(user) if output is Output.TABLE else user, output)
