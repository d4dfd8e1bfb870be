from __future__ import annotations

from typing import Annotated

import typer

from newapi.cli.commands._gateway import HERE, Where
from newapi.cli.commands._options import DryRun, NoInput, Yes
from newapi.cli.commands.secret._options import Place


def delete(
    name: Annotated[str, typer.Argument(help="What it is called.")],
    place: Annotated[
        Place | None, typer.Option("--in", help="keyring or database; where it is, the keyring first.")
    ] = None,
    at: Where = HERE,
    yes: Yes = False,
    dry_run: DryRun = False,
    no_input: NoInput = False,
) -> None:
    """Forget a secret.

    Examples:
        newapi secret delete openai
        newapi secret delete openai --in database --yes
    """
    from newapi.cli.commands._options import account
    from newapi.cli.commands.secret._options import readable
    from newapi.cli.output import WrongUsage, confirm, note
    from newapi.ops.local import open_local
    from newapi.ops.operations.kept import ForgetSecret
    from newapi.ops.references import references
    from newapi.ops.stored_secrets import SCHEMES, find
    from newapi.ops.stored_secrets import delete as forget

    if at.elsewhere():
        if place is Place.KEYRING:
            raise WrongUsage("A keyring is this machine's: elsewhere a secret is kept in the database")
        there = at.gateway()
        reference = there.do(ForgetSecret(name, dry_run=True))
        if dry_run:
            note(f"Would forget {reference}.")
            return
        confirm(f"Forget {reference}?", yes=yes, no_input=no_input)
        note(f"Forgot {there.do(ForgetSecret(name))}.")
        return
    local = open_local(at.config, server_only=True)
    where = find(local, name, place.value if place else None)
    reference = f"{SCHEMES[where]}:{name}"
    declared = readable(at.config)
    if declared and (used := [r.where for r in references(declared) if r.reference == reference]):
        note(f"The configuration refers to it: {', '.join(used)}.")
    if dry_run:
        note(f"Would forget {reference}.")
        return
    confirm(f"Forget {reference}?", yes=yes, no_input=no_input)
    forget(local, name, where, who=account())
    note(f"Forgot {reference}.")
