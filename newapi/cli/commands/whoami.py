from __future__ import annotations

from newapi.cli.commands._gateway import HERE, Where
from newapi.cli.commands._options import Form
from newapi.cli.output import Output


def whoami(
    at: Where = HERE,
    output: Form = Output.TABLE,
) -> None:
    """Say who you are, and where commands act: on a server, its socket, or the database.

    Examples:
        newapi whoami
        newapi whoami --context prod -o json
    """
    from newapi.cli.output import show

    show(at.gateway().whoami(), output)
