from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from newapi.cli.commands._gateway import here
from newapi.cli.commands._options import ConfigFile, DryRun, NoInput, Yes


def restore(
    file: Annotated[Path, typer.Argument(help="What `newapi db backup` made.")],
    yes: Yes = False,
    dry_run: DryRun = False,
    no_input: NoInput = False,
    config: ConfigFile = None,
) -> None:
    """Put a backup into the place of what the database holds, which is saved beside it, or beside the backup.

    Stop the servers first: what they are about to charge would go to balances of another time.

    Examples:
        newapi db restore newapi-2026-07-07.db
        newapi db restore newapi-2026-07-07.db --yes
    """
    from newapi.cli.commands._options import account
    from newapi.cli.output import confirm, note
    from newapi.cli.progress import progress
    from newapi.ops.database import restore as put_back
    from newapi.store.maintenance import check_backup

    db = here(config).db
    schema = check_backup(file)
    if dry_run:
        note(f"Would replace {db.shown} by {file} (schema {schema}).")
        return
    confirm(f"Replace everything in {db.shown} by {file}?", yes=yes, no_input=no_input)
    with progress("Restoring the database"):
        saved = put_back(db, file, who=account())
    note(f"Restored {file}; the database before is {saved.file}.")
