from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from newapi.cli.commands._gateway import here
from newapi.cli.commands._options import ConfigFile, DryRun, Form, NoInput, Yes
from newapi.cli.output import Output


def import_(
    source: Annotated[
        str,
        typer.Argument(
            help="The database of a New API or One API, opened read-only: its SQLite file, its URL, or a reference to "
            "that (`env:SQL_DSN`). Or LiteLLM's config.yaml."
        ),
    ],
    write: Annotated[
        Path | None, typer.Option("--write", metavar="FILE", help="Write the result there as a configuration, too.")
    ] = None,
    logs_since: Annotated[
        str | None,
        typer.Option("--logs-since", metavar="AGE", help="The log of the last `30d`, too; nobody is charged."),
    ] = None,
    logs_from: Annotated[
        str, typer.Option("--logs-from", metavar="SOURCE", help="The database of the log, where it has one of its own.")
    ] = "",
    yes: Yes = False,
    dry_run: DryRun = False,
    no_input: NoInput = False,
    config: ConfigFile = None,
    output: Form = Output.TABLE,
) -> None:
    """Take over a New API or One API database, or LiteLLM's configuration.

    Of a database: channels, groups and prices, users, tokens, redemption codes, options, and its log where that is
    wanted. Of a config.yaml: channels, prices, fallbacks, routing, and the master key as a token.

    Keys go on working. What is here already stays; a second import doubles nothing. What cannot be taken over is told
    row by row, on standard error.

    Examples:
        newapi import one-api.db --dry-run
        newapi import one-api.db --write imported.toml
        newapi import env:SQL_DSN --logs-since 30d
        newapi import litellm/config.yaml --write config.toml
        newapi import one-api.db -o json > report.json
    """
    import time

    import msgspec

    from newapi.cli.commands._options import account, read, seconds
    from newapi.cli.output import confirm, note, show
    from newapi.cli.progress import progress
    from newapi.ops.import_litellm import import_litellm, is_litellm
    from newapi.ops.importing import import_database

    age = read("--logs-since", logs_since, seconds)
    local = here(config)
    if write is not None and write.exists() and not dry_run:
        confirm(f"Overwrite {write}?", yes=yes, no_input=no_input)
    since = None if age is None else time.time() - age
    with progress("Importing", output):
        if is_litellm(source):
            done = import_litellm(local, Path(source), dry_run=dry_run, who=account())
        else:
            done = import_database(local, source, logs_since=since, logs_from=logs_from, dry_run=dry_run, who=account())
    if output in (Output.JSON, Output.TOML):
        show(
            {
                "program": done.program,
                "counts": msgspec.to_builtins(done.counts),
                "left": msgspec.to_builtins(done.left),
            },
            output,
        )
    else:
        show(done.counts, output)
    for row in done.left:
        note(f"{row.kind} {row.id}{f' ({row.name})' if row.name not in ('', row.id) else ''}: {row.reason}")
    if dry_run:
        note("Nothing was changed: this is what would be done.")
    elif write is not None:
        write.write_text(done.toml)
        note(f"Wrote {write}.")
