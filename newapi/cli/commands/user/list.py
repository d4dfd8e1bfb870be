from __future__ import annotations

from typing import Annotated

import typer

from newapi.cli.commands._gateway import HERE, Where
from newapi.cli.commands._options import Form
from newapi.cli.output import Output


def list(
    match: Annotated[str, typer.Option("--match", help="A part of the name, the shown name or the email.")] = "",
    group: Annotated[str | None, typer.Option("--group", help="Only those of this group.")] = None,
    deleted: Annotated[bool, typer.Option("--deleted", help="Those who were deleted, instead.")] = False,
    at: Where = HERE,
    output: Form = Output.TABLE,
) -> None:
    """List the users.

    Examples:
        newapi user list
        newapi user list --group vip -o json
    """
    from newapi.cli.commands._options import shown
    from newapi.cli.commands.user._view import row
    from newapi.cli.output import show
    from newapi.ops.operations.users import ListUsers
    from newapi.store.users import UserFilter

    there = at.gateway()
    wanted = UserFilter(keyword=match, group=group, deleted=deleted)
    show(shown(there.do(ListUsers(wanted)), output, row), output)
