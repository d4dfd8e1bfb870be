from __future__ import annotations

from typing import Annotated

import typer

from newapi.cli.commands._gateway import HERE, Where
from newapi.cli.commands._options import DryRun


def disable(
    names: Annotated[list[str] | None, typer.Argument(metavar="[NAME]...", help="Their names, or ids.")] = None,
    tag: Annotated[str | None, typer.Option("--tag", help="Those with this tag.")] = None,
    reason: Annotated[str, typer.Option("--reason", help="Why, for whoever looks at it later.")] = "",
    for_: Annotated[str | None, typer.Option("--for", help="It comes back by itself then: `2h`.")] = None,
    dry_run: DryRun = False,
    at: Where = HERE,
) -> None:
    """Disable channels: no new request goes to them within a second; those under way end.

    Examples:
        newapi channel disable openai-main --reason 'key leaked'
        newapi channel disable --tag prod --for 2h
    """
    import time

    from newapi.cli.commands._options import read, seconds, when
    from newapi.cli.commands.channel._view import chosen
    from newapi.cli.output import note

    length = read("--for", for_, seconds)
    until = time.time() + length if length else 0.0
    told = f" until {when(until)}" if until else ""
    there = at.gateway()
    found = chosen(there, names, tag)
    if dry_run:
        note(f"Would disable {', '.join(c.name for c in found)}{told}.")
        return
    changed = there.switch([c.id for c in found], "disabled", reason=reason, until=until)
    note(f"Disabled {changed} of {len(found)}{told}.")
