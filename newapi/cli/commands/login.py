from __future__ import annotations

from typing import Annotated

import typer

from newapi.cli.commands._gateway import TokenFile
from newapi.cli.commands._options import DryRun


def login(
    server: Annotated[str, typer.Argument(help="Its URL: https://gateway.example.com.")],
    user: Annotated[str, typer.Option("--user", help="The name, or the email, to sign in with.")] = "",
    password_stdin: Annotated[bool, typer.Option("--password-stdin", help="Read the password there.")] = False,
    token_file: TokenFile = None,
    name: Annotated[str, typer.Option("--name", help="What the context is called; default: the server's host.")] = "",
    dry_run: DryRun = False,
) -> None:
    """Sign in at a gateway elsewhere, and let commands act on it from now on: a context, its token in the keyring.

    With a password the user gets another access token: the one before stops working.

    Examples:
        newapi login https://gateway.example.com --user ann
        newapi login https://gateway.example.com --token-file -
    """
    from newapi.cli.commands._remote import credential
    from newapi.cli.commands.user._password import asked, from_stdin
    from newapi.cli.output import WrongUsage, note
    from newapi.ops import contexts
    from newapi.ops.signing_in import host_of, sign_in, whose

    if bool(user) == bool(token_file):
        raise WrongUsage("Say how: --user NAME with a password, or --token-file FILE")
    known = name or host_of(server)
    if dry_run:
        note(f"Would sign in at {server} and save it as context {known}.")
        return
    if token_file:
        token = credential(token_file)
    else:
        password = from_stdin() if password_stdin else asked(f"Password of {user} at {server}: ")
        token = sign_in(server, user, password)
    who = whose(server, token)
    contexts.put(known, server, token)
    contexts.use(known)
    note(f"{who} is signed in at {server}: commands act on context {known} now; newapi context use local ends that.")
