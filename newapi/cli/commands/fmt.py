from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from newapi.cli.commands._options import ConfigFile, DryRun


def fmt(
    files: Annotated[
        list[Path] | None,
        typer.Argument(metavar="FILE", help="Files; `-` is standard input. Default: the one in use."),
    ] = None,
    check: Annotated[bool, typer.Option("--check", help="Change nothing; leave with 3 when a file would.")] = False,
    diff: Annotated[bool, typer.Option("--diff", help="Change nothing; show what would.")] = False,
    dry_run: DryRun = False,
    config: ConfigFile = None,
) -> None:
    """Bring a configuration into the canonical layout: spacing, quotes and comments; what it says stays.

    Comments, and the order of tables and keys, are kept. The names of files that change are printed; standard input
    is written to standard output.

    Examples:
        newapi fmt
        newapi fmt --check config.toml conf.d/*.toml
        newapi fmt --diff config.toml
        newapi fmt - < config.toml
    """
    from newapi.cli.output import ExitCode, say, write
    from newapi.config.load import STDIN, find
    from newapi.ops.fmt import difference, laid_out, rewrite

    differs = False
    changes_nothing = check or diff or dry_run
    for path in files or [find(config)]:
        before, after = laid_out(path)
        differs |= before != after
        if path == STDIN and not changes_nothing:
            write(after)
        elif before != after:
            if diff:
                write(difference(path, before, after))
            else:
                say(str(path))
            if not changes_nothing:
                rewrite(path, after)
    if check and differs:
        raise typer.Exit(ExitCode.DIFFERS)
