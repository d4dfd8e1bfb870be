from __future__ import annotations

from newapi.cli.commands._options import Form
from newapi.cli.output import Output


def version(output: Form = Output.TABLE) -> None:
    """Show the version, and what it runs on.

    Examples:
        newapi version
        newapi version -o json
    """
    import platform
    import sqlite3

    from newapi import __version__
    from newapi.cli.output import show
    from newapi.store.migrations import steps

    show(
        {
            "newapi": __version__,
            "schema": steps()[-1][0],
            "python": platform.python_version(),
            "sqlite": sqlite3.sqlite_version,
            "platform": platform.platform(),
        },
        output,
    )
