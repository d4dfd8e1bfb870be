from __future__ import annotations

from typing import Annotated

import typer

from newapi.cli.commands._gateway import here
from newapi.cli.commands._options import ConfigFile, DryRun, Form, NoInput, Yes
from newapi.cli.output import Output


def copy(
    to: Annotated[
        str,
        typer.Option(
            "--to",
            metavar="URL",
            help="postgresql://…, mysql://… or sqlite:///…, empty; or a reference: `env:SQL_DSN` shows no password.",
        ),
    ],
    yes: Yes = False,
    dry_run: DryRun = False,
    no_input: NoInput = False,
    config: ConfigFile = None,
    output: Form = Output.TABLE,
) -> None:
    """Copy everything to another, empty database, of whatever kind: from SQLite to PostgreSQL or MySQL, or back.

    All of it is of one moment, and compared row by row. Stop the servers first: what they write afterwards is not in
    the copy. Then name the new database in `[server] database`; the master key stays the same.

    Examples:
        newapi db copy --to env:SQL_DSN
        newapi db copy --to sqlite:///copy.db --yes
    """
    from newapi.cli.commands._options import account
    from newapi.cli.output import confirm, note, show
    from newapi.cli.progress import progress
    from newapi.ops.database import check_empty
    from newapi.ops.database import copy as transfer
    from newapi.ops.local import open_other

    local = here(config)
    target = open_other(local, to, migrate=not dry_run)
    check_empty(local.db, target)
    if dry_run:
        note(f"Would copy {local.db.shown} to {target.shown}.")
        return
    confirm(f"Copy everything in {local.db.shown} to {target.shown}?", yes=yes, no_input=no_input)
    with progress("Copying the database", output):
        done = transfer(local.db, target, who=account())
    if output is not Output.TABLE:
        show(done, output)
    else:
        rows = [
            {"table": t.table, "rows": t.rows, "sums": ", ".join(f"{k} {v}" for k, v in t.sums.items())} for t in done
        ]
        show(rows, output)
    note(f"Copied {local.db.shown} to {target.shown}: {sum(table.rows for table in done)} rows, compared one by one.")
