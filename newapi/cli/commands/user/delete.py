from __future__ import annotations

from typing import Annotated

import typer

from newapi.cli.commands._gateway import HERE, Where
from newapi.cli.commands._options import DryRun, NoInput, Yes


def delete(
    name: Annotated[str, typer.Argument(help="The name, or the id.")],
    purge: Annotated[bool, typer.Option("--purge", help="Remove it with its tokens, and free its name.")] = False,
    yes: Yes = False,
    no_input: NoInput = False,
    dry_run: DryRun = False,
    at: Where = HERE,
) -> None:
    """Delete a user: no token of theirs works any more; the log stays.

    Examples:
        newapi user delete ann
        newapi user delete ann --purge --yes
    """
    from newapi.cli.output import confirm, note
    from newapi.ops.operations.users import DeleteUser, ShowUser

    there = at.gateway()
    user = there.do(ShowUser(name))
    if dry_run:
        note(f"Would delete {user.name}.")
        return
    confirm(f"Delete {user.name}{' with all tokens' if purge else ''}?", yes=yes, no_input=no_input)
    there.do(DeleteUser(user.name, purge))
    note(f"{user.name} is deleted.")
