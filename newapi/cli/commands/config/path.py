from __future__ import annotations

from newapi.cli.commands._options import ConfigFile, Form
from newapi.cli.output import Output


def path(config: ConfigFile = None, output: Form = Output.TABLE) -> None:
    """Print the path of the configuration that commands use.

    Examples:
        newapi config path
        $EDITOR "$(newapi config path)"
    """
    from newapi.cli.output import say, show
    from newapi.config.load import find

    found = find(config)
    if output is Output.TABLE:
        say(str(found))
    else:
        show({"name": str(found), "exists": found.is_file()}, output)
