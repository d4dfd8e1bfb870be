from __future__ import annotations

from typing import Annotated

import typer

from newapi.cli.commands._gateway import HERE, Where
from newapi.cli.commands._options import Form
from newapi.cli.output import Output


def trace(
    id: Annotated[str, typer.Argument(help="Of the request: `x-oneapi-request-id` of its answer, or a log line's.")],
    at: Where = HERE,
    output: Form = Output.TABLE,
) -> None:
    """Show one request: attempts as a waterfall, timings, what the conversion dropped, every factor of the bill.

    Examples:
        newapi trace 20260707120000123456abcdefgh
        newapi trace $(newapi logs --status error --limit 1 -o json | jq -r '.items[0].request_id')
        newapi trace 20260707120000123456abcdefgh -o json
    """
    from newapi.cli.commands._trace import text
    from newapi.cli.output import say, show
    from newapi.ops.operations.reading import TraceRequest

    found = at.gateway().do(TraceRequest(id))
    if output is Output.TABLE:
        say(text(found))
    else:
        show(found, output)
