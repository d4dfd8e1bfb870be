from __future__ import annotations

from typing import Annotated

import typer

from newapi.cli.commands._gateway import HERE, Where
from newapi.cli.commands._options import DryRun, NoInput, Yes


def delete(
    names: Annotated[list[str] | None, typer.Argument(metavar="[NAME]...", help="Their names, or ids.")] = None,
    tag: Annotated[str | None, typer.Option("--tag", help="Those with this tag.")] = None,
    yes: Yes = False,
    no_input: NoInput = False,
    dry_run: DryRun = False,
    at: Where = HERE,
) -> None:
    """Delete channels, and the keys that were kept for them; their lines of the log stay.

    Examples:
        newapi channel delete openai-old
        newapi channel delete --tag old --yes
    """
    from newapi.cli.commands.channel._view import chosen, declared
    from newapi.cli.output import confirm, note
    from newapi.ops.operations.channels import DeleteChannels

    there = at.gateway()
    found = chosen(there, names, tag)
    told = ", ".join(channel.name for channel in found)
    for channel in found:
        declared(channel)
    if dry_run:
        note(f"Would delete {told}.")
        return
    confirm(f"Delete {told}?", yes=yes, no_input=no_input)
    number = there.do(DeleteChannels(tuple(channel.id for channel in found)))
    note(f"Deleted {number} of {len(found)}.")
