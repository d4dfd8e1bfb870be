from __future__ import annotations

from typing import Annotated

import typer

from newapi.cli.commands._gateway import HERE, Where


def passwd(
    name: Annotated[str, typer.Argument(help="The name, or the id.")],
    password_stdin: Annotated[bool, typer.Option("--password-stdin", help="Read it from standard input.")] = False,
    at: Where = HERE,
) -> None:
    """Give a user a password; who is signed in is signed out.

    Examples:
        newapi user passwd ann
        pass show newapi/ann | newapi user passwd ann --password-stdin
    """
    from newapi.cli.commands.user._password import from_prompt, from_stdin
    from newapi.cli.output import note
    from newapi.ops.operations.users import SetPassword, ShowUser

    there = at.gateway()
    user = there.do(ShowUser(name))
    password = from_stdin() if password_stdin else from_prompt(user.name)
    there.do(SetPassword(user.name, password))
    note(f"{user.name} has a new password.")
