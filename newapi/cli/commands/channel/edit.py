from __future__ import annotations

from typing import Annotated

import typer

from newapi.cli.commands._gateway import HERE, Where
from newapi.cli.commands._options import NoInput


def edit(
    name: Annotated[str, typer.Argument(help="Its name, or its id.")],
    no_input: NoInput = False,
    at: Where = HERE,
) -> None:
    """Open a channel in an editor ($VISUAL, $EDITOR), as its table of the configuration; saved, it is checked and set.

    What is wrong is told, and the editor opened again; left as it was, nothing is changed.

    Examples:
        newapi channel edit openai-main
        EDITOR=nano newapi channel edit openai-main --context prod
    """
    from newapi.base.errors import ConfigError
    from newapi.cli.commands._editor import edited
    from newapi.cli.commands.channel._spec import parsed
    from newapi.cli.commands.channel._view import declared
    from newapi.cli.output import confirm, fail, note
    from newapi.ops.export import table
    from newapi.ops.operations.channels import EditChannel
    from newapi.ops.plan import differences

    there = at.gateway()
    channel = there.channel(name)
    declared(channel)
    text = table("channels", channel.name, channel.spec)
    while True:
        after = edited(text, f"{channel.id}.toml", no_input=no_input)
        if after.strip() == table("channels", channel.name, channel.spec).strip():
            note("Nothing was changed.")
            return
        try:
            spec = parsed(there, channel.name, after, f"channel {channel.name}")
            break
        except ConfigError as error:
            fail(error)
            confirm("Edit it again?", no_input=no_input)
            text = after
    changed = [field.key for field in differences(channel.spec, spec)]
    if not changed:
        note("Nothing was changed.")
        return
    there.do(EditChannel(channel.name, spec, channel.updated_at))
    note(f"Changed {', '.join(changed)} of channel {channel.name}.")
