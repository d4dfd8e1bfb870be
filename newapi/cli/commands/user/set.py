from __future__ import annotations

from typing import Annotated, Literal

import typer

from newapi.cli.commands._gateway import HERE, Where
from newapi.cli.commands._options import DryRun, Form
from newapi.cli.output import Output


def set(
    name: Annotated[str, typer.Argument(help="The name, or the id.")],
    rename: Annotated[str | None, typer.Option("--rename", help="The new name.")] = None,
    role: Annotated[Literal["user", "admin"] | None, typer.Option("--role", help="user or admin.")] = None,
    group: Annotated[str | None, typer.Option("--group", help="The group whose prices hold.")] = None,
    display_name: Annotated[str | None, typer.Option("--display-name", help="How the user is shown.")] = None,
    email: Annotated[str | None, typer.Option("--email", help="The address.")] = None,
    remark: Annotated[str | None, typer.Option("--remark", help="A note for administrators.")] = None,
    enabled: Annotated[
        bool | None, typer.Option("--enable/--disable", help="Disabled: no token of theirs works.")
    ] = None,
    unlimited: Annotated[bool | None, typer.Option("--unlimited/--limited", help="Whether the quota counts.")] = None,
    dry_run: DryRun = False,
    at: Where = HERE,
    output: Form = Output.TABLE,
) -> None:
    """Change a user; what is not said stays.

    Examples:
        newapi user set ann --group vip
        newapi user set ann --disable
    """
    from newapi.cli.commands.user._view import row
    from newapi.cli.output import note, show
    from newapi.ops.operations.users import ChangeUser, ShowUser
    from newapi.ops.users import Changes

    there = at.gateway()
    user = there.do(ShowUser(name))
    state = {None: None, True: "enabled", False: "disabled"}[enabled]
    changes = Changes(
        name=rename,
        display_name=display_name,
        email=email,
        role=role,
        group=group,
        remark=remark,
        state=state,
        unlimited=unlimited,
    )
    if dry_run:
        note(f"Would change {user.name}.")
        return
    user = there.do(ChangeUser(user.name, changes))
    show(row(user) if output is Output.TABLE else user, output)
