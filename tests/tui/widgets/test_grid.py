from __future__ import annotations

import itertools
import random
from collections.abc import Iterator
from contextlib import asynccontextmanager

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import Struct
from msgspec.structs import replace
from textual.app import App, ComposeResult
from textual.geometry import Region
from textual.pilot import Pilot

from newapi.tui.widgets.choose import Choose
from newapi.tui.widgets.filter import FilterError
from newapi.tui.widgets.grid import Column, Grid, layout
from newapi.tui.widgets.tones import Line


class Row(Struct, frozen=True):
    name: str
    kind: str = "openai"
    rate: float | None = 0.0
    groups: tuple[str, ...] = ()


COLUMNS = (
    Column[Row]("name", "name", lambda r: r.name, least=6, most=20),
    Column[Row]("kind", "type", lambda r: r.kind, priority=2),
    Column[Row](
        "rate",
        "req/s",
        lambda r: r.rate,
        show=lambda r, _: ("–" if r.rate is None else f"{r.rate:.1f}", "bad" if (r.rate or 0) > 5 else ""),
        kind="number",
        width=6,
        right=True,
        priority=1,
        descending=True,
    ),
    Column[Row]("groups", "groups", lambda r: r.groups, priority=3),
)


class _App(App[None]):
    def __init__(self, order: str, ascii: bool) -> None:
        super().__init__()
        self.opened: list[Row] = []
        self.moves: list[str | None] = []
        self._how = order, ascii

    def compose(self) -> ComposeResult:
        yield Grid(COLUMNS, lambda r: r.name, order=self._how[0], ascii=self._how[1], empty="No channel.")

    def on_grid_opened(self, event: Grid.Opened) -> None:
        self.opened.append(event.row)

    def on_grid_moved(self, event: Grid.Moved) -> None:
        self.moves.append(event.row and event.row.name)


class Seen(Struct):
    app: _App
    grid: Grid[Row]
    pilot: Pilot[None]

    @property
    def lines(self) -> list[str]:
        return [self.grid.render_line(y).text.rstrip() for y in range(self.grid.size.height)]

    @property
    def names(self) -> list[str]:
        return [row.name for row in self.grid.rows]

    @property
    def at(self) -> str | None:
        return self.grid.current and self.grid.current.name


@asynccontextmanager
async def shown(rows: list[Row], size: tuple[int, int] = (60, 10), order: str = "", ascii: bool = False):  # type: ignore[no-untyped-def]
    app = _App(order, ascii)
    async with app.run_test(size=size) as pilot:
        grid = app.query_one(Grid)
        grid.put(rows)
        await pilot.pause()
        yield Seen(app, grid, pilot)


def some(count: int) -> list[Row]:
    return [Row(f"c{n}", rate=float(n)) for n in range(count)]


async def test_what_is_there_is_shown() -> None:
    rows = [Row("main", rate=7.25, groups=("default", "vip")), Row("spare", "gemini", None)]
    async with shown(rows) as seen:
        assert seen.lines[:3] == [
            "  name   type    req/s groups",
            "  main   openai    7.2 default, vip",
            "  spare  gemini      –",
        ]
        assert seen.at == "main"


async def test_where_nothing_is_that_is_said() -> None:
    async with shown([]) as seen:
        assert seen.lines[2] == "  No channel."
        assert seen.at is None
        await seen.pilot.press("down", "enter", "space", "end", "ctrl+a")
        assert not seen.app.opened
        seen.grid.put(some(3))
        seen.grid.filter("zebra")
        assert seen.lines[2] == "  None of 3 matches zebra"
        seen.grid.filter("")
        assert seen.at == "c0"


async def test_the_keys_move_the_cursor() -> None:
    async with shown(some(30)) as seen:
        for key, name in [
            ("down", "c1"),
            ("j", "c2"),
            ("k", "c1"),
            ("pagedown", "c9"),
            ("G", "c29"),
            ("down", "c29"),
            ("pageup", "c21"),
            ("g", "c0"),
            ("up", "c0"),
            ("end", "c29"),
            ("home", "c0"),
        ]:
            await seen.pilot.press(key)
            assert seen.at == name, key
        assert seen.app.moves[:3] == ["c0", "c1", "c2"]
        await seen.pilot.press("G")
        assert seen.lines[-1].startswith("  c29"), "the last is seen"
        await seen.pilot.press("enter")
        assert [row.name for row in seen.app.opened] == ["c29"]


async def test_the_mouse_points_opens_and_orders() -> None:
    async with shown(some(5)) as seen:
        await seen.pilot.click(Grid, offset=(4, 3))
        assert seen.at == "c2"
        await seen.pilot.click(Grid, offset=(4, 4), times=2)
        assert [row.name for row in seen.app.opened] == ["c3"]
        await seen.pilot.click(Grid, offset=(20, 0))
        assert seen.grid.order == ("rate", True)
        await seen.pilot.click(Grid, offset=(20, 0))
        assert seen.grid.order == ("rate", False)
        await seen.pilot.click(Grid, offset=(59, 0))
        assert seen.grid.order == ("rate", False), "no column is there"
        await seen.pilot.click(Grid, offset=(4, 9))
        assert seen.at == "c3", "no row is there"


async def test_the_cursor_stays_on_its_row_when_rows_move() -> None:
    async with shown(some(40), order="rate") as seen:
        await seen.pilot.press(*["down"] * 15)
        name, place = seen.at, 15 - int(seen.grid.scroll_y)
        assert name == "c24"
        seen.grid.patch([replace(row, rate=100 + (row.rate or 0)) for row in some(10)])
        await seen.pilot.pause()
        assert seen.at == name
        assert seen.names.index(name) == 25
        assert 25 - seen.grid.scroll_y == place, "it stays in its line of the screen"


async def test_the_cursor_goes_to_what_takes_the_place_of_its_row() -> None:
    async with shown(some(5)) as seen:
        await seen.pilot.press("down", "down")
        seen.grid.patch([], gone=["c2"])
        assert seen.at == "c3"
        seen.grid.put(some(2))
        assert seen.at == "c1"
        seen.grid.put([])
        assert seen.at is None
        await seen.pilot.pause()
        assert seen.app.moves[-1] is None


async def test_a_filter_leaves_what_it_describes() -> None:
    rows = [Row("main", groups=("vip",)), Row("spare", "gemini", 9.0), Row("third", "gemini", None)]
    async with shown(rows) as seen:
        await seen.pilot.press("end")
        seen.grid.filter("kind:gem*")
        assert seen.names == ["spare", "third"]
        assert (seen.at, seen.grid.filtered, seen.grid.total) == ("third", "kind:gem*", 3)
        seen.grid.patch([Row("main", "gemini")])
        assert seen.names == ["main", "spare", "third"]
        with pytest.raises(FilterError, match="no field"):
            seen.grid.filter("knd:x")
        assert seen.names == ["main", "spare", "third"], "what is shown stays"
        seen.grid.filter("rate>5")
        assert seen.names == ["spare"]


async def test_the_order() -> None:
    rows = [Row("b", rate=1), Row("A", rate=None), Row("c", rate=3), Row("d", rate=1)]
    async with shown(rows) as seen:
        assert seen.names == ["b", "A", "c", "d"]
        seen.grid.sort("name")
        assert seen.names == ["A", "b", "c", "d"]
        seen.grid.sort("rate")
        assert seen.names == ["c", "b", "d", "A"], "the largest first; as they came where they are the same"
        assert "▼req/s" in seen.lines[0]
        await seen.pilot.press("S")
        assert seen.names == ["b", "d", "c", "A"], "what is not known is last in any order"
        assert "▲req/s" in seen.lines[0]


async def test_s_asks_for_the_column() -> None:
    async with shown(some(4)) as seen:
        await seen.pilot.press("s")
        assert isinstance(seen.app.screen, Choose)
        await seen.pilot.press("j", "j", "k", "j", "enter")
        assert seen.grid.order == ("rate", True)
        await seen.pilot.press("s", "escape")
        assert seen.grid.order == ("rate", True)
        await seen.pilot.press("s", "enter")
        assert seen.grid.order == ("rate", False)


async def test_marks() -> None:
    async with shown(some(5)) as seen:
        assert [r.name for r in seen.grid.chosen] == ["c0"]
        await seen.pilot.press("space", "space")
        assert [r.name for r in seen.grid.chosen] == ["c0", "c1"]
        assert seen.at == "c2"
        assert [line[:1] for line in seen.lines[1:4]] == ["▌", "▌", " "]
        seen.grid.patch([], gone=["c1"])
        assert [r.name for r in seen.grid.marked] == ["c0"]
        await seen.pilot.press("ctrl+a")
        assert len(seen.grid.marked) == 4
        seen.grid.filter("c3")
        assert [r.name for r in seen.grid.chosen] == ["c3"], "what is not seen is not acted on"
        seen.grid.filter("")
        await seen.pilot.press("ctrl+a")
        assert not seen.grid.marked
        assert not seen.grid.unmark()
        await seen.pilot.press("space")
        assert seen.grid.unmark()
        assert [r.name for r in seen.grid.chosen] == [seen.at]


async def test_columns_are_left_out_where_there_is_no_room() -> None:
    rows = [Row("a-name-of-18-chars", groups=("default",))]
    async with shown(rows, (60, 6)) as seen:
        assert seen.lines[0].split() == ["name", "type", "req/s", "groups"]
        await seen.pilot.resize_terminal(32, 6)
        await seen.pilot.pause()
        assert seen.lines[0].split() == ["name", "type", "req/s"]
        await seen.pilot.resize_terminal(24, 6)
        await seen.pilot.pause()
        assert seen.lines[0].split() == ["name", "req/s"]
        assert seen.lines[1] == "  a-name-of-18-…    0.0"


async def test_wide_shows_everything_and_goes_aside() -> None:
    rows = [Row("a-name-of-18-chars", groups=("default", "vip"))]
    async with shown(rows, (30, 6)) as seen:
        await seen.pilot.press("w")
        await seen.pilot.pause()
        assert seen.lines[1].startswith("  a-name-of-18-chars openai")
        await seen.pilot.press("right", "right")
        assert seen.lines[1].startswith("  a-name-of-18-chars "), "the first column stays"
        assert "fault, vi" in seen.lines[1]
        await seen.pilot.press("left", "left", "left")
        assert seen.lines[1].startswith("  a-name-of-18-chars openai")
        await seen.pilot.press("right", "w")
        assert seen.grid.scroll_x == 0
        assert len(seen.lines[1]) <= 30


async def test_only_cells_that_changed_are_drawn_again() -> None:
    async with shown(some(5)) as seen:
        drawn: list[Region] = []
        seen.grid.refresh = lambda *regions, **_: drawn.extend(regions or [Region()]) or seen.grid  # type: ignore[method-assign]
        seen.grid.put(some(5))
        seen.grid.touch()
        assert not drawn, "nothing changed"
        seen.grid.patch([Row("c1", rate=1.04)])
        assert not drawn, "what is shown is the same"
        seen.grid.patch([Row("c1", rate=4.5)])
        assert drawn == [Region(16, 2, 6, 1)]


async def test_five_thousand_rows() -> None:
    rng = random.Random(4)
    rows = [Row(f"c{n:04}", rate=rng.random()) for n in range(5000)]
    async with shown(rows, (80, 24), order="rate") as seen:
        await seen.pilot.press("down", "end", "pageup")
        for _ in range(5):
            rows = [replace(row, rate=rng.random()) for row in rows]
            at = seen.at
            seen.grid.put(rows)
            assert seen.at == at
        seen.grid.filter("rate>0.5")
        rates = [row.rate or 0 for row in seen.grid.rows]
        assert rates == sorted((r.rate or 0 for r in rows if (r.rate or 0) > 0.5), reverse=True)


async def test_letters_only() -> None:
    async with shown([Row("x" * 30), Row("y")], (40, 6), order="name", ascii=True) as seen:
        await seen.pilot.press("space")
        assert all(line.isascii() for line in seen.lines)
        assert seen.lines[1].startswith("+ xxxxxxxxxxxxxxxxxxx~ ")


async def test_what_is_exported() -> None:
    async with shown([Row("a", groups=("x",)), Row("b", rate=None)]) as seen:
        seen.grid.filter("name=a")
        assert seen.grid.table() == [{"name": "a", "kind": "openai", "rate": 0.0, "groups": ("x",)}]
        assert seen.grid.go_to("a")
        assert not seen.grid.go_to("b"), "it is not shown"


def _columns() -> Iterator[Column[Row]]:
    for number in itertools.count():
        yield Column(f"f{number}", "t", lambda r: r.name)


@given(
    st.lists(
        st.tuples(st.integers(1, 30), st.integers(1, 60), st.integers(0, 5), st.booleans(), st.integers(0, 80)),
        min_size=1,
        max_size=12,
    ),
    st.integers(1, 220),
)
def test_a_layout_fits_and_leaves_out_what_matters_least(given_, room: int) -> None:  # type: ignore[no-untyped-def]
    columns = [
        Column[Row](f"f{i}", "t", lambda r: r.name, least=least, most=most, width=least if fixed else 0, priority=p)
        for i, (least, most, p, fixed, _) in enumerate(given_)
    ]
    found = layout(columns, [longest for *_, longest in given_], room)
    assert list(found.columns) == sorted(found.columns)
    always = [i for i, c in enumerate(columns) if c.priority == 0]
    assert set(always) <= set(found.columns)
    if set(found.columns) != set(always):
        assert found.width <= room
    if out := [columns[i].priority for i in range(len(columns)) if i not in found.columns]:
        assert min(out) >= max((columns[i].priority for i in found.columns), default=0)
    for i, width in zip(found.columns, found.widths, strict=True):
        assert width == columns[i].width or width >= columns[i].least


def test_a_cell_may_be_text_a_piece_or_a_line() -> None:
    def column(shown: object) -> Line:
        return Column[Row]("x", "x", lambda r: r.name, show=lambda *_: shown).line(Row("n"), 5)  # type: ignore[arg-type,return-value]

    assert column("a") == (("a", ""),)
    assert column(("a", "bad")) == (("a", "bad"),)
    assert column((("a", "bad"), ("b", ""))) == (("a", "bad"), ("b", ""))
    assert column((("a", "bad"),)) == (("a", "bad"),)
    assert Column[Row]("x", "x", lambda r: r.groups).line(Row("n", groups=("a", "b")), 5) == (("a, b", ""),)
