from __future__ import annotations

import typer

from newapi.cli.commands._gateway import ContextName, ServerUrl, TokenFile
from newapi.cli.commands._options import ConfigFile, Form
from newapi.cli.output import Output


def check(
    config: ConfigFile = None,
    server: ServerUrl = None,
    context: ContextName = None,
    token_file: TokenFile = None,
    output: Form = Output.TABLE,
) -> None:
    """Look for damage in the database, and for what does not fit together. Leaves with 8 where there is some.

    Examples:
        newapi db check
        newapi db check -o json
    """
    from newapi.cli.commands._gateway import gateway
    from newapi.cli.output import ExitCode, show
    from newapi.ops.operations.kept import CheckDatabase

    found = gateway(config, server=server, context=context, token_file=token_file).do(CheckDatabase())
    show(found, output)
    if not all(finding.ok for finding in found):
        raise typer.Exit(ExitCode.CHECK_FAILED)
