from __future__ import annotations

from typing import Annotated

import typer

from newapi.cli.commands._gateway import HERE, Where
from newapi.cli.commands._options import DryRun, NoInput, Yes


def access_token(
    name: Annotated[str, typer.Argument(help="The name, or the id.")],
    yes: Yes = False,
    no_input: NoInput = False,
    dry_run: DryRun = False,
    at: Where = HERE,
) -> None:
    """Give a user another access token for the management API, and write it to standard output, once.

    The one before stops working. It may do what the user may.

    Examples:
        newapi user access-token ann --yes
        newapi user access-token root --yes | newapi context add prod https://gateway.example.com --token-file -
    """
    from newapi.cli.output import confirm, note, say
    from newapi.ops.operations.users import NewAccessToken, ShowUser

    there = at.gateway()
    user = there.do(ShowUser(name))
    if dry_run:
        note(f"Would give {user.name} another access token.")
        return
    confirm(f"Give {user.name} another access token? The one before stops working.", yes=yes, no_input=no_input)
    say(there.do(NewAccessToken(user.name)).reveal())
