from __future__ import annotations

from newapi.cli.commands._gateway import here
from newapi.cli.commands._options import ConfigFile, DryRun, Form
from newapi.cli.output import Output


def migrate(
    dry_run: DryRun = False,
    config: ConfigFile = None,
    output: Form = Output.TABLE,
) -> None:
    """Bring the tables of the database up to date. Every command that opens it does so too: this one does only that.

    Examples:
        newapi db migrate --dry-run
        newapi db migrate
    """
    from newapi.cli.output import note, show
    from newapi.ops.database import migrate as bring_up

    done = bring_up(here(config, migrate=False).db, dry_run=dry_run)
    if output is not Output.TABLE:
        show(done, output)
    if done.before == done.now:
        note(f"{done.database} has schema {done.now}: nothing to do.")
    else:
        note(f"{'Would bring' if dry_run else 'Brought'} {done.database} from schema {done.before} to {done.now}.")
