# ruff: noqa: PT028  (a command, not a test)

from __future__ import annotations

from typing import Annotated

import typer

from newapi.cli.commands._options import ConfigFile


def test(
    names: Annotated[list[str] | None, typer.Argument(metavar="[NAME]...", help="Only these.")] = None,
    config: ConfigFile = None,
) -> None:
    """Tell everybody something that does not matter, and say to whom it came; leave with 8 when it does not.

    Examples:
        newapi notice test
        newapi notice test ops
    """
    import time

    from newapi.base.errors import NewapiError
    from newapi.cli.output import ExitCode, note
    from newapi.ops.local import open_local
    from newapi.ops.notices import Notice, send

    local = open_local(config)
    failed = False
    for name in names or local.config.notices:
        notice = Notice("models", "", "A test of newapi", "Whoever reads this is told.", "error", time.time())
        try:
            send(local.config, name, notice, local.resolve)
        except NewapiError as error:
            failed = True
            note(f"{name}: {error.message}")
        else:
            note(f"{name}: told")
    if not (names or local.config.notices):
        note("Nobody is told: the configuration has no [notices.*]")
    if failed:
        raise typer.Exit(ExitCode.CHECK_FAILED)
