from __future__ import annotations

from typing import Annotated

import typer

from newapi.cli.commands._gateway import HERE, Where
from newapi.cli.commands._options import DryRun, NoInput, Yes


def prune(
    older_than: Annotated[
        str | None, typer.Option("--older-than", help="`90d`; default: `keep_days` of [log].")
    ] = None,
    vacuum: Annotated[bool, typer.Option("--vacuum", help="Give the space back to the disk.")] = False,
    yes: Yes = False,
    dry_run: DryRun = False,
    no_input: NoInput = False,
    at: Where = HERE,
) -> None:
    """Delete old lines of the log; balances and what was used in all stay.

    Examples:
        newapi db prune --older-than 90d
        newapi db prune --yes --vacuum
    """
    import time

    from newapi.cli.commands._options import read, seconds, when
    from newapi.cli.output import WrongUsage, confirm, note
    from newapi.config.load import load
    from newapi.ops.operations.kept import PruneLog

    there = at.gateway()
    age = read("--older-than", older_than, seconds)
    if age is None:
        days = load(at.config).config.log.keep_days
        if not days:
            raise WrongUsage("The configuration keeps the log for ever", hint="newapi db prune --older-than 90d")
        age = days * 86_400.0
    before = time.time() - age
    number = there.do(PruneLog(before, dry_run=True))
    what = f"{number} lines of the log from before {when(before)}"
    if dry_run:
        note(f"Would delete {what}.")
        return
    if number:
        confirm(f"Delete {what}?", yes=yes, no_input=no_input)
    number = there.do(PruneLog(before, vacuum))
    note(f"Deleted {number} lines of the log.")
