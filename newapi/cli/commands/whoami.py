from __future__ import annotations

from newapi.cli.commands._gateway import ContextName, ServerUrl, TokenFile
from newapi.cli.commands._options import ConfigFile, Form
from newapi.cli.output import Output


def whoami(
    config: ConfigFile = None,
    server: ServerUrl = None,
    context: ContextName = None,
    token_file: TokenFile = None,
    output: Form = Output.TABLE,
) -> None:
    """Say who you are, and where commands act: on a server, its socket, or the database.

    Examples:
        newapi whoami
        newapi whoami --context prod -o json
    """
    from newapi.cli.commands._gateway import gateway
    from newapi.cli.output import show

    show(gateway(config, server=server, context=context, token_file=token_file).whoami(), output)
