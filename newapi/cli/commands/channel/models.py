from __future__ import annotations

from typing import Annotated

import typer

from newapi.cli.commands._options import ConfigFile, Form
from newapi.cli.output import Output


def models(
    name: Annotated[str, typer.Argument(help="Its name, or its id.")],
    fetch: Annotated[bool, typer.Option("--fetch", help="Ask the upstream which it has.")] = False,
    config: ConfigFile = None,
    output: Form = Output.TABLE,
) -> None:
    """List the models that a channel serves, and with --fetch those that its upstream has.

    Examples:
        newapi channel models openai-main
        newapi channel models openai-main --fetch
        newapi channel models openai-main --fetch -o name
    """
    from newapi.cli.output import show
    from newapi.ops import channels
    from newapi.ops.channel_probe import fetch_models
    from newapi.ops.local import open_local
    from newapi.ops.upkeep import missing
    from newapi.relay.snapshot import Models

    local = open_local(config, server_only=True)
    channel = channels.get(local.db, name)
    spec = channel.spec
    if not fetch:
        show([{"name": m, "upstream": spec.model_mapping.get(m, m)} for m in spec.models], output)
        return
    served, there = Models(spec.models), set(fetch_models(local, channel))
    rows = [{"name": m, "served": m in served, "upstream": True} for m in sorted(there)]
    show([*rows, *({"name": m, "served": True, "upstream": False} for m in missing(channel, there))], output)
