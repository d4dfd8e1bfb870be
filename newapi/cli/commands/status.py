from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated

import typer

from newapi.cli.commands._gateway import HERE, Where
from newapi.cli.commands._options import Form
from newapi.cli.output import Output

if TYPE_CHECKING:
    from newapi.ops.live import Stats
    from newapi.ops.processes import Worker

_WATCHED = ("time", "requests", "failed", "under_way", "in", "out", "cost", "first_p50_ms", "first_p95_ms", "today")


def status(
    exit_code: Annotated[
        bool, typer.Option("--exit-code", help="Leave with 3 when the database is not what the file says.")
    ] = False,
    watch: Annotated[bool, typer.Option("--watch", help="A line a second: what it brought; on and on.")] = False,
    limit: Annotated[int, typer.Option("--limit", help="Watch so many seconds; 0 for ever.", min=0)] = 0,
    at: Where = HERE,
    output: Form = Output.TABLE,
) -> None:
    """Show how the gateway is doing: version, generation, drift, channels, and what today (UTC) has brought.

    Examples:
        newapi status
        newapi status --watch
        newapi status --watch --limit 10 -o ndjson
        newapi status --exit-code
        newapi status --context prod
    """
    if watch:
        import asyncio

        if output not in (Output.TABLE, Output.JSON, Output.NDJSON):
            raise typer.BadParameter("what has no end is shown as table, json or ndjson", param_hint="--output")
        asyncio.run(_watch(at, limit, output))
        return

    from newapi.base.units import usd
    from newapi.cli.output import ExitCode, show
    from newapi.ops.operations.whole import ShowStatus

    now = at.gateway().do(ShowStatus())
    if output is Output.TABLE:
        drift = f" ({now.differences} to apply)" if now.differences else ""
        show(
            {
                "version": now.version,
                "generation": now.generation,
                "configuration": f"{now.sync}{drift}",
                "serving": now.serving,
                **({"workers": _workers(now.workers)} if now.workers else {}),
                "channels": ", ".join(f"{count} {state}" for state, count in now.channels.items()),
                "requests today": now.requests,
                "errors today": now.errors,
                "spend today": usd(now.spend),
            },
            output,
        )
    else:
        show(now, output)
    if exit_code and now.sync != "in sync":
        raise typer.Exit(ExitCode.DIFFERS)


def _workers(workers: Sequence[Worker]) -> str:
    """Return them for people: how many of each state, the requests under way, and how often one was started anew."""
    from collections import Counter

    states = Counter(worker.state for worker in workers)
    told = [f"{count} {state}" for state, count in states.items()]
    if under_way := sum(worker.in_flight for worker in workers):
        told.append(f"{under_way} requests under way")
    if restarts := sum({worker.slot: worker.restarts for worker in workers}.values()):
        told.append(f"{restarts} restarted")
    return ", ".join(told)


async def _watch(at: Where, limit: int, output: Output) -> None:
    """Write a line for every second that is told, and how the connection is beside it."""
    from contextlib import aclosing

    from msgspec.structs import asdict

    from newapi.cli.output import note, show, write
    from newapi.ops.live import Gap, Link, Stats

    seconds = 0
    async with aclosing(at.gateway().watch(("stats",), "5m")) as events:
        async for told in events:
            match told.event:
                case Stats() as stats if output is Output.TABLE:
                    if not seconds:
                        write("\t".join(_WATCHED) + "\n")
                    write("\t".join(_second(stats)) + "\n")
                    seconds += 1
                case Stats() as stats:
                    show([asdict(stats)], Output.NDJSON)
                    seconds += 1
                case Gap(reason, missed):
                    note(f"gap ({reason}): {missed} events are missing" if missed else f"gap ({reason})")
                case Link("lost", where, message, retry_in):
                    note(f"{where}: {message}; it is tried again in {retry_in:g} s")
                case Link("connected", where, message):
                    note(f"{where}: {message}" if message else f"watching {where}")
                case _:
                    pass
            if limit and seconds >= limit:
                return


def _second(stats: Stats) -> tuple[str, ...]:
    from datetime import datetime

    from newapi.base.units import usd

    return (
        datetime.fromtimestamp(stats.at).astimezone().strftime("%H:%M:%S"),
        str(stats.requests),
        str(stats.errors + stats.rejected),
        str(stats.in_flight),
        str(stats.tokens_in),
        str(stats.tokens_out),
        usd(stats.quota),
        str(stats.first_p50_ms),
        str(stats.first_p95_ms),
        usd(stats.today),
    )
