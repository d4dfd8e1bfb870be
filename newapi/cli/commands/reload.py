from __future__ import annotations

from newapi.cli.commands._gateway import HERE, Where


def reload(
    at: Where = HERE,
) -> None:
    """Make the running server read `[server]`, `[limits]` and `[log]` again, as SIGHUP does; no request is dropped.

    A file that is not valid is refused, and nothing changes. Several workers are replaced one after the other, and
    those of before go on until their last request is answered. What `newapi apply` changes needs no reload.

    Examples:
        newapi reload
        newapi reload --context prod
    """
    from newapi.cli.output import note
    from newapi.ops.workers import reload as tell

    where, token = at.running()
    processes = tell(where, token)
    if processes.wanted == 1:
        note("The configuration is read again.")
    else:
        note(f"The configuration is read again; {processes.wanted} workers are replaced one after the other.")
