from __future__ import annotations

import typer

from newapi.cli.commands._options import ConfigFile, Form
from newapi.cli.output import Output


def check(
    config: ConfigFile = None,
    output: Form = Output.TABLE,
) -> None:
    """Look for damage in the database, and for what does not fit together. Leaves with 8 where there is some.

    Examples:
        newapi db check
        newapi db check -o json
    """
    from newapi.cli.output import ExitCode, show
    from newapi.ops.database import check as look
    from newapi.ops.local import open_local

    found = look(open_local(config, server_only=True).db)
    show(found, output)
    if not all(finding.ok for finding in found):
        raise typer.Exit(ExitCode.CHECK_FAILED)
