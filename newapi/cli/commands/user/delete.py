from __future__ import annotations

from typing import Annotated

import typer

from newapi.cli.commands._options import ConfigFile, DryRun, NoInput, Yes


def delete(
    name: Annotated[str, typer.Argument(help="The name, or the id.")],
    purge: Annotated[bool, typer.Option("--purge", help="Remove it with its tokens, and free its name.")] = False,
    yes: Yes = False,
    no_input: NoInput = False,
    dry_run: DryRun = False,
    config: ConfigFile = None,
) -> None:
    """Delete a user: no token of theirs works any more; the log stays.

    Examples:
        newapi user delete ann
        newapi user delete ann --purge --yes
    """
    from newapi.cli.commands._options import account
    from newapi.cli.output import confirm, note
    from newapi.ops.local import open_local
    from newapi.ops.users import delete as remove
    from newapi.ops.users import get as find

    db = open_local(config, server_only=True).db
    user = find(db, name)
    if dry_run:
        note(f"Would delete {user.name}.")
        return
    confirm(f"Delete {user.name}{' with all tokens' if purge else ''}?", yes=yes, no_input=no_input)
    remove(db, user.id, hard=purge, who=account())
    note(f"{user.name} is deleted.")
