from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def serve(
    config: Annotated[Path | None, typer.Option("--config", "-c", envvar="NEWAPI_CONFIG", help="The file.")] = None,
    check: Annotated[bool, typer.Option("--check", help="Check the configuration and leave.")] = False,
) -> None:
    """Serve what is applied, until SIGTERM.

    Examples:
        newapi serve
        newapi serve --config /etc/newapi/config.toml --check
    """
    from newapi.cli.output import note
    from newapi.ops.local import open_local, state_directory
    from newapi.server.serve import serve as run

    local = open_local(config)
    if check:
        note(f"{local.path} is valid")
        return
    run(local, state=state_directory(local) / "journal", say=note)
