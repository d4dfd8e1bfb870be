from __future__ import annotations

from newapi.cli.commands._options import ConfigFile, Only


def export(config: ConfigFile = None, only: Only = None) -> None:
    """Write the database as a configuration file: references, never secrets.

    Examples:
        newapi export > config.toml
        newapi export --only channels
        newapi export | newapi diff -
    """
    from newapi.cli.output import write
    from newapi.ops.export import export as text_of
    from newapi.ops.local import open_local

    write(text_of(open_local(config, server_only=True).db, only=only or ()))
