from __future__ import annotations

from typing import Annotated

import typer

from newapi.cli.commands._options import ConfigFile, DryRun


def enable(
    names: Annotated[list[str] | None, typer.Argument(metavar="[NAME]...", help="Their names, or ids.")] = None,
    tag: Annotated[str | None, typer.Option("--tag", help="Those with this tag.")] = None,
    dry_run: DryRun = False,
    config: ConfigFile = None,
) -> None:
    """Enable channels: requests go to them within a second.

    Examples:
        newapi channel enable openai-main
        newapi channel enable --tag prod
    """
    from newapi.cli.commands._options import account
    from newapi.cli.commands.channel._view import chosen
    from newapi.cli.output import note
    from newapi.ops import channels
    from newapi.ops.local import open_local

    db = open_local(config, server_only=True).db
    found = chosen(db, names, tag)
    if dry_run:
        note(f"Would enable {', '.join(c.name for c in found)}.")
        return
    changed = channels.switch(db, [c.id for c in found], "enabled", who=account())
    note(f"Enabled {changed} of {len(found)}.")
