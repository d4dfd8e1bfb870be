from __future__ import annotations

from typing import Annotated

import typer

from newapi.cli.commands._gateway import ContextName, ServerUrl, TokenFile
from newapi.cli.commands._options import ConfigFile, Form
from newapi.cli.output import Output


def list(
    match: Annotated[str, typer.Option("--match", help="A part of the name, the shown name or the email.")] = "",
    group: Annotated[str | None, typer.Option("--group", help="Only those of this group.")] = None,
    deleted: Annotated[bool, typer.Option("--deleted", help="Those who were deleted, instead.")] = False,
    config: ConfigFile = None,
    server: ServerUrl = None,
    context: ContextName = None,
    token_file: TokenFile = None,
    output: Form = Output.TABLE,
) -> None:
    """List the users.

    Examples:
        newapi user list
        newapi user list --group vip -o json
    """
    from newapi.cli.commands._gateway import gateway
    from newapi.cli.commands._options import shown
    from newapi.cli.commands.user._view import row
    from newapi.cli.output import show
    from newapi.ops.operations.users import ListUsers
    from newapi.store.users import UserFilter

    there = gateway(config, server=server, context=context, token_file=token_file)
    wanted = UserFilter(keyword=match, group=group, deleted=deleted)
    show(shown(there.do(ListUsers(wanted)), output, row), output)
