from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from newapi.cli.commands._gateway import ContextName, ServerUrl, TokenFile
from newapi.cli.commands._options import ConfigFile, DryRun, Files, Form, NoInput, Only, Yes
from newapi.cli.output import Output


def apply(
    files: Files = None,
    config: ConfigFile = None,
    server: ServerUrl = None,
    context: ContextName = None,
    token_file: TokenFile = None,
    yes: Yes = False,
    dry_run: DryRun = False,
    no_input: NoInput = False,
    no_prune: Annotated[bool, typer.Option("--no-prune", help="Keep what the file no longer has.")] = False,
    only: Only = None,
    source: Annotated[str, typer.Option("--source", help="Where the file comes from, for the history.")] = "",
    write_tokens: Annotated[
        Path | None, typer.Option("--write-tokens", metavar="FILE", help="Write new tokens' keys there, mode 0600.")
    ] = None,
    output: Form = Output.TABLE,
) -> None:
    """Make the database what the file says: shows the plan, asks, applies it in one transaction.

    The keys of new tokens are shown once, on standard output.

    Examples:
        newapi apply
        newapi apply config.toml --yes --source "$(git rev-parse --short HEAD)"
        newapi apply --only channels/openai-main
    """
    from newapi.cli.commands._apply import apply_shown
    from newapi.cli.commands._gateway import gateway
    from newapi.cli.commands._plan import wanted

    path, declared = wanted(files, config)
    there = gateway(path, server=server, context=context, token_file=token_file)
    prune, chosen = not no_prune, only or ()
    made = there.plan(declared, prune=prune, only=chosen)
    apply_shown(
        made,
        lambda: there.apply(declared, source=source, prune=prune, only=chosen, base=made.base),
        yes=yes,
        dry_run=dry_run,
        no_input=no_input,
        write_tokens=write_tokens,
        output=output,
    )
