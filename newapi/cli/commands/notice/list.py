from __future__ import annotations

from newapi.cli.commands._gateway import HERE, Where
from newapi.cli.commands._options import Form
from newapi.cli.output import Output


def list(
    at: Where = HERE,
    output: Form = Output.TABLE,
) -> None:
    """List who is told when something needs a look, and of what.

    Examples:
        newapi notice list
        newapi notice list -o name
    """
    from newapi.cli.output import show
    from newapi.ops.operations.notices import ListNotices

    show(at.gateway().do(ListNotices()), output)
