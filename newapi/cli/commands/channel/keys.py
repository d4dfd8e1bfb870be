from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from newapi.cli.commands._gateway import HERE, Where
from newapi.cli.commands._options import DryRun, Form, when
from newapi.cli.output import Output

if TYPE_CHECKING:
    from newapi.ops.channels import ChannelView


def keys(
    name: Annotated[str, typer.Argument(help="The channel's name, or its id.")],
    add: Annotated[
        bool, typer.Option("--add", help="Read keys from standard input, a line each, behind those it has.")
    ] = False,
    enable: Annotated[list[int] | None, typer.Option("--enable", metavar="N", help="Use this one again.")] = None,
    disable: Annotated[list[int] | None, typer.Option("--disable", metavar="N", help="Do not use this one.")] = None,
    delete: Annotated[list[int] | None, typer.Option("--delete", metavar="N", help="Take this one out.")] = None,
    reason: Annotated[str, typer.Option("--reason", help="Why it is disabled.")] = "",
    dry_run: DryRun = False,
    at: Where = HERE,
    output: Form = Output.TABLE,
) -> None:
    """List the keys of a channel: where each is, and whether it is used; never the key.

    The first is 0. They are added from standard input, disabled, enabled and taken out one at a time.

    Examples:
        newapi channel keys pool
        newapi channel keys pool --disable 2 --reason leaked
        newapi channel keys pool --add < keys.txt
    """
    from newapi.cli.commands.channel._view import keys_from_stdin
    from newapi.cli.output import WrongUsage, note, show
    from newapi.ops.operations.channels import DeleteKeys, EditChannel, SwitchKeys

    if sum(map(bool, (add, enable, disable, delete))) > 1:
        raise WrongUsage("--add, --enable, --disable and --delete are done one at a time")
    there = at.gateway()
    channel = there.channel(name)
    if dry_run:
        note(f"Would change the keys of channel {channel.name}.")
        return
    if add:
        there.do(EditChannel(channel.name, channel.spec, channel.updated_at, keys=keys_from_stdin(), append=True))
    elif enable or disable:
        there.do(SwitchKeys(channel.name, bool(enable), tuple(enable or disable or ()), reason))
    elif delete:
        there.do(DeleteKeys(channel.name, tuple(delete)))
    show(_rows(there.channel(channel.name), people=output is Output.TABLE), output)


def _rows(channel: ChannelView, *, people: bool) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = []
    for position, reference in enumerate(channel.references):
        state = channel.key_states.get(position)
        at = state.at if state else 0
        rows.append(
            {
                "key": position,
                "reference": reference,
                "state": state.state if state else "enabled",
                "reason": state.reason if state else "",
                "since": when(at) if people else at,
            }
        )
    return rows
