from __future__ import annotations

from typing import Annotated

import typer

from newapi.cli.commands._gateway import HERE, Where
from newapi.cli.commands._options import DryRun


def enable(
    names: Annotated[list[str] | None, typer.Argument(metavar="[NAME]...", help="Their names, or ids.")] = None,
    tag: Annotated[str | None, typer.Option("--tag", help="Those with this tag.")] = None,
    dry_run: DryRun = False,
    at: Where = HERE,
) -> None:
    """Enable channels: requests go to them within a second.

    Examples:
        newapi channel enable openai-main
        newapi channel enable --tag prod
    """
    from newapi.cli.commands.channel._view import chosen
    from newapi.cli.output import note

    there = at.gateway()
    found = chosen(there, names, tag)
    if dry_run:
        note(f"Would enable {', '.join(c.name for c in found)}.")
        return
    changed = there.switch([c.id for c in found], "enabled")
    note(f"Enabled {changed} of {len(found)}.")
