from __future__ import annotations

from typing import Annotated

import typer

from newapi.cli.commands._gateway import HERE, Where
from newapi.cli.commands._options import Form
from newapi.cli.output import Output


def usage(
    name: Annotated[str, typer.Argument(help="Its name, or its id.")],
    since: Annotated[str, typer.Option("--since", help="Not older than: `1h`, `7d`.")] = "30d",
    at: Where = HERE,
    output: Form = Output.TABLE,
) -> None:
    """Show what a token used, by model, and what it has left.

    Examples:
        newapi token usage ci
        newapi token usage ci --since 24h -o csv
    """
    import time

    from newapi.base.units import usd
    from newapi.cli.commands._options import read, seconds
    from newapi.cli.output import note, show
    from newapi.ops.operations.reading import SumUsage
    from newapi.store.ledger import RecordFilter

    there = at.gateway()
    token = there.token(name)
    age = read("--since", since, seconds) or 0.0
    sums = there.do(SumUsage(RecordFilter(since=time.time() - age, token_id=token.id), ("model",)))
    rows = [
        {
            "model": s.model,
            "requests": s.requests,
            "prompt_tokens": s.prompt_tokens,
            "completion_tokens": s.completion_tokens,
            **({"cost": usd(s.quota)} if output is Output.TABLE else {"quota": s.quota}),
        }
        for s in sums
    ]
    show(rows, output)
    left = "what its owner has" if token.unlimited else usd(token.remaining)
    note(f"Token {token.name} of {token.user} ({token.state}) used {usd(token.used)} in all; it may spend {left}.")
