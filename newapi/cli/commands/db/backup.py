from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from newapi.cli.commands._gateway import here
from newapi.cli.commands._options import ConfigFile, DryRun, Form, NoInput, Yes
from newapi.cli.output import Output


def backup(
    file: Annotated[Path, typer.Argument(help="Where to; readable by its owner alone.")],
    yes: Yes = False,
    dry_run: DryRun = False,
    no_input: NoInput = False,
    config: ConfigFile = None,
    output: Form = Output.TABLE,
) -> None:
    """Copy the database, of whatever kind, into a SQLite file, while servers use it: of one moment, and checked.

    The master key is not in it: without that, keys and secrets in it cannot be read. Keep both, apart.

    Examples:
        newapi db backup newapi-$(date +%F).db
        newapi db backup /backup/newapi.db --yes
    """
    from newapi.cli.output import confirm, note, show
    from newapi.cli.progress import progress
    from newapi.ops.database import backup as save

    db = here(config).db
    if dry_run:
        note(f"Would copy {db.shown} to {file}.")
        return
    if file.exists():
        confirm(f"Overwrite {file}?", yes=yes, no_input=no_input)
    with progress("Copying the database", output):
        done = save(db, file, overwrite=file.exists())
    if output is not Output.TABLE:
        show(done, output)
    note(f"Copied {db.shown} to {done.file}, {done.bytes} bytes.")
