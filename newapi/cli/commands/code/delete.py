from __future__ import annotations

from typing import Annotated

import typer

from newapi.cli.commands._gateway import HERE, Where
from newapi.cli.commands._options import DryRun, NoInput, Yes


def delete(
    ids: Annotated[list[int] | None, typer.Argument(metavar="[ID]...", help="Their ids, as they are listed.")] = None,
    spent: Annotated[bool, typer.Option("--spent", help="All that are used, disabled or expired.")] = False,
    yes: Yes = False,
    no_input: NoInput = False,
    dry_run: DryRun = False,
    at: Where = HERE,
) -> None:
    """Delete redemption codes: nobody can redeem them any more.

    Examples:
        newapi code delete 12 13
        newapi code delete --spent --yes
    """
    from newapi.cli.output import confirm, note
    from newapi.ops.operations.kept import DeleteCodes

    if spent == bool(ids):
        raise typer.BadParameter("say which: ids, or --spent", param_hint="ID")
    there = at.gateway()
    what = "all codes that are used, disabled or expired" if spent else f"{len(ids or ())} codes"
    if dry_run:
        note(f"Would delete {what}.")
        return
    confirm(f"Delete {what}?", yes=yes, no_input=no_input)
    number = there.do(DeleteCodes(tuple(ids or ())))
    note(f"Deleted {number}.")
