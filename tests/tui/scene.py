"""What the pictures of the dashboard show: a recording that stands still while a channel rests, at a frozen clock."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache

import msgspec
from msgspec.structs import replace

from newapi.billing.book import PriceBook
from newapi.billing.charge import charge
from newapi.billing.quote import Call
from newapi.ir.usage import Usage
from newapi.ops.gateway import LocalGateway
from newapi.ops.live import ChannelRow, Channels, Hello, LogRow, Logs, Stats, Told
from newapi.ops.local import Local
from newapi.relay.values import Try
from newapi.store.ledger import UsageRecord, write_record
from newapi.store.models import Channel, Record, Token, User
from newapi.tui.screens.logs import LogsScreen
from tests.support.live import START, recording
from tests.tui.screens.gateway import CONFIG, Seen

AT = START + 84
"""Unix seconds: `azure-eu` rests."""
CHANNELS = (
    CONFIG.replace('enabled = false\nremark = "being moved"', "weight = 50")
    + """
[channels.gemini]
type = "gemini"
keys = ["env:G1", "env:G2", "env:G3", "env:G4"]
models = ["gemini-2.5-flash", "gemini-2.5-pro"]
priority = 5

[channels.deepseek]
type = "deepseek"
key = "env:DEEPSEEK"
models = ["deepseek-chat"]
enabled = false
"""
)
"""The configuration: a channel for each of the recording's."""


@cache
def events() -> tuple[Told, ...]:
    """Return the recording up to then."""
    return tuple(_events())


def _events() -> Iterator[Told]:
    for told in recording(2):
        event = told.event
        if isinstance(event, Stats) and event.at >= AT:
            return
        if isinstance(event, Hello):
            told = Told(told.id, replace(event, channels=_idle(event.channels)))
        elif isinstance(event, Channels):
            told = Told(told.id, replace(event, rows=_idle(event.rows)))
        yield told


def _idle(rows: tuple[ChannelRow, ...]) -> tuple[ChannelRow, ...]:
    """Return channels, of which those that are disabled have no requests."""
    return tuple(ChannelRow(row.id, row.name, "disabled", 1, 1) if row.state == "disabled" else row for row in rows)


def settle(gateway: LocalGateway, local: Local) -> None:
    """Let the tokens, the users and the channels have been used, and the configuration been applied twice."""
    with local.db.writing() as c:
        for name, used, left, seen in _TOKENS:
            spent = {"used_quota": used, "remaining_quota": left, "accessed_at": seen and AT - seen}
            Token.update(**spent).where(Token.name == name).execute(c)
            written = {"usage": "", "bill": "", "tries": "", "error": "", "losses": ""}
            id = Token.select(Token.id).where(Token.name == name).scalar(c)
            today = {"created_at": AT - seen, "kind": "consume", "token_id": id, "token_name": name, "quota": used // 4}
            Record.insert(**today, **written).execute(c)
        for name, quota, used, requests in _USERS:
            User.update(quota=quota, used_quota=used, requests=requests).where(User.name == name).execute(c)
        Channel.update(balance=41.73, balance_at=AT - 840).where(Channel.name == "deepseek").execute(c)
        Channel.update(balance=212.5, balance_at=AT - 300).where(Channel.name == "openai-main").execute(c)
    write_record(local.db, _ledger_row(request()))


_TOKENS = (("ci", 8_460_000, 4_040_000, 3.0), ("app", 61_200_000, 0, 1.0), ("laptop", 2_490_000, 10_000, 95.0))
"""Name, quota used and left, and seconds since it was used last."""
_USERS = (("root", 0, 69_660_000, 48_120), ("ann", 12_500_000, 2_490_000, 1733), ("bob", 0, 0, 0))
"""Name, quota left and used, and requests."""


@cache
def request() -> LogRow:
    """Return a request of the recording that two channels were asked for, and whose answer was converted."""
    rows = [row for told in events() if isinstance(told.event, Logs) for row in told.event.rows]
    return next(row for row in reversed(rows) if row.tries == 2 and row.model == "gpt-5" and _is_converted(row))


def _is_converted(row: LogRow) -> bool:
    return row.status == 200 and row.stream and row.entry_format == "gemini" and not row.tokens_cached


def _ledger_row(row: LogRow) -> UsageRecord:
    """Return what the ledger says of it."""
    price = PriceBook({}).find(row.model)
    assert price is not None
    usage = Usage(input=row.tokens_in, output=row.tokens_out)
    bill = charge(usage, price, call=Call(entry_format=row.entry_format, upstream_format=row.upstream_format))
    refused = 214
    same = {name: getattr(row, name) for name in UsageRecord.__struct_fields__ if hasattr(row, name)}
    return UsageRecord(
        **same
        | {
            "created_at": row.at,
            "user_name": row.user,
            "token_name": row.token,
            "channel_name": row.channel,
            "ip": "203.0.113.7",
            "quota": bill.quota,
            "usage": _json(usage),
            "bill": _json(bill.factors),
            "tries": _json(
                [
                    Try("azure-eu", 2, 0, refused, 503, "overloaded", "The engine is currently overloaded"),
                    Try(row.channel, 1, 1, row.duration_ms - refused, 200),
                ]
            ),
            "losses": _json(["top_k: no such parameter there"]),
            "first_token_ms": row.first_ms,
        }
    )


def _json(value: object) -> str:
    return msgspec.json.encode(value).decode()


async def hold_request(seen: Seen) -> None:
    """Put the log's cursor on that request, and wait until it is taken apart."""
    screen = seen.app.front
    assert isinstance(screen, LogsScreen)
    screen._set_follows(False)
    screen._grid.go_to(request().request_id)
    screen._tell()
    await seen.until(lambda: request().request_id in screen._traces)
