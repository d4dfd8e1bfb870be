from __future__ import annotations

from typing import Annotated

import typer

from newapi.cli.commands._gateway import TokenFile
from newapi.cli.commands._options import DryRun


def add(
    name: Annotated[str, typer.Argument(help="What it is to be called.")],
    server: Annotated[
        str, typer.Argument(help="Its URL: https://gateway.example.com; host:port; unix:/path; or ssh://host.")
    ],
    token_file: TokenFile = None,
    token_ref: Annotated[
        str, typer.Option("--token-ref", metavar="REFERENCE", help="Where its access token is: env:NAME, file:PATH.")
    ] = "",
    dry_run: DryRun = False,
) -> None:
    """Save where a gateway is, and its access token: in the keyring, or where a reference says.

    Without a token it is NEWAPI_ACCESS_TOKEN in the environment, each time. Through ssh none is needed: its admin
    socket is carried here, /var/lib/newapi/newapi.sock or the one that is said.

    Examples:
        newapi context add prod https://gateway.example.com --token-file -
        newapi context add vm ssh://root@gateway.example.com
        newapi context add vm2 ssh://me@gateway.example.com/srv/newapi/newapi.sock
        newapi context add ci https://gateway.example.com --token-ref env:GATEWAY_TOKEN
    """
    from newapi.cli.commands._remote import credential
    from newapi.cli.output import WrongUsage, note
    from newapi.ops import contexts
    from newapi.secrets import is_reference

    if token_file and token_ref:
        raise WrongUsage("--token-file and --token-ref both say what the token is")
    if token_ref and not is_reference(token_ref):
        raise typer.BadParameter("this is no reference: write env:NAME or file:PATH", param_hint="--token-ref")
    if not _is_server(server):
        raise typer.BadParameter(
            f"{server} is no server: write https://…, host:port, unix:/path or ssh://host", param_hint="SERVER"
        )
    if dry_run:
        note(f"Would save context {name}: {server}.")
        return
    contexts.add(name, server, token=credential(token_file) if token_file else None, reference=token_ref)
    note(f"Saved context {name}; newapi context use {name} makes it the one that commands act on.")


def _is_server(text: str) -> bool:
    scheme, separator, rest = text.partition("://")
    if scheme == "ssh":
        from newapi.ops.tunnel import parse

        try:
            parse(text)
        except ValueError as error:
            raise typer.BadParameter(str(error), param_hint="SERVER") from None
        return True
    if separator:
        return scheme in ("http", "https") and bool(rest)
    return (text.startswith("unix:") and len(text) > len("unix:")) or text.rpartition(":")[2].isdecimal()
