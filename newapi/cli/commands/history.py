from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from newapi.cli.commands._gateway import HERE, Where
from newapi.cli.commands._options import Form, shown, when
from newapi.cli.output import Output

if TYPE_CHECKING:
    from newapi.ops.history import Generation


def history(
    generation: Annotated[int | None, typer.Argument(metavar="[N]", help="Show what this one changed.")] = None,
    at: Where = HERE,
    limit: Annotated[int, typer.Option("--limit", help="How many at most; 0 for all.", min=0)] = 20,
    output: Form = Output.TABLE,
) -> None:
    """List the generations of applied configuration, the latest first.

    Examples:
        newapi history
        newapi history 12
        newapi rollback 11
    """
    import sys

    from newapi.cli.commands._plan import show_plan
    from newapi.cli.output import show

    there = at.gateway()
    if generation is not None:
        changes = there.changes_of(generation)
        if output is Output.TABLE:
            show_plan(changes, sys.stdout)
        else:
            show(changes, output)
        return
    show(shown(there.history(limit), output, _row), output)


def _row(made: Generation) -> dict[str, Any]:
    return {
        "generation": f"{made.number}{' *' if made.current else ''}",
        "when": when(made.created_at),
        "who": made.who,
        "source": made.source,
        "changes": f"+{made.created} ~{made.updated} -{made.deleted}",
    }
