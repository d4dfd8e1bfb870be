from __future__ import annotations

from typing import Annotated

import typer

from newapi.cli.commands._options import ConfigFile, DryRun


def disable(
    names: Annotated[list[str] | None, typer.Argument(metavar="[NAME]...", help="Their names, or ids.")] = None,
    tag: Annotated[str | None, typer.Option("--tag", help="Those with this tag.")] = None,
    reason: Annotated[str, typer.Option("--reason", help="Why, for whoever looks at it later.")] = "",
    dry_run: DryRun = False,
    config: ConfigFile = None,
) -> None:
    """Disable channels: no new request goes to them within a second; those under way end.

    Examples:
        newapi channel disable openai-main --reason 'key leaked'
        newapi channel disable --tag prod
    """
    from newapi.cli.commands._options import account
    from newapi.cli.commands.channel._view import chosen
    from newapi.cli.output import note
    from newapi.ops import channels
    from newapi.ops.local import open_local

    db = open_local(config, server_only=True).db
    found = chosen(db, names, tag)
    if dry_run:
        note(f"Would disable {', '.join(c.name for c in found)}.")
        return
    changed = channels.switch(db, [c.id for c in found], "disabled", who=account(), reason=reason)
    note(f"Disabled {changed} of {len(found)}.")
