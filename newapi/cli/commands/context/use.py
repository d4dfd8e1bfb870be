from __future__ import annotations

from typing import Annotated

import typer

from newapi.cli.commands._options import DryRun


def use(
    name: Annotated[str, typer.Argument(help="Its name; `local` is this machine's gateway.")],
    dry_run: DryRun = False,
) -> None:
    """Let commands act on a context when nothing else is said.

    Examples:
        newapi context use prod
        newapi context use local
    """
    from newapi.cli.output import note
    from newapi.ops import contexts

    if dry_run:
        if name != contexts.LOCAL:
            contexts.read().get(name)
        note(f"Would let commands act on {name}.")
        return
    contexts.use(name)
    note(f"Commands act on {name}.")
