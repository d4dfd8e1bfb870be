from __future__ import annotations

from pathlib import Path

from newapi.ops.live import Alert, Alerts, Mover, Point, Stats, Told
from newapi.tui.screens.overview import binned
from tests.support.live import START
from tests.tui.screens.gateway import recorded
from tests.tui.watching import line, watching


async def test_numbers_lists_and_alerts(tmp_path: Path) -> None:
    async with watching(tmp_path) as seen:
        numbers = line(seen, "#numbers")
        for word in ("in flight", "today", "this month", "channels up"):
            assert word in numbers
        assert seen.lines("#models")[0].split()[0] == "MODELS"
        assert seen.lines("#alerts")[1].split()[1] in ("azure-eu", "batch")


async def test_enter_goes_there(tmp_path: Path) -> None:
    async with watching(tmp_path) as seen:
        name = seen.app.front.query_one("#models").current.name  # type: ignore[attr-defined]
        await seen.press("enter")
        await seen.until(lambda: seen.app.current_mode == "logs" and seen.app.front.filter_text == f"model={name}")
        await seen.press("1")
        seen.app.front.query_one("#alerts").focus()
        await seen.press("end", "enter")
        await seen.until(lambda: seen.app.current_mode == "models")


async def test_enter_goes_there_whatever_signs_a_name_has(tmp_path: Path) -> None:
    name = "llama3:8b"
    told = (
        Stats(at=START + 60, requests=1, quota=10**9, models=(Mover(name, 1, 0, 1, 1, 10**9),)),
        Alerts(START + 60, (Alert("no_price", name, "nobody knows what it costs", since=float(START)),)),
    )
    async with watching(tmp_path, events=[*recorded(1), *(Told("", event) for event in told)]) as seen:
        await seen.press("enter")
        await seen.until(lambda: seen.app.front.filter_text == f'model="{name}"')
        await seen.press("1")
        seen.app.front.query_one("#alerts").focus()
        await seen.press("enter")
        await seen.until(lambda: seen.app.front.filter_text == f'"{name}"')
        assert seen.app.current_mode == "models"


async def test_the_time_is_changed(tmp_path: Path) -> None:
    async with watching(tmp_path) as seen:
        assert "-4m" in "\n".join(seen.lines("#requests"))
        for range, mark in (("1h", "m"), ("24h", "h"), ("7d", "d"), ("5m", "-4m")):
            await seen.press("t")
            assert seen.app.model.range == range
            assert mark in seen.lines("#requests")[-1]


def test_seconds_as_one_stay_what_they_are() -> None:
    points: list[Point | None] = [Point(at=at, requests=at) for at in range(100, 112)]
    assert [p.requests for p in binned(points, 3, 112) if p][:2] == [102 + 103 + 104, 105 + 106 + 107]
    later = binned([*points[1:], Point(at=112, requests=112)], 3, 113)
    assert later[0] == binned(points, 3, 112)[0]
    assert binned([None] * 6, 3, 6) == [None, None]
