from __future__ import annotations

from typing import Annotated

import typer

from newapi.cli.commands._options import ConfigFile


def passwd(
    name: Annotated[str, typer.Argument(help="The name, or the id.")],
    password_stdin: Annotated[bool, typer.Option("--password-stdin", help="Read it from standard input.")] = False,
    config: ConfigFile = None,
) -> None:
    """Give a user a password; who is signed in is signed out.

    Examples:
        newapi user passwd ann
        pass show newapi/ann | newapi user passwd ann --password-stdin
    """
    from newapi.cli.commands._options import account
    from newapi.cli.commands.user._password import from_prompt, from_stdin
    from newapi.cli.output import note
    from newapi.ops.local import open_local
    from newapi.ops.users import get as find
    from newapi.ops.users import set_password

    db = open_local(config, server_only=True).db
    user = find(db, name)
    password = from_stdin() if password_stdin else from_prompt(user.name)
    set_password(db, user.id, password, who=account())
    note(f"{user.name} has a new password.")
