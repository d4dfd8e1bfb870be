"""A table of things with a name: it draws again only the cells that changed, and keeps the cursor on its thing.

Rows are kept by key. They may come and change as often as they like: of those that are not seen only what
orders and filters them is looked at, so thousands are as cheap as fifty.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from typing import Any, ClassVar, Generic, TypeAlias, TypeVar

from msgspec import Struct
from rich.cells import cell_len
from rich.segment import Segment
from rich.style import Style
from textual import events
from textual.binding import Binding, BindingType
from textual.geometry import Region, Size
from textual.message import Message
from textual.scroll_view import ScrollView
from textual.strip import Strip

from newapi.tui.widgets import filter as filters
from newapi.tui.widgets import tones
from newapi.tui.widgets.choose import Choose
from newapi.tui.widgets.filter import Filter, Kind, Value
from newapi.tui.widgets.tones import Line, Piece

R = TypeVar("R")

Shown: TypeAlias = str | Line | Piece
"""What stands in a cell: plain text, a piece, or several."""
_HEAD = 1
_GUTTER, _EDGE = 2, 1
_COMFORT = 14
"""Cells that a column may have before another one comes beside it."""
_ROOMY = 100
"""From this width on there are two spaces between columns, below it one."""


class Column(Struct, Generic[R], frozen=True):
    """One column.

    Attributes:
        name: Its field in filters and exports.
        title: Its head.
        value: What it says of a row, for filters, order and exports.
        show: What stands in the cell, given the row and the width of the column; the value itself when None.
        kind: What the value is.
        width: Cells; 0 is as many as the longest value has, from `least` to `most`.
        priority: 0 is always there; the larger, the earlier it is left out where there is no room.
        right: Whether it is aligned to the right.
        descending: Whether the largest comes first when it is chosen for the order.
        order: What rows are ordered by, where it is not the value.
    """

    name: str
    title: str
    value: Callable[[R], Value]
    show: Callable[[R, int], Shown] | None = None
    kind: Kind = "text"
    width: int = 0
    least: int = 4
    most: int = 40
    priority: int = 0
    right: bool = False
    descending: bool = False
    order: Callable[[R], Any] | None = None

    def line(self, row: R, cells: int) -> Line:
        """Return what stands in the cell of a row, not yet cut."""
        if self.show is None:
            return ((said(self.value(row)), ""),)
        shown = self.show(row, cells)
        if isinstance(shown, str):
            return ((shown, ""),)
        if len(shown) == 2 and isinstance(shown[0], str):
            return ((shown[0], str(shown[1])),)
        return tuple(piece for piece in shown if isinstance(piece, tuple))


def said(value: Value) -> str:
    """Return a value as text for people."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, str):
        return value
    return f"{value:g}" if isinstance(value, int | float) else ", ".join(value)


class Layout(Struct, frozen=True):
    """Which columns there is room for, and how wide each is. `gap` cells are between two."""

    columns: tuple[int, ...]
    widths: tuple[int, ...]
    gap: int

    @property
    def width(self) -> int:
        """All of it, without the gutter."""
        return sum(self.widths) + self.gap * max(0, len(self.widths) - 1)


def layout(columns: Sequence[Column[R]], longest: Sequence[int], room: int, *, wide: bool = False) -> Layout:
    """Return which columns stand in `room` cells.

    Args:
        columns: All of them.
        longest: Cells of the longest value of each.
        room: Cells.
        wide: All columns, and as wide as they like, however much room there is.
    """
    gap = 2 if room >= _ROOMY else 1
    natural = [
        c.width or min(max(c.most, c.least), max(c.least, size, cell_len(c.title)))
        for c, size in zip(columns, longest, strict=True)
    ]
    if wide:
        return Layout(tuple(range(len(columns))), tuple(natural), gap)
    least = [min(n, c.width or c.least) for c, n in zip(columns, natural, strict=True)]
    by_priority = sorted(range(len(columns)), key=lambda i: (columns[i].priority, i))
    chosen: list[int] = []
    used, wanted = -gap, -gap
    for i in by_priority:
        if columns[i].priority and max(used, wanted) + gap + least[i] > room:
            break  # what matters less takes neither the place nor the width of what matters more
        chosen.append(i)
        used += gap + least[i]
        wanted += gap + min(natural[i], max(least[i], _COMFORT))
    widths = {i: least[i] for i in chosen}
    for i in chosen:
        more = min(natural[i] - least[i], max(0, room - used))
        widths[i] += more
        used += more
    shown = sorted(chosen)
    return Layout(tuple(shown), tuple(widths[i] for i in shown), gap)


class _OfGrid(Message):
    """What a grid tells."""

    def __init__(self, grid: Grid[Any]) -> None:
        super().__init__()
        self.grid = grid

    @property
    def control(self) -> Grid[Any]:
        """The grid."""
        return self.grid


class _OfRow(_OfGrid):
    """What a grid tells of a row."""

    def __init__(self, grid: Grid[Any], row: Any) -> None:
        super().__init__(grid)
        self.row = row


class Grid(ScrollView, Generic[R], can_focus=True):
    """Rows with a cursor, an order, a filter and marks."""

    DEFAULT_CSS = """
    Grid { height: 1fr; width: 1fr; background: $background; scrollbar-size-horizontal: 1; scrollbar-size-vertical: 1; }
    """
    ALLOW_SELECT = False

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("enter", "open", "detail", id="grid.open"),
        Binding("up,k", "move(-1)", "up", show=False, id="grid.up"),
        Binding("down,j", "move(1)", "down", show=False, id="grid.down"),
        Binding("pageup", "page(-1)", "page up", show=False, id="grid.page-up"),
        Binding("pagedown", "page(1)", "page down", show=False, id="grid.page-down"),
        Binding("home,g", "end(-1)", "first", show=False, id="grid.first"),
        Binding("end,G", "end(1)", "last", show=False, id="grid.last"),
        Binding("left", "aside(-8)", "left", show=False, id="grid.left"),
        Binding("right", "aside(8)", "right", show=False, id="grid.right"),
        Binding("space", "mark", "mark", show=False, id="grid.mark"),
        Binding("ctrl+a", "mark_all", "mark all", show=False, id="grid.mark-all"),
        Binding("s", "sort", "sort", show=False, id="grid.sort"),
        Binding("S", "turn", "other order", show=False, id="grid.turn"),
        Binding("w", "wide", "wide", show=False, id="grid.wide"),
    ]

    class Opened(_OfRow):
        """Enter was pressed on a row, or it was clicked twice."""

    class Moved(_OfRow):
        """The cursor is on another row, or on none."""

    class Altered(_OfGrid):
        """What is shown is another choice of rows: the filter, the order or the marks changed."""

    def __init__(
        self,
        columns: Sequence[Column[R]],
        key: Callable[[R], Hashable],
        *,
        order: str = "",
        empty: str = "Nothing here yet.",
        opens: bool = True,
        ascii: bool = False,
        id: str | None = None,
    ) -> None:
        """Show nothing yet.

        Args:
            columns: The columns; the first stays in its place in wide mode.
            key: What a row is known by.
            order: The column that rows are ordered by; "" leaves them as they come.
            empty: What is said where there is no row.
            opens: Whether there is more to be seen of a row: enter asks for it.
            ascii: Draw with letters only.
            id: Textual's.
        """
        super().__init__(id=id)
        self._opens = opens
        self._columns, self._key = tuple(columns), key
        self._by_name = {column.name: column for column in columns}
        self._empty, self._ascii = empty, ascii
        self._rows: dict[Hashable, R] = {}
        self._shown: list[Hashable] = []
        self._place: dict[Hashable, int] = {}
        self._marks: set[Hashable] = set()
        self._filter = Filter()
        self._order = order
        self._descending = bool(order) and self._by_name[order].descending
        self._cursor: Hashable | None = None
        self._wide = False
        self._longest = [0] * len(columns)
        self._layout = Layout((), (), 1)
        self._measured_for = Size(0, 0)
        self._drawn: dict[int, tuple[Line, ...]] = {}
        """What the cells of a line of the screen said when they were drawn last."""

    # -- rows --------------------------------------------------------------------------------

    def put(self, rows: Iterable[R]) -> None:
        """Show these rows; those that were there and are not among them are gone."""
        self._rows = {self._key(row): row for row in rows}
        self._marks &= self._rows.keys()
        self._longest = [0] * len(self._columns)
        self._measure(self._rows.values())
        self._arrange()

    def patch(self, rows: Iterable[R], gone: Iterable[Hashable] = ()) -> None:
        """Show other values of some rows, or new rows; `gone` are keys of those that are no longer."""
        changed = {self._key(row): row for row in rows}
        self._rows |= changed
        for key in gone:
            self._rows.pop(key, None)
            self._marks.discard(key)
        self._measure(changed.values())
        self._arrange()

    def touch(self) -> None:
        """Draw again the cells that say something else than before: time went by."""
        height = self.size.height - _HEAD
        for y in range(height):
            index = y + int(self.scroll_y)
            if index >= len(self._shown):
                break
            before, cells = self._drawn.get(y), self._cells(self._rows[self._shown[index]])
            if before == cells:
                continue
            if before is None or len(before) != len(cells):
                self.refresh(Region(0, y + _HEAD, self.size.width, 1))
                continue
            x = _GUTTER
            for number, width in enumerate(self._layout.widths):
                if before[number] != cells[number]:
                    start = x - (int(self.scroll_x) if number else 0)
                    self.refresh(Region(max(0, start), y + _HEAD, width, 1))
                x += width + self._layout.gap

    @property
    def rows(self) -> list[R]:
        """The rows that the filter leaves, in their order."""
        return [self._rows[key] for key in self._shown]

    @property
    def all(self) -> list[R]:
        """All rows, filter or not, as they came."""
        return list(self._rows.values())

    @property
    def total(self) -> int:
        """How many rows there are, filter or not."""
        return len(self._rows)

    @property
    def current(self) -> R | None:
        """The row under the cursor."""
        return None if self._cursor is None else self._rows.get(self._cursor)

    @property
    def marked(self) -> list[R]:
        """The rows that are marked and that the filter leaves."""
        return [self._rows[key] for key in self._shown if key in self._marks]

    @property
    def chosen(self) -> list[R]:
        """What an act is for: the rows that are marked, else the one under the cursor."""
        here = self.current
        return self.marked or ([here] if here is not None else [])

    def unmark(self) -> bool:
        """Take all marks away; say whether there were any."""
        had = bool(self._marks)
        self._marks.clear()
        if had:
            self.refresh()
            self.post_message(self.Altered(self))
        return had

    def go_to(self, key: Hashable) -> bool:
        """Put the cursor on a row; say whether it is shown."""
        if key not in self._place:
            return False
        self._point(self._place[key])
        return True

    def table(self) -> list[dict[str, Value]]:
        """Return what is shown as values by the names of all columns."""
        return [{column.name: column.value(row) for column in self._columns} for row in self.rows]

    # -- order and filter --------------------------------------------------------------------

    @property
    def fields(self) -> Mapping[str, Kind]:
        """What a filter may ask for."""
        return {column.name: column.kind for column in self._columns}

    @property
    def filtered(self) -> str:
        """The filter as it was typed, "" for none."""
        return self._filter.text

    def filter(self, text: str) -> None:
        """Show only the rows that `text` describes.

        Raises:
            FilterError: It is no filter; what is shown stays as it is.
        """
        self._filter = filters.parse(text, self.fields)
        self._arrange()
        self.post_message(self.Altered(self))

    @property
    def order(self) -> tuple[str, bool]:
        """The column that rows are ordered by, and whether the largest is first."""
        return self._order, self._descending

    def sort(self, name: str, *, descending: bool | None = None) -> None:
        """Order the rows by a column; by the one they are ordered by already: the other way round."""
        if descending is None:
            again = name == self._order
            descending = not self._descending if again else bool(name) and self._by_name[name].descending
        self._order, self._descending = name, descending
        self._arrange()
        self.refresh()
        self.post_message(self.Altered(self))

    def _arrange(self) -> None:
        """Order and filter the rows; the cursor stays on its row, and the row where it is on the screen."""
        before = self._place.get(self._cursor)
        offset = 0 if before is None else before - int(self.scroll_y)
        rows = self._rows
        keys: list[Hashable] = [k for k, row in rows.items() if self._filter.matches(self.values(row))]
        if self._order:
            column = self._by_name[self._order]
            ordered = {key: _ordered(column, rows[key]) for key in keys}
            known = [key for key in keys if ordered[key] is not None]
            known.sort(key=lambda key: ordered[key], reverse=self._descending)
            keys = [*known, *(key for key in keys if ordered[key] is None)]
        same = keys == self._shown
        self._shown = keys
        self._place = {key: index for index, key in enumerate(keys)}
        resized = self._measured()
        self._follow(before, offset)
        if resized or not same or not keys:
            self.refresh()
        else:
            self.touch()

    def _follow(self, before: int | None, offset: int) -> None:
        index = self._place.get(self._cursor)
        if index is None:
            # Its row is gone, or filtered out: what took its place.
            index = min(before or 0, len(self._shown) - 1) if self._shown else None
            self._cursor = None if index is None else self._shown[index]
            self.post_message(self.Moved(self, self.current))
        if index is not None and index != before:
            self._scroll(y=max(0, index - max(0, offset)))
        self._reveal()

    def values(self, row: R) -> Callable[[str], Value]:
        """Return what a filter asks a row: the value of a field."""
        return lambda name: self._by_name[name].value(row)

    # -- widths ------------------------------------------------------------------------------

    def _measure(self, rows: Iterable[R]) -> None:
        """Note how long values are. Columns grow only, until all rows are put anew: they do not jump."""
        flexible = [(i, c) for i, c in enumerate(self._columns) if not c.width]
        longest = self._longest
        for row in rows:
            for i, column in flexible:
                if longest[i] < column.most:
                    text = (
                        said(column.value(row)) if column.show is None else tones.plain(column.line(row, column.most))
                    )
                    longest[i] = max(longest[i], cell_len(text))

    def _measured(self) -> bool:
        """Lay the columns out anew; say whether that changed anything."""
        self._measured_for = self.size
        room = max(
            1, self.size.width - _GUTTER - _EDGE - (self.scrollbar_size_vertical if self.show_vertical_scrollbar else 0)
        )
        found = layout(self._columns, self._longest, room, wide=self._wide)
        width = _GUTTER + found.width if self._wide else 0
        size = Size(width, len(self._shown) + _HEAD)
        changed = found != self._layout or size != self.virtual_size
        self._layout = found
        if size != self.virtual_size:
            self.virtual_size = size
        return changed

    def on_resize(self) -> None:
        self._measured()
        self._reveal()
        self.refresh()

    def render_lines(self, crop: Region) -> list[Strip]:
        # A screen that is laid out anew may draw before it tells the new size.
        if self.size != self._measured_for:
            self._measured()
            self.call_after_refresh(self._reveal)
        return super().render_lines(crop)

    def on_focus(self) -> None:
        self._again(self._place.get(self._cursor))

    def on_blur(self) -> None:
        self._again(self._place.get(self._cursor))

    # -- the cursor --------------------------------------------------------------------------

    def _point(self, index: int) -> None:
        if not self._shown:
            return
        index = min(max(0, index), len(self._shown) - 1)
        if self._shown[index] == self._cursor:
            self._reveal()
            return
        self._again(self._place.get(self._cursor))
        self._cursor = self._shown[index]
        self._again(index)
        self._reveal()
        self.post_message(self.Moved(self, self.current))

    def _again(self, index: int | None) -> None:
        if index is not None:
            self.refresh(Region(0, index - int(self.scroll_y) + _HEAD, self.size.width, 1))

    def _reveal(self) -> None:
        index, height = self._place.get(self._cursor), self.size.height - _HEAD
        if index is None or height <= 0:
            return
        if index < self.scroll_y:
            self._scroll(y=index)
        elif index >= self.scroll_y + height:
            self._scroll(y=index - height + 1)

    def _scroll(self, *, x: float | None = None, y: float | None = None) -> None:
        self.scroll_to(x, y, animate=False, force=True, immediate=True)

    def action_move(self, by: int) -> None:
        self._point((self._place.get(self._cursor) or 0) + by)

    def action_page(self, by: int) -> None:
        self.action_move(by * max(1, self.size.height - _HEAD - 1))

    def action_end(self, which: int) -> None:
        self._point(0 if which < 0 else len(self._shown) - 1)

    def action_aside(self, by: int) -> None:
        self._scroll(x=max(0, self.scroll_x + by))

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        return self._opens if action == "open" else super().check_action(action, parameters)

    def action_open(self) -> None:
        if (row := self.current) is not None:
            self.post_message(self.Opened(self, row))

    def action_mark(self) -> None:
        if self._cursor is None:
            return
        self._marks ^= {self._cursor}
        self._again(self._place[self._cursor])
        self.action_move(1)
        self.post_message(self.Altered(self))

    def action_mark_all(self) -> None:
        """Mark all that are shown, or none when all of them are."""
        shown = set(self._shown)
        self._marks = self._marks - shown if shown <= self._marks else self._marks | shown
        self.refresh()
        self.post_message(self.Altered(self))

    def action_sort(self) -> None:
        there = [(column.name, column.title or column.name) for column in self._columns]
        self.app.push_screen(Choose("Sort by", there, self._order), self._sorted)

    def _sorted(self, name: str | None) -> None:
        if name is not None:
            self.sort(name)

    def action_turn(self) -> None:
        if self._order:
            self.sort(self._order)

    def action_wide(self) -> None:
        self._wide = not self._wide
        self._measured()
        if not self._wide:
            self._scroll(x=0)
        self.refresh()

    async def on_click(self, event: events.Click) -> None:
        event.stop()
        if event.y < _HEAD:
            if (column := self._column_at(event.x)) is not None:
                self.sort(column.name)
            return
        index = event.y - _HEAD + int(self.scroll_y)
        if index < len(self._shown):
            self._point(index)
            if event.chain == 2:
                self.action_open()

    def _column_at(self, at: int) -> Column[R] | None:
        x = _GUTTER
        for place, (index, width) in enumerate(zip(self._layout.columns, self._layout.widths, strict=True)):
            start = x - (int(self.scroll_x) if place else 0)
            if start <= at < start + width:
                return self._columns[index]
            x += width + self._layout.gap
        return None

    # -- drawing -----------------------------------------------------------------------------

    def render_line(self, y: int) -> Strip:
        width = self.size.width
        base = self.rich_style
        if y < _HEAD:
            return self._strip(self._head_cells(), ((" ", ""),), width, base, "")
        index = y - _HEAD + int(self.scroll_y)
        if index >= len(self._shown):
            self._drawn.pop(y - _HEAD, None)
            if not self._shown and y == _HEAD + 1:
                return self._told(width, base)
            return Strip.blank(width, base)
        key = self._shown[index]
        cells = self._cells(self._rows[key])
        self._drawn[y - _HEAD] = cells
        marked = key in self._marks
        sign = ("+" if self._ascii else "▌") if marked else " "
        over = ""
        if key == self._cursor:
            over = "cursor" if self.has_focus else "cursor-blurred"
        return self._strip(cells, ((sign, "marked"),), width, base, over)

    def _told(self, width: int, base: Style) -> Strip:
        text = self._empty
        if self._rows:
            text = f"None of {len(self._rows)} matches {self._filter.text}"
        line = tones.fit((("  ", ""), (text, "dim")), width, ellipsis="" if self._ascii else "…")
        return Strip([Segment(part, base + tones.style(self.app, tone)) for part, tone in line], width)

    def _head_cells(self) -> tuple[Line, ...]:
        found: list[Line] = []
        for index, width in zip(self._layout.columns, self._layout.widths, strict=True):
            column = self._columns[index]
            title, tone = column.title, "header"
            if column.name == self._order:
                arrow = ("v" if self._ascii else "▼") if self._descending else ("^" if self._ascii else "▲")
                tone = "header underline"
                if cell_len(title) < width:
                    title = arrow + title if column.right else title + arrow
            found.append(tones.fit(((title, tone),), width, right=column.right, ellipsis=""))
        return tuple(found)

    def _cells(self, row: R) -> tuple[Line, ...]:
        ellipsis = "~" if self._ascii else "…"
        return tuple(
            tones.fit(column.line(row, width), width, right=column.right, ellipsis=ellipsis)
            for column, width in (
                (self._columns[index], width)
                for index, width in zip(self._layout.columns, self._layout.widths, strict=True)
            )
        )

    def _strip(self, cells: Sequence[Line], sign: Line, width: int, base: Style, over: str) -> Strip:
        gap = " " * self._layout.gap
        first = [*sign, (" " * (_GUTTER - 1), ""), *(cells[0] if cells else ()), (gap, "")]
        rest = [piece for cell in cells[1:] for piece in (*cell, (gap, ""))]
        left = int(self.scroll_x)
        head, tail = self._painted(first, base, over), self._painted(rest, base, over)
        if left:
            tail = tail.crop(left, left + max(0, width - head.cell_length))
        return Strip.join([head, tail]).adjust_cell_length(width, base + self._over(over)).crop(0, width)

    def _painted(self, line: Sequence[Piece], base: Style, over: str) -> Strip:
        # On the cursor one colour for everything is what can be read on every theme.
        plain = over == "cursor"
        extra = self._over(over)
        return Strip(
            [Segment(text, base + (extra if plain else tones.style(self.app, tone) + extra)) for text, tone in line]
        )

    def _over(self, tone: str) -> Style:
        return tones.style(self.app, tone) if tone else Style.null()


def _ordered(column: Column[Any], row: Any) -> Any:
    if column.order is not None:
        return column.order(row)
    value = column.value(row)
    if isinstance(value, str):
        return value.casefold() or None
    if isinstance(value, bool | int | float) or value is None:
        return value
    return ", ".join(value).casefold()
