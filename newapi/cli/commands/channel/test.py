# ruff: noqa: PT028  (a command, not a test)

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from newapi.cli.commands._gateway import HERE, Where
from newapi.cli.commands._options import Form
from newapi.cli.output import Output

if TYPE_CHECKING:
    from newapi.ops.channel_probe import Tested


def test(
    names: Annotated[list[str] | None, typer.Argument(metavar="[NAME]...", help="Their names, or ids.")] = None,
    all: Annotated[bool, typer.Option("--all", help="All that are not disabled by hand.")] = False,
    model: Annotated[str, typer.Option("--model", help="What to ask for; else each one's own test model.")] = "",
    stream: Annotated[bool, typer.Option("--stream", help="Ask for a stream.")] = False,
    key: Annotated[int | None, typer.Option("--key", help="Which of its keys; the first is 0.", min=0)] = None,
    at: Where = HERE,
    output: Form = Output.TABLE,
) -> None:
    """Ask channels something small, and say how each did; leave with 8 when one fails.

    It costs what the upstream takes for a few tokens. One that answers rests no longer, and what health disabled of it
    is enabled; what you disabled stays disabled, and one that fails stays as it is.

    Examples:
        newapi channel test openai-main
        newapi channel test openai-main --model gpt-4o --stream
        newapi channel test --all -o json
    """
    from newapi.cli.output import ExitCode, show
    from newapi.cli.progress import progress
    from newapi.ops.operations.channels import ProbeChannels

    if all == bool(names):
        raise typer.BadParameter("say which: names, or --all", param_hint="NAME")
    if key is not None and (all or len(names or ()) > 1):
        raise typer.BadParameter("a key is one channel's: name it", param_hint="--key")
    there = at.gateway()
    with progress("Asking channels", output):
        found = there.do(ProbeChannels(tuple(names or ()), model, stream, key))
    show([_row(t) if output is Output.TABLE else t for t in found], output)
    if any(t.error for t in found):
        raise typer.Exit(ExitCode.CHECK_FAILED)


def _row(tested: Tested) -> dict[str, Any]:
    return {
        "channel": tested.channel,
        "model": tested.model,
        "result": "failed" if tested.error else "ok",
        "ms": tested.ms,
        "error": tested.error,
    }
