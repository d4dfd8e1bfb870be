# ruff: noqa: PT028  (a command, not a test)

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from newapi.cli.commands._options import ConfigFile, Form, account
from newapi.cli.output import Output

if TYPE_CHECKING:
    from newapi.ops.channel_probe import Tested


def test(
    names: Annotated[list[str] | None, typer.Argument(metavar="[NAME]...", help="Their names, or ids.")] = None,
    all: Annotated[bool, typer.Option("--all", help="All that are not disabled by hand.")] = False,
    model: Annotated[str, typer.Option("--model", help="What to ask for; else each one's own test model.")] = "",
    stream: Annotated[bool, typer.Option("--stream", help="Ask for a stream.")] = False,
    key: Annotated[int | None, typer.Option("--key", help="Which of its keys; the first is 0.", min=0)] = None,
    config: ConfigFile = None,
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
    from newapi.ops import breakers, channel_probe, channels
    from newapi.ops.local import open_local

    if all == bool(names):
        raise typer.BadParameter("say which: names, or --all", param_hint="NAME")
    if key is not None and (all or len(names or ()) > 1):
        raise typer.BadParameter("a key is one channel's: name it", param_hint="--key")
    local = open_local(config, server_only=True)
    if key is not None and names:
        view = channels.get(local.db, names[0])
        found = [channel_probe.probe(local, view, model=model, stream=stream, key=key)]
        if not found[0].error:
            breakers.recovered(local, view, key, found[0].model, who=account())
    else:
        listed = [c for c in channels.list_channels(local.db) if c.state != "disabled"]
        chosen = listed if all else [channels.get(local.db, name) for name in names or ()]
        found = breakers.check_all(local, chosen, model=model, stream=stream, who=account())
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
