from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from newapi.cli.commands._gateway import HERE, Where
from newapi.cli.commands._options import Form
from newapi.cli.output import Output

if TYPE_CHECKING:
    from newapi.ops.operations.channels import Balance


def balance(
    names: Annotated[list[str] | None, typer.Argument(metavar="[NAME]...", help="Their names, or ids.")] = None,
    all: Annotated[bool, typer.Option("--all", help="All that tell, and are not disabled by hand.")] = False,
    at: Where = HERE,
    output: Form = Output.TABLE,
) -> None:
    """Ask upstreams what is left on their accounts, USD; leave with 8 when one does not say.

    Examples:
        newapi channel balance deepseek
        newapi channel balance --all -o json
    """
    from newapi.cli.output import ExitCode, show
    from newapi.ops.operations.channels import AskBalances

    if all == bool(names):
        raise typer.BadParameter("say which: names, or --all", param_hint="NAME")
    there = at.gateway()
    found = there.do(AskBalances(tuple(names or ())))
    show([_row(b) if output is Output.TABLE else b for b in found], output)
    if any(b.error for b in found):
        raise typer.Exit(ExitCode.CHECK_FAILED)


def _row(found: Balance) -> dict[str, Any]:
    left = "" if found.usd is None else f"${found.usd:.2f}"
    return {"channel": found.channel, "left": left, "error": found.error}
