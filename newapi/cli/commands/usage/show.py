from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from newapi.cli.commands._gateway import HERE, Where
from newapi.cli.commands._options import Form
from newapi.cli.output import Output

if TYPE_CHECKING:
    from collections.abc import Sequence

    from newapi.ops.usage import By, UsageSum

_BAR = 40


def show(
    by: Annotated[
        list[str] | None, typer.Option("--by", help="model, token, user, channel, group, day, hour; several together.")
    ] = None,
    since: Annotated[str, typer.Option("--since", help="Not older than: `1h`, `7d`.")] = "30d",
    model: Annotated[str | None, typer.Option("--model")] = None,
    channel: Annotated[str | None, typer.Option("--channel")] = None,
    token: Annotated[str | None, typer.Option("--token")] = None,
    user: Annotated[str | None, typer.Option("--user")] = None,
    group: Annotated[str | None, typer.Option("--group")] = None,
    plot: Annotated[bool, typer.Option("--plot", help="A bar for each.")] = False,
    limit: Annotated[int, typer.Option("--limit", help="How many at most; 0 for all.", min=0)] = 0,
    at: Where = HERE,
    output: Form = Output.TABLE,
) -> None:
    """Show what was used and what it cost: by model, unless something else is said.

    Examples:
        newapi usage
        newapi usage --by token --since 7d
        newapi usage --by day --plot
        newapi usage --by model,user -o csv
    """
    import time

    from newapi.cli.commands._options import read, read_all, seconds
    from newapi.cli.output import show as print_rows
    from newapi.ops.operations.reading import SumUsage
    from newapi.store.ledger import RecordFilter

    chosen = read_all("--by", by, _by) or [_by("model")]
    age = read("--since", since, seconds) or 0
    wanted = RecordFilter(since=time.time() - age, model=model, channel=channel, token=token, user=user, group=group)
    there = at.gateway()
    found = there.do(SumUsage(wanted, tuple(chosen), limit))
    if output is Output.TABLE:
        dearest = max((s.quota for s in found), default=0)
        print_rows([_row(s, chosen, dearest if plot else 0) for s in found], output)
    else:
        print_rows([_values(s, chosen) for s in found], output)


def _by(text: str) -> By:
    from newapi.cli.mistakes import none_of
    from newapi.ops.usage import BY

    for name in BY:
        if name == text:
            return name
    raise ValueError(none_of(text, BY))


def _values(found: UsageSum, by: Sequence[By]) -> dict[str, Any]:
    from newapi.base.units import usd

    named: dict[str, Any] = {}
    for name in by:
        if name in ("day", "hour"):
            named[name] = _moment(found.at, name)
        else:
            named[name] = getattr(found, name)
    return {
        **named,
        "requests": found.requests,
        "prompt_tokens": found.prompt_tokens,
        "completion_tokens": found.completion_tokens,
        "quota": found.quota,
        "usd": usd(found.quota).replace("$", ""),
    }


def _moment(at: int, by: str) -> str:
    from datetime import UTC, datetime

    return datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%d" if by == "day" else "%Y-%m-%d %H:00")


def _row(found: UsageSum, by: Sequence[By], dearest: int) -> dict[str, Any]:
    from newapi.base.units import usd

    values = _values(found, by)
    row = {
        **{name: values[name] for name in by},
        "requests": found.requests,
        "in": found.prompt_tokens,
        "out": found.completion_tokens,
        "cost": usd(found.quota),
    }
    if dearest > 0:
        row["plot"] = "█" * max(round(_BAR * found.quota / dearest), 1 if found.quota > 0 else 0)
    return row
