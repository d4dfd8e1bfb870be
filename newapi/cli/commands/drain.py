from __future__ import annotations

from typing import Annotated

import typer

from newapi.cli.commands._gateway import HERE, Where


def drain(
    wait: Annotated[
        bool, typer.Option("--wait/--no-wait", help="Wait until it has ended; only a server on this machine.")
    ] = True,
    at: Where = HERE,
) -> None:
    """Let the running server come to its end, as SIGTERM does: no more connections, and those requests under way.

    They may go on for `limits.drain_timeout`; what is not answered by then is cut off, and charged for what arrived.

    Examples:
        newapi drain
        newapi drain --no-wait --context prod
    """
    from newapi.cli.output import note
    from newapi.ops.workers import drain as tell
    from newapi.ops.workers import wait_for

    where, token = at.running()
    processes = tell(where, token)
    count = sum(worker.in_flight for worker in processes.workers)
    note(f"The server takes no more connections; {count} requests are under way.")
    if wait and where.startswith("unix:"):
        wait_for(processes.pid)
        note("It has ended.")
