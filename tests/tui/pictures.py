"""The pictures of the dashboard in README.md.

    uv run python -m tests.tui.pictures         writes tests/tui/pictures/*.svg anew

They show a recording that stands still while a channel rests, at a frozen clock: the same at every call.
"""

from __future__ import annotations

import asyncio
import os
import re
import tempfile
import time
from collections.abc import AsyncGenerator, Iterator
from pathlib import Path
from unittest import mock

from msgspec.structs import replace

from newapi.ops.live import ChannelRow, Channels, Hello, LogRow, Stats, Told
from newapi.ops.trace import Attempt, BillLine, Trace
from newapi.tui.app import Options, Tui
from newapi.tui.screens.logs import LogsScreen
from newapi.tui.source import Source
from tests.support.live import START, recording
from tests.tui.screens.gateway import CONFIG, Seen, here

PICTURES = Path(__file__).parent / "pictures"
SIZE = (120, 40)
THEME = "textual-dark"
AT = 84
"""Seconds into the recording: `azure-eu` rests."""
_MORE = """
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


def events() -> Iterator[Told]:
    """Yield the recording up to then."""
    for told in recording(2):
        event = told.event
        if isinstance(event, Stats) and event.at >= START + AT:
            return
        if isinstance(event, Hello):
            told = Told(told.id, replace(event, channels=resting(event.channels)))
        elif isinstance(event, Channels):
            told = Told(told.id, replace(event, rows=resting(event.rows)))
        yield told


def resting(rows: tuple[ChannelRow, ...]) -> tuple[ChannelRow, ...]:
    """Return channels, of which those that are disabled have no requests."""
    return tuple(ChannelRow(row.id, row.name, "disabled", 1, 1) if row.state == "disabled" else row for row in rows)


async def overview(seen: Seen) -> None:
    """The overview, as it opens."""


async def channels(seen: Seen) -> None:
    """The channels, one of them with its detail."""
    seen.app.open("channels")
    await seen.pilot.pause()
    await seen.until(lambda: all(item.view for item in seen.grid.all) and seen.grid.total)
    await seen.press("down", "down", "enter")


async def logs(seen: Seen) -> None:
    """The log, and beside it a request that two channels were asked for."""
    seen.app.open("logs")
    await seen.pilot.pause()
    seen.app.draw()
    await seen.pilot.pause()
    screen = seen.app.front
    assert isinstance(screen, LogsScreen)
    row = next(r for r in reversed(seen.app.model.logs) if r.tries == 2 and r.status == 200 and is_plain(r))
    screen._traces[row.request_id] = taken_apart(row)
    screen._set_follows(False)
    screen._grid.go_to(row.request_id)
    await seen.pilot.pause()
    screen._tell()
    await seen.pilot.pause()


def is_plain(row: LogRow) -> bool:
    """Say whether the bill of a request has but two lines, and its answer was converted."""
    return row.model == "gpt-5" and not row.tokens_cached and row.stream and row.entry_format == "gemini"


def taken_apart(row: LogRow) -> Trace:
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


async def picture(name: str, prepare) -> None:  # type: ignore[no-untyped-def]
    """Write one picture."""
    config = CONFIG.replace('enabled = false\nremark = "being moved"', "weight = 50") + _MORE
    with tempfile.TemporaryDirectory() as directory:
        gateway, local, path = here(Path(directory), config)

        async def watch() -> AsyncGenerator[Told]:
            for told in events():
                yield told
            await asyncio.Event().wait()

        source = Source("prod", "server", watch, gateway if name == "channels" else None, config=path)
        app = Tui(lambda _: source, "prod", Options(theme=THEME))
        async with app.run_test(size=SIZE) as pilot:
            seen = Seen(app, pilot, gateway, local, path)
            await seen.until(lambda: app.model.is_known)
            await prepare(seen)
            app.draw()
            await pilot.pause()
            svg = app.export_screenshot(title="newapi tui")
        local.db.close()
    (PICTURES / f"{name}.svg").write_text(drawn(svg), encoding="utf-8")


_RUN = re.compile(
    r'(<text class="([^"]+)" x=")([\d.]+)(" y="([\d.]+)" textLength=")([\d.]+)("[^>]*>)((?:&#160;)*)(.*?)((?:&#160;)*)</text>'
)
_COLOUR = re.compile(r"\.([\w-]+) \{ fill: (#\w+)")
_CELL, _LINE, _RISE = 12.2, 24.4, 18.5
"""Width and height of a cell, and how far its top is above its text, in the units of the picture."""
_DOTS = ((0, 0), (0, 1), (0, 2), (1, 0), (1, 1), (1, 2), (0, 3), (1, 3))
"""Column and row of each bit of a Braille sign."""


def drawn(svg: str) -> str:
    """Return a picture whose dots and bars are drawn, and whose words have no spaces around them: no font is wrong."""
    colours = dict(_COLOUR.findall(svg))

    def run(found: re.Match[str]) -> str:
        before, style, x, between, y, length, end, leading, text, trailing = found.groups()
        if not text:
            return ""
        left, right = len(leading) // 6, len(trailing) // 6
        at, long = float(x) + left * _CELL, float(length) - (left + right) * _CELL
        plain = text.replace("&#160;", " ")
        if re.fullmatch("[ \u2800-\u28ff\u2581-\u2588]+", plain):
            return signs(plain, at, float(y) - _RISE, colours[style])
        return f"{before}{at:.1f}{between}{long:.1f}{end}{text}</text>"

    return re.sub(r"terminal-\d+-", "t-", _RUN.sub(run, svg))


def signs(text: str, left: float, top: float, colour: str) -> str:
    """Return Braille signs and bars as paths."""
    dots, bars = "", ""
    half = _CELL / 4
    for cell, sign in enumerate(text):
        x = left + cell * _CELL
        if "\u2581" <= sign <= "\u2588":
            height = _LINE * (ord(sign) - 0x2580) / 8
            bars += f"M{x:.1f} {top + _LINE:.1f}v{-height:.1f}h{_CELL}v{height:.1f}z"
        elif sign != " ":
            there = [spot for bit, spot in enumerate(_DOTS) if (ord(sign) - 0x2800) >> bit & 1]
            if there:
                dots += f"M{x + half:.1f} {top + half:.1f}"
                # Each from where the one before it was: that is shorter.
                steps = zip([(0, 0), *there], there, strict=False)
                dots += "".join(f"m{2 * half * (i - a):g} {2 * half * (j - b):g}h0" for (a, b), (i, j) in steps)
    drawn = f'<path d="{dots}" stroke="{colour}" stroke-width="3.6" stroke-linecap="round"/>' if dots else ""
    return drawn + (f'<path d="{bars}" fill="{colour}"/>' if bars else "")


async def main() -> None:
    """Write all of them."""
    PICTURES.mkdir(exist_ok=True)
    os.environ.pop("NO_COLOR", None)
    os.environ["TZ"] = "UTC"
    time.tzset()
    with mock.patch.object(time, "time", return_value=float(START + AT)):
        for prepare in (overview, channels, logs):
            await picture(prepare.__name__, prepare)


if __name__ == "__main__":
    asyncio.run(main())
