from __future__ import annotations

from typing import Annotated

import typer

from newapi.cli.commands._options import DryRun


def logout(
    context: Annotated[str | None, typer.Argument(help="Of which context; default: the one that is used.")] = None,
    dry_run: DryRun = False,
) -> None:
    """Forget the access token of a context, and the context: commands act on this machine's gateway again.

    Examples:
        newapi logout
        newapi logout gateway.example.com
    """
    from newapi.cli.output import WrongUsage, note
    from newapi.ops import contexts

    known = contexts.read()
    name = context or known.current
    if name == contexts.LOCAL:
        raise WrongUsage("Nobody is signed in: commands act on this machine's gateway", hint="newapi context list")
    found = known.get(name)
    if dry_run:
        note(f"Would sign out at {found.server}.")
        return
    contexts.remove(name)
    note(f"Signed out at {found.server}.")
