from __future__ import annotations

from typing import Annotated

import typer

from newapi.cli.commands._options import DryRun, NoInput, Yes


def remove(
    name: Annotated[str, typer.Argument(help="Its name.")],
    yes: Yes = False,
    dry_run: DryRun = False,
    no_input: NoInput = False,
) -> None:
    """Forget a context, and its access token in the keyring.

    Examples:
        newapi context remove prod
        newapi context remove prod --yes
    """
    from newapi.cli.output import confirm, note
    from newapi.ops import contexts

    found = contexts.read().get(name)
    if dry_run:
        note(f"Would forget context {name}: {found.server}.")
        return
    confirm(f"Forget context {name} ({found.server})?", yes=yes, no_input=no_input)
    contexts.remove(name)
    note(f"Forgot context {name}.")
