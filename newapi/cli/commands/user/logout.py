from __future__ import annotations

from typing import Annotated

import typer

from newapi.cli.commands._gateway import HERE, Where
from newapi.cli.commands._options import DryRun


def logout(
    name: Annotated[str, typer.Argument(help="The name, or the id.")],
    dry_run: DryRun = False,
    at: Where = HERE,
) -> None:
    """Sign a user out everywhere: each session ends at once; the password goes on working.

    So do the access token, which `newapi user access-token` replaces, and the keys of tokens. A new password, disabling
    and deleting end the sessions, too.

    Examples:
        newapi user logout ann
        newapi user logout ann --context prod
    """
    from newapi.cli.output import note
    from newapi.ops.operations.users import EndSessions, ShowUser

    there = at.gateway()
    user = there.do(ShowUser(name))
    if dry_run:
        note(f"Would sign {user.name} out everywhere.")
        return
    there.do(EndSessions(user.name))
    note(f"{user.name} is signed out everywhere.")
