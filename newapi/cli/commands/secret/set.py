from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from newapi.cli.commands._gateway import HERE, Where
from newapi.cli.commands._options import DryRun, NoInput
from newapi.cli.commands.secret._options import Place

if TYPE_CHECKING:
    from newapi.base.secret import Secret


def set(
    name: Annotated[str, typer.Argument(help="What it is called.")],
    place: Annotated[
        Place | None,
        typer.Option("--in", help="keyring, the default here; or database: encrypted, the default elsewhere."),
    ] = None,
    at: Where = HERE,
    dry_run: DryRun = False,
    no_input: NoInput = False,
) -> None:
    """Keep a secret, and print the reference to it, which belongs into the configuration.

    It is read from standard input, all of it but the newline at its end, or asked for on a terminal. One of the same
    name is replaced; running servers take a secret of the database over within a second.

    Examples:
        newapi secret set openai
        pass show openai/api | newapi secret set openai --in database
        newapi secret set vertex --in database < service-account.json
    """
    from newapi.cli.commands._options import account
    from newapi.cli.output import WrongUsage, note, say
    from newapi.ops.local import open_local
    from newapi.ops.operations.kept import KeepSecret
    from newapi.ops.stored_secrets import SCHEMES, put

    there = at.elsewhere()
    if there and place is Place.KEYRING:
        raise WrongUsage("A keyring is this machine's: elsewhere a secret is kept in the database")
    where = (place or (Place.DATABASE if there else Place.KEYRING)).value
    if dry_run:
        note(f"Would keep {SCHEMES[where]}:{name}.")
    elif there:
        acted_on = at.gateway()
        say(acted_on.do(KeepSecret(name, _value(name, no_input=no_input))))
    else:
        local = open_local(at.config, server_only=True)
        say(put(local, name, _value(name, no_input=no_input), where, who=account()))


def _value(name: str, *, no_input: bool) -> Secret:
    import sys

    from newapi.base.secret import Secret
    from newapi.cli.output import Unconfirmed, WrongUsage

    if not sys.stdin.isatty():
        text = sys.stdin.read().removesuffix("\n").removesuffix("\r")
        if not text:
            raise WrongUsage("Standard input has no secret", hint=f"printf '%s' \"$SECRET\" | newapi secret set {name}")
        return Secret(text)
    if no_input:
        raise Unconfirmed("Nothing was done: the secret comes from standard input, or from somebody who is asked")
    import getpass

    return Secret(getpass.getpass(f"Secret {name}: "))
