from __future__ import annotations

from typing import Annotated

import typer

from newapi.cli.commands._gateway import HERE, Where
from newapi.cli.commands._options import Files, Form, Only
from newapi.cli.output import ExitCode, Output


def diff(
    files: Files = None,
    at: Where = HERE,
    exit_code: Annotated[bool, typer.Option("--exit-code", help="Leave with 3 when there are differences.")] = False,
    summary: Annotated[bool, typer.Option("--summary", help="One line an object.")] = False,
    only: Only = None,
    no_prune: Annotated[bool, typer.Option("--no-prune", help="Leave out deletions.")] = False,
    output: Form = Output.TABLE,
) -> None:
    """Show what `apply` would change, and change nothing.

    Examples:
        newapi diff
        newapi diff config.toml --exit-code
        newapi export | newapi diff -
    """
    import sys

    from newapi.cli.commands._plan import show_plan, wanted
    from newapi.cli.output import note, show
    from newapi.cli.progress import progress
    from newapi.ops.plan_text import total

    with progress("Comparing", output):
        path, declared = wanted(files, at.config)
        there = at._replace(config=path).gateway()
        made = there.plan(declared, prune=not no_prune, only=only or ())
    if output is Output.TABLE:
        show_plan(made.changes, sys.stdout, summary=summary)
        note(f"Plan: {total(made)}." if made.changes else "No differences.")
    else:
        show(made.changes, output)
    if made.changes and exit_code:
        raise typer.Exit(ExitCode.DIFFERS)
