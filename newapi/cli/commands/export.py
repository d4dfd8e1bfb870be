from __future__ import annotations

from newapi.cli.commands._gateway import ContextName, ServerUrl, TokenFile
from newapi.cli.commands._options import ConfigFile, Only


def export(
    config: ConfigFile = None,
    server: ServerUrl = None,
    context: ContextName = None,
    token_file: TokenFile = None,
    only: Only = None,
) -> None:
    """Write the database as a configuration file: references, never secrets.

    Examples:
        newapi export > config.toml
        newapi export --only channels
        newapi export | newapi diff -
    """
    from newapi.cli.commands._gateway import gateway
    from newapi.cli.output import write

    there = gateway(config, server=server, context=context, token_file=token_file)
    write(there.export(only or ()))
