from __future__ import annotations

from pathlib import Path

from newapi.ops.live import LogRow, Logs, Told
from newapi.tui.screens.logs import ROWS
from tests.support.live import START
from tests.tui.screens.gateway import Seen, dashboard, recorded
from tests.tui.watching import line, told, watching


def log(seen: Seen):  # type: ignore[no-untyped-def]
    return seen.app.front.query_one("#log")


async def test_it_follows_until_the_cursor_moves(tmp_path: Path) -> None:
    async with watching(tmp_path, "logs") as seen:
        assert "following" in line(seen, "#tail")
        assert log(seen).current is log(seen).rows[-1]
        await seen.press("up")
        held = log(seen).current
        assert "held" in line(seen, "#tail")
        seen.app.model.apply(Logs(START, (LogRow(START + 500.0, "new"),)))
        seen.app.draw()
        await seen.pilot.pause()
        assert log(seen).current is held
        await seen.press("f")
        assert log(seen).current.request_id == "new"


async def test_errors_one_after_the_other(tmp_path: Path) -> None:
    async with watching(tmp_path, "logs") as seen:
        await seen.press("n")
        last = log(seen).current
        assert last.status == 503
        assert "upstream answered 503" in told(seen).replace("\n", " ")
        await seen.press("N")
        assert log(seen).current.status == 503
        assert log(seen).current.at < last.at
        await seen.press("n")
        assert log(seen).current is last


async def test_only_what_is_the_same(tmp_path: Path) -> None:
    async with watching(tmp_path, "logs") as seen:
        token = log(seen).current.token
        await seen.press("T")
        assert {row.token for row in log(seen).rows} == {token}
        await seen.press("T")
        assert len({row.token for row in log(seen).rows}) > 1
        await seen.press("e")
        assert {row.status for row in log(seen).rows} == {503}
        await seen.press("escape")
        assert not seen.app.front.filter_text


async def test_what_is_typed_filters_at_once_and_what_is_wrong_is_said(tmp_path: Path) -> None:
    async with watching(tmp_path, "logs") as seen:
        await seen.press("slash")
        await seen.type("model:gemini")
        assert {row.model for row in log(seen).rows} == {"gemini-2.5-flash", "gemini-2.5-pro"}
        await seen.press("enter")
        assert seen.app.focused is log(seen)
        await seen.press("slash")
        await seen.type(" nothing:x")
        assert str(seen.app.front.query_one("FilterBar .problem").render())
        await seen.press("escape")
        assert not seen.app.front.filter_text


async def test_many_rows_are_kept_within_bounds(tmp_path: Path) -> None:
    async with watching(tmp_path, "logs") as seen:
        for second in range(30):
            at = START + 1000 + second
            seen.app.model.apply(Logs(at, tuple(LogRow(float(at), f"{second}-{i}") for i in range(200)), 300))
            seen.app.draw()
        await seen.pilot.pause()
        assert log(seen).total == ROWS
        assert log(seen).current.request_id == "29-199"
        assert "9,000 more were too many to show" in line(seen, "#tail")


async def test_a_gap_shows_no_row_twice(tmp_path: Path) -> None:
    events = recorded(2)
    async with watching(tmp_path, "logs", events=[*events, Told("", events[0].event)]) as seen:
        ids = [row.request_id for row in log(seen).rows]
        assert len(ids) == len(set(ids))


async def test_a_request_that_the_database_does_not_have_shows_what_was_told(tmp_path: Path) -> None:
    async with dashboard(tmp_path, "channels") as seen:
        await seen.press("5", "up")
        await seen.until(lambda: "served" in told(seen))
