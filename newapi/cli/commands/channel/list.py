from __future__ import annotations

from typing import Annotated

import typer

from newapi.cli.commands._gateway import HERE, Where
from newapi.cli.commands._options import Form
from newapi.cli.output import Output

_STATES = ("enabled", "disabled", "tripped")


def list(
    group: Annotated[str | None, typer.Option("--group", help="Only those that serve this group.")] = None,
    model: Annotated[str | None, typer.Option("--model", help="Only those that serve this model.")] = None,
    tag: Annotated[str | None, typer.Option("--tag", help="Only those with this tag.")] = None,
    state: Annotated[str | None, typer.Option("--state", help="`enabled`, `disabled` or `tripped`.")] = None,
    at: Where = HERE,
    output: Form = Output.TABLE,
) -> None:
    """List the channels, the highest priority first.

    Examples:
        newapi channel list
        newapi channel list --state tripped
        newapi channel list --model gpt-4o -o json
    """
    from newapi.cli.commands.channel._view import full, row
    from newapi.cli.mistakes import none_of
    from newapi.cli.output import show
    from newapi.relay.snapshot import Models

    if state not in (None, *_STATES):
        raise typer.BadParameter(none_of(state, _STATES, "state"), param_hint="--state")
    found = [
        c
        for c in at.gateway().channels()
        if (group is None or group in c.spec.groups)
        and (model is None or model in Models(c.spec.models))
        and (tag is None or c.spec.tag == tag)
        and (state is None or c.state == state)
    ]
    found.sort(key=lambda c: (-c.spec.priority, c.id))
    show([row(c) if output is Output.TABLE else full(c) for c in found], output)
