from __future__ import annotations

from typing import Annotated

import typer

from newapi.cli.commands._gateway import HERE, Where
from newapi.cli.commands._options import DryRun, Form, NoInput, Yes
from newapi.cli.output import Output


def rotate(
    name: Annotated[str, typer.Argument(help="Its name, or its id.")],
    key: Annotated[str, typer.Option("--key", help="A reference to the key it is to have: `env:NAME`.")] = "",
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="Write the key and nothing else.")] = False,
    yes: Yes = False,
    dry_run: DryRun = False,
    no_input: NoInput = False,
    at: Where = HERE,
    output: Form = Output.TABLE,
) -> None:
    """Give a token another key and show it, once: the old one stops working within a second.

    Examples:
        newapi token rotate ci
        KEY=$(newapi token rotate ci --yes -q)
    """
    import msgspec

    from newapi.cli.commands.token._view import row
    from newapi.cli.output import confirm, note, say, show
    from newapi.ops.operations.tokens import RotateToken

    there = at.gateway()
    token = there.token(name)
    if token.managed and not quiet:
        note("The configuration declares it: where the file refers to a key, the next apply gives it that one.")
    if dry_run:
        note(f"Would give token {token.name} of {token.user} another key.")
        return
    confirm(
        f"Give token {token.name} of {token.user} another key? The old one stops working.", yes=yes, no_input=no_input
    )
    token, secret = there.do(RotateToken(name, key))
    if quiet:
        say(secret.reveal())
        return
    show({**(row(token) if output is Output.TABLE else msgspec.structs.asdict(token)), "key": secret.reveal()}, output)
    note("The key is not shown again.")
