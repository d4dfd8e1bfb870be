from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from newapi.cli.commands._gateway import HERE, Where
from newapi.cli.commands._options import Form, dollars, read, seconds, when
from newapi.cli.output import Output

if TYPE_CHECKING:
    from newapi.store.ledger import StoredRecord

_POLL_SECONDS = 0.3
_COLUMNS = ("time", "request_id", "token", "model", "channel", "status", "in", "out", "cost", "ms", "error")


def logs(
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Go on with what comes.")] = False,
    since: Annotated[str | None, typer.Option("--since", help="Not older than: `1h`, `30m`, `7d`.")] = None,
    model: Annotated[str | None, typer.Option("--model")] = None,
    channel: Annotated[str | None, typer.Option("--channel")] = None,
    token: Annotated[str | None, typer.Option("--token")] = None,
    user: Annotated[str | None, typer.Option("--user")] = None,
    status: Annotated[str | None, typer.Option("--status", help="`error`, `ok` or a number.")] = None,
    request_id: Annotated[str | None, typer.Option("--request-id")] = None,
    min_cost: Annotated[str | None, typer.Option("--min-cost", help="At least: `$0.01`.")] = None,
    min_latency: Annotated[str | None, typer.Option("--min-latency", help="At least: `2s`.")] = None,
    limit: Annotated[int, typer.Option("--limit", help="How many at most; 0 for all.", min=0)] = 100,
    at: Where = HERE,
    output: Form = Output.TABLE,
) -> None:
    """Show what was asked, what it cost and how it ended: the latest requests, the last one at the end.

    Examples:
        newapi logs -f
        newapi logs --since 1h --status error
        newapi logs --token ci --min-cost '$0.10' -o json
    """
    import time

    from newapi.cli.output import show
    from newapi.ops.logs import quota_of_usd
    from newapi.store.ledger import RecordFilter

    age = read("--since", since, seconds)
    cost = read("--min-cost", min_cost, dollars)
    slow = read("--min-latency", min_latency, seconds)
    wanted = RecordFilter(
        since=None if age is None else time.time() - age,
        model=model,
        channel=channel,
        token=token,
        user=user,
        status=read("--status", status, _status),
        request_id=request_id,
        min_quota=None if cost is None else quota_of_usd(cost),
        min_ms=None if slow is None else round(slow * 1000),
        limit=limit,
    )
    there = at.gateway()
    if not follow:
        found = there.records(wanted)
        show([_row(r) for r in found] if output is Output.TABLE else [_full(r) for r in found], output)
        return
    _check_follow(output)
    for record in there.follow(wanted, lambda: time.sleep(_POLL_SECONDS)):
        _line(record, output)


def _status(text: str) -> str:
    from newapi.cli.mistakes import none_of

    if text not in ("error", "ok") and not text.isdecimal():
        raise ValueError(none_of(text, ("error", "ok", "a number"), "status"))
    return text


def _check_follow(output: Output) -> None:
    if output not in (Output.TABLE, Output.JSON, Output.NDJSON):
        raise typer.BadParameter("a log without an end is shown as table, json or ndjson", param_hint="--output")


def _line(record: StoredRecord, output: Output) -> None:
    from newapi.cli.output import show, write

    if output is Output.TABLE:
        cells = (" ".join(str(v).split()) for v in _row(record).values())
        write("\t".join(cells) + "\n")
    else:  # a list without an end is written line by line
        show([_full(record)], Output.NDJSON)


def _row(record: StoredRecord) -> dict[str, Any]:
    """Return what people look for in a line of the log."""
    from newapi.base.units import usd

    values = (
        when(record.created_at),
        record.request_id,
        record.token_name,
        record.model,
        record.channel_name,
        record.status or record.kind,
        record.prompt_tokens,
        record.completion_tokens,
        usd(record.quota),
        record.duration_ms,
        record.error,
    )
    return dict(zip(_COLUMNS, values, strict=True))


def _full(record: StoredRecord) -> dict[str, Any]:
    """Return all of a line of the log, what is JSON in it as values."""
    import msgspec

    row: dict[str, Any] = msgspec.structs.asdict(record)
    for name, empty in (("usage", {}), ("bill", {}), ("tries", []), ("losses", [])):
        row[name] = msgspec.json.decode(row[name]) if row[name] else empty
    return {"id": row.pop("id"), **row}
