from __future__ import annotations

import typer

from newapi.cli.commands._gateway import HERE, Where
from newapi.cli.commands._options import Form
from newapi.cli.output import Output


def check(
    at: Where = HERE,
    output: Form = Output.TABLE,
) -> None:
    """Look for damage in the database, and for what does not fit together. Leaves with 8 where there is some.

    Examples:
        newapi db check
        newapi db check -o json
    """
    from newapi.cli.output import ExitCode, show
    from newapi.ops.operations.kept import CheckDatabase

    found = at.gateway().do(CheckDatabase())
    show(found, output)
    if not all(finding.ok for finding in found):
        raise typer.Exit(ExitCode.CHECK_FAILED)
