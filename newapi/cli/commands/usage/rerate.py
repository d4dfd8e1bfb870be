from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from newapi.cli.commands._gateway import HERE, Where
from newapi.cli.commands._options import DryRun, Form, NoInput, Yes
from newapi.cli.output import Output

if TYPE_CHECKING:
    from newapi.ops.rerate import Rerating


def rerate(
    since: Annotated[str, typer.Option("--since", help="Not older than: `1h`, `7d`.")],
    until: Annotated[str | None, typer.Option("--until", help="Older than: `1h`.")] = None,
    model: Annotated[str | None, typer.Option("--model")] = None,
    channel: Annotated[str | None, typer.Option("--channel")] = None,
    token: Annotated[str | None, typer.Option("--token")] = None,
    user: Annotated[str | None, typer.Option("--user")] = None,
    group: Annotated[str | None, typer.Option("--group")] = None,
    yes: Yes = False,
    dry_run: DryRun = False,
    no_input: NoInput = False,
    at: Where = HERE,
    output: Form = Output.TABLE,
) -> None:
    """Price past requests anew, after a price was wrong: everyone pays, or gets back, the difference.

    The prices are those in force; what a group pays of them stays what it was. A request keeps its first price in its
    bill, for `newapi trace`.

    Examples:
        newapi usage rerate --since 7d --model gpt-4o -n
        newapi usage rerate --since 2d --until 1d --yes
    """
    import time

    from msgspec.structs import replace

    from newapi.cli.commands._options import read, seconds
    from newapi.cli.output import confirm, note, show
    from newapi.cli.progress import progress
    from newapi.ops.operations.kept import RepriceLog
    from newapi.store.ledger import RecordFilter

    now = time.time()
    age, end = read("--since", since, seconds) or 0, read("--until", until, seconds)
    wanted = RecordFilter(since=now - age, model=model, channel=channel, token=token, user=user, group=group)
    wanted = replace(wanted, until=now if end is None else now - end)
    there = at.gateway()
    with progress("Pricing requests", output):
        planned = there.do(RepriceLog(wanted, dry_run=True))
    show(_rows(planned) if output is Output.TABLE else planned, output)
    for why, number in sorted(planned.kept.items()):
        note(f"{_requests(number)} left at the price that is there: {why}.")
    if not planned.changed:
        note(f"None of {_requests(planned.requests)} changes its price.")
        return
    told = f"{_requests(planned.changed)} of {planned.requests}: {_money(planned.after - planned.before, sign=True)}"
    if dry_run:
        note(f"Would change {told}.")
        return
    confirm(f"Change {told}?", yes=yes, no_input=no_input)
    with progress("Pricing requests", output):
        done = there.do(RepriceLog(wanted))
    note(f"Changed {_requests(done.changed)}: {_money(done.after - done.before, sign=True)}.")


def _rows(found: Rerating) -> list[dict[str, Any]]:
    return [
        {
            "model": m.model,
            "requests": m.requests,
            "before": _money(m.before),
            "after": _money(m.after),
            "difference": _money(m.after - m.before, sign=True),
        }
        for m in found.models
    ]


def _money(quota: int, *, sign: bool = False) -> str:
    from newapi.base.units import usd

    return f"{'+' if quota > 0 else '-' if quota < 0 else ''}{usd(abs(quota))}" if sign else usd(quota)


def _requests(number: int) -> str:
    return f"{number:,} request" + ("" if number == 1 else "s")
