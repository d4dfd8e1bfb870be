from __future__ import annotations

from newapi.cli.commands._gateway import HERE, Where
from newapi.cli.commands._options import Form
from newapi.cli.output import Output


def status(
    at: Where = HERE,
    output: Form = Output.TABLE,
) -> None:
    """Show what the database is, how large, and how many rows its tables have.

    Examples:
        newapi db status
        newapi db status -o json
    """
    from newapi.cli.commands._options import when
    from newapi.cli.output import show
    from newapi.ops.operations.kept import ShowDatabase

    found = at.gateway().do(ShowDatabase())
    if output is not Output.TABLE:
        show(found, output)
        return
    show(
        {
            "database": found.database,
            "schema": f"{found.schema} of {found.schema_known}",
            "generation": found.generation,
            "size": f"{found.bytes / 2**20:.1f} MiB" if found.bytes else "",
            "oldest_record": when(found.oldest_record),
            **found.rows,
        }
    )
