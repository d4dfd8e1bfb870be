from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from newapi.cli.commands._gateway import HERE, Where
from newapi.cli.commands._options import Form
from newapi.cli.output import Output

if TYPE_CHECKING:
    from newapi.ops.route import Step


def route(
    model: Annotated[str, typer.Argument(help="As a caller names it.")],
    group: Annotated[str, typer.Option("--group", help="For callers of this group.")] = "",
    token: Annotated[str, typer.Option("--token", help="For this token, by name or id.")] = "",
    conversation: Annotated[
        str, typer.Option("--conversation", help="For this conversation of the token's user, as its client calls it.")
    ] = "",
    at: Where = HERE,
    output: Form = Output.TABLE,
) -> None:
    """Show which channels a model's requests go to, in which order, and why each other one not.

    A running server says what it sees at this moment: what rests and until when, requests under way, milliseconds to
    the first token. Channels of one turn share its requests. Leaves with 8 when such a request would be refused.

    Examples:
        newapi route gpt-4o
        newapi route gpt-4o --group vip
        newapi route gpt-4o --token ci -o json
        newapi route gpt-5 --token ci --conversation 0199c3a4-5d2e
    """
    from newapi.cli.output import ExitCode, note, show
    from newapi.ops.operations.reading import ExplainRoute

    if conversation and not token:
        raise typer.BadParameter("a conversation is one of a token's user: --token says which", param_hint="--token")
    there = at.gateway()
    found = there.do(ExplainRoute(model, group, token, conversation))
    if output in (Output.JSON, Output.TOML):
        show(found, output)
    else:
        several = {"model": {s.model for s in found.steps}, "group": {s.group for s in found.steps if s.turn}}
        shown = [name for name, values in several.items() if len(values) > 1]
        show([_row(s, shown, live=found.live) for s in found.steps], output)
    for problem in found.problems:
        note(f"{model}: {problem}")
    if found.problems:
        raise typer.Exit(ExitCode.CHECK_FAILED)


def _row(step: Step, shown: list[str], *, live: bool) -> dict[str, Any]:
    seen = {"under_way": step.under_way, "first_ms": step.stream_ms or "", "answer_ms": step.answer_ms or ""}
    return {
        "turn": step.turn or "-",
        "name": step.channel,
        **{name: getattr(step, name) for name in shown},
        "share": f"{step.share:.0%}" if step.turn else "",
        "priority": step.priority,
        "weight": step.weight,
        "keys": step.keys,
        "asks_for": step.upstream_model,
        "state": step.state if step.turn or step.rests else "",
        **(seen if live else {}),
        "why": "; ".join(_whys(step)),
    }


def _whys(step: Step) -> list[str]:
    from newapi.cli.commands._options import when

    found = [step.reason] if step.reason else []
    if step.conversation:
        found.append("it has the conversation")
    for rest in step.rests:
        until = f" until {when(rest.until)}" if rest.until else ""
        found.append(f"key {rest.key} {rest.state}{until}: {rest.reason}")
    return found
