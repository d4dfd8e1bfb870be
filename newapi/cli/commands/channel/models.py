from __future__ import annotations

from typing import Annotated

import typer

from newapi.cli.commands._gateway import HERE, Where
from newapi.cli.commands._options import Form
from newapi.cli.output import Output


def models(
    name: Annotated[str, typer.Argument(help="Its name, or its id.")],
    fetch: Annotated[bool, typer.Option("--fetch", help="Ask the upstream which it has.")] = False,
    at: Where = HERE,
    output: Form = Output.TABLE,
) -> None:
    """List the models that a channel serves, and with --fetch those that its upstream has.

    Examples:
        newapi channel models openai-main
        newapi channel models openai-main --fetch
        newapi channel models openai-main --fetch -o name
    """
    from newapi.cli.output import show
    from newapi.cli.progress import progress
    from newapi.ops.operations.channels import FetchModels
    from newapi.ops.upkeep import missing
    from newapi.relay.snapshot import Models, mapped

    there = at.gateway()
    channel = there.channel(name)
    spec = channel.spec
    if not fetch:
        show([{"name": m, "upstream": mapped(spec.model_mapping, m)} for m in spec.models], output)
        return
    with progress("Asking the upstream", output):
        served, upstream = Models(spec.models), set(there.do(FetchModels(name)))
    rows = [{"name": m, "served": m in served, "upstream": True} for m in sorted(upstream)]
    show([*rows, *({"name": m, "served": True, "upstream": False} for m in missing(channel, upstream))], output)
