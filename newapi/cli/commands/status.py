from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated

import typer

from newapi.cli.commands._options import ConfigFile, Form
from newapi.cli.output import Output

if TYPE_CHECKING:
    from newapi.ops.processes import Worker


def status(
    exit_code: Annotated[
        bool, typer.Option("--exit-code", help="Leave with 3 when the database is not what the file says.")
    ] = False,
    config: ConfigFile = None,
    output: Form = Output.TABLE,
) -> None:
    """Show how the gateway is doing: version, generation, drift, channels, and what today (UTC) has brought.

    Examples:
        newapi status
        newapi status -o json
        newapi status --exit-code
    """
    from newapi.base.units import usd
    from newapi.cli.output import ExitCode, show
    from newapi.ops.local import open_local
    from newapi.ops.status import status as found

    now = found(open_local(config))
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
