from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from newapi.cli.commands._options import ConfigFile, Form
from newapi.cli.output import Output

if TYPE_CHECKING:
    from newapi.ops.route import Step


def route(
    model: Annotated[str, typer.Argument(help="As a caller names it.")],
    group: Annotated[str, typer.Option("--group", help="For callers of this group.")] = "",
    token: Annotated[str, typer.Option("--token", help="For this token, by name or id.")] = "",
    config: ConfigFile = None,
    output: Form = Output.TABLE,
) -> None:
    """Show which channels a model's requests go to, in which order, and why each other one not.

    Leaves with 8 when such a request would be refused.

    Examples:
        newapi route gpt-4o
        newapi route gpt-4o --group vip
        newapi route gpt-4o --token ci -o json
    """
    from newapi.cli.output import ExitCode, note, show
    from newapi.ops.local import open_local
    from newapi.ops.route import route as find

    found = find(open_local(config, server_only=True), model, group=group, token=token)
    if output in (Output.JSON, Output.TOML):
        show(found, output)
    else:
        show([_row(s) for s in found.steps], output)
    for problem in found.problems:
        note(f"{model}: {problem}")
    if found.problems:
        raise typer.Exit(ExitCode.CHECK_FAILED)


def _row(step: Step) -> dict[str, Any]:
    return {
        "turn": step.turn or "-",
        "name": step.channel,
        "share": f"{step.share:.0%}" if step.turn else "",
        "priority": step.priority,
        "weight": step.weight,
        "keys": step.keys,
        "asks_for": step.upstream_model,
        "why_not": step.reason,
    }
