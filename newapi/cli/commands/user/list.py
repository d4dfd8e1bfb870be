from __future__ import annotations

from typing import Annotated

import typer

from newapi.cli.commands._options import ConfigFile, Form
from newapi.cli.output import Output


def list(
    match: Annotated[str, typer.Option("--match", help="A part of the name, the shown name or the email.")] = "",
    group: Annotated[str | None, typer.Option("--group", help="Only those of this group.")] = None,
    deleted: Annotated[bool, typer.Option("--deleted", help="Those who were deleted, instead.")] = False,
    config: ConfigFile = None,
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
    from newapi.ops.local import open_local
    from newapi.ops.users import list_users
    from newapi.store.users import UserFilter

    wanted = UserFilter(keyword=match, group=group, deleted=deleted)
    show(shown(list_users(open_local(config, server_only=True).db, wanted)[0], output, row), output)
