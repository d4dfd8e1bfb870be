from __future__ import annotations

from newapi.cli.commands._options import Form
from newapi.cli.output import Output


def list(output: Form = Output.TABLE) -> None:
    """List the contexts, and say which one commands act on.

    Examples:
        newapi context list
        newapi context list -o json
    """
    from newapi.cli.output import show
    from newapi.ops import contexts

    known = contexts.read()
    rows = [{"name": contexts.LOCAL, "server": "", "token": ""}]
    rows += [{"name": name, "server": c.server, "token": c.token} for name, c in known.contexts.items()]
    show([{**row, "current": row["name"] == known.current} for row in rows], output)
