from __future__ import annotations

from typing import Annotated

import typer

from newapi.cli.commands._options import ConfigFile, Form
from newapi.cli.output import Output


def show(
    origin: Annotated[bool, typer.Option("--origin", help="Also where each value comes from.")] = False,
    config: ConfigFile = None,
    output: Form = Output.TABLE,
) -> None:
    """Show the configuration as it is in force: what the file says, what it includes, and the defaults.

    Secrets are shown as the references to them, and the password in a proxy's URL is hidden. What is printed is a
    configuration file itself.

    Examples:
        newapi config show
        newapi config show --origin
        newapi config show -o json
    """
    import msgspec

    from newapi.cli.output import show as write_rows
    from newapi.cli.output import write
    from newapi.config.findings import mask
    from newapi.config.load import load
    from newapi.ops.settings import as_toml, settings

    found = settings(load(config))
    if output in (Output.TABLE, Output.TOML):
        write(mask(as_toml(found, origins=origin)))
        return
    rows = [
        {"name": f"{s.table}.{s.key}".lstrip("."), "value": mask(s.value), **({"origin": s.origin} if origin else {})}
        for s in found
        if s.key
    ]
    write_rows(msgspec.to_builtins(rows), output)
