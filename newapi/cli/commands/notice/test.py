# ruff: noqa: PT028  (a command, not a test)

from __future__ import annotations

from typing import Annotated

import typer

from newapi.cli.commands._gateway import HERE, Where


def test(
    names: Annotated[list[str] | None, typer.Argument(metavar="[NAME]...", help="Only these.")] = None,
    at: Where = HERE,
) -> None:
    """Tell everybody something that does not matter, and say to whom it came; leave with 8 when it does not.

    A server that runs tells it itself, from where it is.

    Examples:
        newapi notice test
        newapi notice test ops
    """
    from newapi.cli.output import ExitCode, note
    from newapi.ops.operations.notices import TryNotices

    done = at.gateway().do(TryNotices(tuple(names or ())))
    for given in done:
        note(f"{given.name}: {given.error or 'told'}")
    if not done:
        note("Nobody is told: the configuration has no [notices.*]")
    if any(given.error for given in done):
        raise typer.Exit(ExitCode.CHECK_FAILED)
