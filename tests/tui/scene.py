"""What the pictures of the dashboard show: a recording that stands still while a channel rests, at a frozen clock."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache

from msgspec.structs import replace

from newapi.ops.gateway import LocalGateway
from newapi.ops.live import ChannelRow, Channels, Hello, LogRow, Stats, Told
from newapi.ops.local import Local
from newapi.ops.trace import Attempt, BillLine, Trace
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


_TOKENS = (("ci", 8_460_000, 4_040_000, 3.0), ("app", 61_200_000, 0, 1.0), ("laptop", 2_490_000, 10_000, 95.0))
"""Name, quota used and left, and seconds since it was used last."""
_USERS = (("root", 0, 69_660_000, 48_120), ("ann", 12_500_000, 2_490_000, 1733), ("bob", 0, 0, 0))
"""Name, quota left and used, and requests."""


async def hold_request(seen: Seen) -> None:
    """Put the log's cursor on a request that two channels were asked for, and take it apart."""
    screen = seen.app.front
    assert isinstance(screen, LogsScreen)
    row = next(row for row in reversed(seen.app.model.logs) if _is_plain(row))
    screen._traces[row.request_id] = _taken_apart(row)
    screen._set_follows(False)
    screen._grid.go_to(row.request_id)
    await seen.pilot.pause()


def _is_plain(row: LogRow) -> bool:
    """Say whether it was tried twice, its bill has but two lines, and its answer was converted."""
    served = row.tries == 2 and row.status == 200 and row.stream
    return served and row.model == "gpt-5" and not row.tokens_cached and row.entry_format == "gemini"


def _taken_apart(row: LogRow) -> Trace:
    """Return the whole of a request of the recording, as a gateway would know it."""
    refused = 214
    spent = [("input", row.tokens_in, "0.000002"), ("output", row.tokens_out, "0.00001")]
    return Trace(
        request_id=row.request_id,
        created_at=row.at,
        kind=row.kind,
        user=row.user,
        token=row.token,
        group=row.group,
        ip="203.0.113.7",
        endpoint=row.endpoint,
        stream=row.stream,
        model=row.model,
        upstream_model=row.upstream_model,
        entry_format=row.entry_format,
        upstream_format=row.upstream_format,
        channel=row.channel,
        status=row.status,
        end_reason=row.end_reason,
        error="",
        attempts=(
            Attempt("azure-eu", 0, 0, refused, 503, "overloaded", "The engine is currently overloaded"),
            Attempt(row.channel, 1, refused, row.duration_ms - refused, 200, "", ""),
        ),
        first_token_ms=row.first_ms,
        duration_ms=row.duration_ms,
        losses=("top_k: no such parameter there",),
        usage={"input": row.tokens_in, "output": row.tokens_out, "source": "upstream"},
        lines=tuple(BillLine(what, n, each, "1", f"{n * float(each):.6f}") for what, n, each in spent),
        factors={"model_ratio": "1", "completion_ratio": "5", "group_ratio": "1"},
        quota=row.quota,
        refunded=0,
    )
