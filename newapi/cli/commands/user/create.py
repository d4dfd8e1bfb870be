from __future__ import annotations

from typing import Annotated, Literal

import typer

from newapi.cli.commands._gateway import HERE, Where
from newapi.cli.commands._options import DryRun, Form, dollars, read
from newapi.cli.output import Output

Role = Literal["user", "admin", "root"]


def create(
    name: Annotated[str, typer.Argument(help="The name to sign in with.")],
    role: Annotated[Role, typer.Option("--role", help="user, admin or root.")] = "user",
    group: Annotated[str, typer.Option("--group", help="The group whose prices hold.")] = "default",
    display_name: Annotated[str, typer.Option("--display-name", help="How the user is shown.")] = "",
    email: Annotated[str, typer.Option("--email", help="The address, to sign in with as well.")] = "",
    quota: Annotated[str | None, typer.Option("--quota", help="What the user may spend: `$10`.")] = None,
    unlimited: Annotated[bool, typer.Option("--unlimited", help="The user may spend without limit.")] = False,
    password_stdin: Annotated[bool, typer.Option("--password-stdin", help="Read a password to sign in with.")] = False,
    dry_run: DryRun = False,
    at: Where = HERE,
    output: Form = Output.TABLE,
) -> None:
    """Make a user; without a password nobody signs in as one.

    `root` is there from the beginning: making it gives it its password.

    Examples:
        newapi user create root --role root --password-stdin < password.txt
        newapi user create ann --quota '$10' --group vip
    """
    from newapi.cli.commands.user._password import from_stdin
    from newapi.cli.commands.user._view import row
    from newapi.cli.output import note, show
    from newapi.ops.operations.users import CreateUser
    from newapi.ops.users import NewUser, quota_of

    if unlimited and quota is not None:
        raise typer.BadParameter("--quota and --unlimited exclude each other", param_hint="--quota")
    amount = read("--quota", quota, dollars)
    new = NewUser(
        name=name,
        password=from_stdin() if password_stdin else None,
        role=role,
        group=group,
        display_name=display_name,
        email=email,
        quota=quota_of(amount) if amount is not None else 0,
        unlimited=unlimited,
    )
    there = at.gateway()
    if dry_run:
        note(f"Would make {role} {name} in group {group}.")
        return
    user = there.do(CreateUser(new))
    show(row(user) if output is Output.TABLE else user, output)
