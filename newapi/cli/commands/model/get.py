from __future__ import annotations

from typing import Annotated

import typer

from newapi.cli.commands._gateway import HERE, Where
from newapi.cli.commands._options import Form
from newapi.cli.output import Output


def get(
    name: Annotated[str, typer.Argument(help="As callers say it.")],
    group: Annotated[str, typer.Option("--group", help="With the prices that this group pays.")] = "",
    at: Where = HERE,
    output: Form = Output.TABLE,
) -> None:
    """Show one model: its price, the channels that serve it, and to whom.

    Examples:
        newapi model get gpt-4o
        newapi model get gpt-4o --group vip -o json
    """
    from newapi.cli.output import show
    from newapi.ops.operations.reading import ShowModel

    model = at.gateway().do(ShowModel(name, group))
    if output is not Output.TABLE:
        show(model, output)
        return
    prices = {
        f"{what}{f'_up_to_{tier.up_to}' if tier.up_to else ''}": f"${getattr(tier, what)} a million tokens"
        for tier in model.rates
        for what in ("input", "output", "cached_input", "cache_write")
    }
    call = {"per_call": f"${model.per_call} a call"} if model.per_call is not None else {}
    who = {"channels": model.channels, "groups": model.groups, "fallback": model.fallback}
    show({"name": model.name, "price_from": model.source, "ratio": model.ratio, **call, **prices, **who})
