"""The log as it comes, and beside it one request, taken apart."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, ClassVar

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Container, VerticalScroll
from textual.content import Content
from textual.message import Message

from newapi.base.units import QUOTA_PER_USD
from newapi.ops.gateway import Gateway
from newapi.ops.live import LogRow
from newapi.ops.trace import Trace, taken_apart
from newapi.store.ledger import RecordFilter, refund_of
from newapi.tui.export import as_toml
from newapi.tui.frame import Line as LineWidget
from newapi.tui.frame import Piece, fitting
from newapi.tui.glyphs import Glyphs
from newapi.tui.model import Model
from newapi.tui.screen import LiveScreen
from newapi.tui.screens._grid import Lines
from newapi.tui.traced import FACT, row_lines, status_tone, trace_lines
from newapi.tui.widgets import filter as filters
from newapi.tui.widgets import tones, words
from newapi.tui.widgets.filter import Filter, Value
from newapi.tui.widgets.grid import Column, Grid

ROWS = 2000
"""Rows of the log that can be scrolled through."""
TRACES = 200
"""Requests that were taken apart and are remembered."""
_SAME = ("token", "model", "channel")


class Pane(VerticalScroll):
    """What tells of one request: it has its width only some time after it is opened."""

    class Resized(Message):
        """It has another size."""

        def __init__(self, pane: Pane) -> None:
            super().__init__()
            self.pane = pane

        @property
        def control(self) -> Pane:
            return self.pane

    def on_resize(self) -> None:
        self.post_message(self.Resized(self))


class LogsScreen(LiveScreen):
    """Requests as they end; on a row, the whole of it: attempts, conversion, bill."""

    TITLE = "Logs"
    KEY = "5"
    AUTO_FOCUS = "#log"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("f", "follow", "follow", id="logs.follow"),
        Binding("n", "error(1)", "next error", id="logs.next-error"),
        Binding("N", "error(-1)", "error before", id="logs.error-before", show=False),
        Binding("e", "errors", "errors only", id="logs.errors"),
        Binding("T", "same('token')", "same token", id="logs.same-token"),
        Binding("M", "same('model')", "same model", id="logs.same-model"),
        Binding("C", "same('channel')", "same channel", id="logs.same-channel"),
        Binding("tab", "app.focus_next", "other pane", id="logs.other", show=False),
        Binding("c", "copy_id", "copy id", id="logs.copy-id", show=False),
    ]

    def __init__(self) -> None:
        super().__init__()
        self._seen: Model | None = None
        self._logged = 0
        self._rows: deque[LogRow] = deque(maxlen=ROWS)
        self._filter = Filter()
        self._follows = True
        self._traces: dict[str, Trace] = {}
        self._told: tuple[str, bool, int] = ("", False, 0)

    def body(self) -> ComposeResult:
        glyphs = self.tui.glyphs
        columns = tuple(_columns(glyphs))
        yield LineWidget(id="tail")
        with Container(id="panes"):
            yield Grid(columns, lambda row: row.request_id, empty="No request yet.", ascii=glyphs.ascii, id="log")
            with Pane(id="request", can_focus=True):
                yield Lines(FACT, id="told")

    @property
    def _grid(self) -> Grid[LogRow]:
        return self.query_one("#log", Grid)

    # -- what comes --------------------------------------------------------------------------

    def show(self, model: Model) -> None:
        new = self._new(model)
        if new is None:
            self._rebuild(model)
        elif new:
            self._append(new)
        self._say()

    def _new(self, model: Model) -> list[LogRow] | None:
        """Return the rows that came since the last time; None where it is another log, or more came than are kept."""
        if model is not self._seen or model.logged - self._logged > ROWS:
            return None
        rows = model.rows_since(self._logged)
        self._logged = model.logged
        return self._chosen(rows)

    def _rebuild(self, model: Model) -> None:
        self._seen, self._logged = model, model.logged
        self._rows = deque(self._chosen(model.logs), ROWS)
        self._grid.put(self._rows)
        self._after()

    def _append(self, new: Sequence[LogRow]) -> None:
        room = ROWS - len(self._rows)
        gone = [self._rows[i].request_id for i in range(max(0, min(len(self._rows), len(new) - room)))]
        self._rows.extend(new)
        self._grid.patch(list(new)[-ROWS:], gone)
        self._after()

    def _after(self) -> None:
        if self._follows:
            self._grid.action_end(1)

    def _chosen(self, rows: Iterable[LogRow]) -> list[LogRow]:
        values = self._grid.values
        return [row for row in rows if self._filter.matches(values(row))] if self._filter else list(rows)

    def _say(self) -> None:
        model, glyphs = self.model, self.tui.glyphs
        self.query_one("#tail", LineWidget).say(
            fitting(
                list(_tail(model, self._follows, self._filter, len(self._rows), glyphs)), self.size.width - 2, "   "
            )
        )

    # -- the filter --------------------------------------------------------------------------

    @property
    def filter_text(self) -> str:
        return self._filter.text

    def filter(self, text: str) -> None:
        self._filter = filters.parse(text, self._grid.fields)
        self._rebuild(self.model)
        self._say()

    def action_same(self, field: str) -> None:
        row = self._grid.current
        if row is None:
            return
        same = f"{field}={filters.quoted(getattr(row, field))}"
        self.filter("" if self._filter.text == same else same)

    def action_errors(self) -> None:
        self.filter("" if self._filter.text == _ERRORS else _ERRORS)

    # -- the cursor --------------------------------------------------------------------------

    @on(Grid.Moved, "#log")
    def _moved(self) -> None:
        rows = self._grid.rows
        self._set_follows(not rows or self._grid.current is rows[-1])
        self._tell()

    @on(Grid.Opened, "#log")
    def _opened(self) -> None:
        self._set_follows(False)
        self._tell()

    def _set_follows(self, follows: bool) -> None:
        if follows == self._follows:
            return
        self._follows = follows
        self.set_class(not follows, "-inspecting")
        self._say()

    def action_follow(self) -> None:
        self._set_follows(True)
        self._grid.action_end(1)
        self._grid.focus()

    def go_back(self) -> bool:
        if not self._follows:
            self.action_follow()
            return True
        if self._filter:
            self.filter("")
            return True
        return False

    def action_error(self, by: int) -> None:
        rows = self._grid.rows
        here = self._grid.current
        at = next((i for i, row in enumerate(rows) if row is here), len(rows))
        order = range(at + 1, len(rows)) if by > 0 else range(at - 1, -1, -1)
        if self._follows:  # at the end there is none after it: the last one is meant
            order = range(len(rows) - 1, -1, -1)
        for i in order:
            if _failed(rows[i]):
                self._set_follows(False)
                self._grid.go_to(rows[i].request_id)
                self._tell()
                return
        self.notify("No other error in what is shown", severity="warning")

    # -- one request -------------------------------------------------------------------------

    @on(Pane.Resized, "#request")
    def _tell(self) -> None:
        """Show the request under the cursor: what the stream told, and as soon as it is there all of it."""
        row = self._grid.current
        if self._follows or row is None:
            return
        found = self._traces.get(row.request_id)
        width = self.query_one("#request").size.width - 3
        told = (row.request_id, found is not None, width)
        if told == self._told:
            return
        self._told = told
        glyphs = self.tui.glyphs
        lines = trace_lines(found, width, glyphs) if found else row_lines(row, glyphs)
        self.query_one("#told", Lines).show(list(lines))
        if found is None:
            id = row.request_id
            self.ask(lambda gateway: _taken_apart(gateway, id), lambda trace: self._learned(id, trace))

    def _learned(self, id: str, trace: Trace | None) -> None:
        if trace is None:  # not in the database yet: it is asked for again when the cursor comes back
            return
        self._traces[id] = trace
        while len(self._traces) > TRACES:
            del self._traces[next(iter(self._traces))]
        self._tell()

    def on_resize(self) -> None:
        super().on_resize()
        self.call_after_refresh(self._tell)

    def action_copy_id(self) -> None:
        if (row := self._grid.current) is not None:
            self.app.copy_to_clipboard(row.request_id)
            self.notify(f"Copied {row.request_id}")

    def rows(self) -> Sequence[dict[str, Any]]:
        return self._grid.table()

    def toml(self) -> str:
        row = self._grid.current
        if row is None:
            return ""
        return as_toml(self._traces.get(row.request_id) or row)


_ERRORS = "status>=400"


def _failed(row: LogRow) -> bool:
    return row.status >= 400 or row.kind == "error"


def _taken_apart(gateway: Gateway, id: str) -> Trace | None:
    found = gateway.records(RecordFilter(request_id=id, limit=1))
    if not found:
        return None
    return taken_apart(found[0], gateway.records(RecordFilter(request_id=refund_of(id), limit=0)))


def _tail(model: Model, follows: bool, chosen: Filter, shown: int, glyphs: Glyphs) -> Iterator[Piece]:
    if follows:
        yield 0, Content.assemble((f"{glyphs.on} ", "$text-success"), ("following", "bold"))
    else:
        yield 0, Content.assemble((f"{glyphs.pause} ", "$text-warning"), ("held", "bold"), ("  f follows again", "dim"))
    if chosen:
        yield 1, Content.assemble(("filter ", "dim"), (chosen.text, "bold $text-accent"))
    yield 2, Content.assemble((f"{shown:,}", "bold"), " rows")
    if model.left_out:
        yield 3, Content.styled(f"{model.left_out:,} more were too many to show", "$text-warning")
    if model.gaps:
        yield 4, Content.styled(f"{model.gaps} gaps", "$text-warning")


def _columns(glyphs: Glyphs) -> Iterator[Column[LogRow]]:
    """Yield the columns; what can be filtered by and is not shown has the last priorities."""

    def model(row: LogRow, width: int) -> tones.Line:
        if row.upstream_model in ("", row.model):
            return ((row.model, ""),)
        # The name it has upstream, where there is room for all of it: there is a column of it as well.
        whole = ((row.model, ""), (f"{glyphs.arrow}{row.upstream_model}", "dim"))
        return whole if tones.width(whole) <= width else ((row.model, ""), (glyphs.arrow, "dim"))

    def count(value: int) -> str:
        return words.compact(value) if value else ""

    def usd(row: LogRow) -> Value:
        return row.quota / QUOTA_PER_USD

    yield Column("time", "time", lambda r: words.clock(r.at), lambda r, _: (words.clock(r.at), "dim"), width=8)
    yield Column(
        "status",
        "st",
        lambda r: r.status or r.kind,
        lambda r, _: (str(r.status or "-"), status_tone(r.status, r.end_reason)),
        kind="number",
        width=3,
    )
    yield Column("model", "model", lambda r: r.model, model, least=14, most=26)
    yield Column("token", "token", lambda r: r.token, least=9, most=16)
    yield Column("channel", "channel", lambda r: r.channel, least=11, most=16, priority=1)
    yield Column(
        "first",
        "first",
        lambda r: r.first_ms or None,
        lambda r, _: words.millis(r.first_ms or None),
        "ms",
        6,
        right=True,
        priority=4,
    )
    yield Column("duration", "all", lambda r: r.duration_ms, lambda r, _: _slow(r), "ms", 6, right=True, priority=2)
    yield Column(
        "in", "in", lambda r: r.tokens_in, lambda r, _: count(r.tokens_in), "number", 5, right=True, priority=5
    )
    yield Column(
        "cached",
        "cach",
        lambda r: r.tokens_cached,
        lambda r, _: (count(r.tokens_cached), "dim"),
        "number",
        5,
        right=True,
        priority=8,
    )
    yield Column(
        "out", "out", lambda r: r.tokens_out, lambda r, _: count(r.tokens_out), "number", 5, right=True, priority=5
    )
    yield Column(
        "cost",
        "cost",
        usd,
        lambda r, _: words.cost(r.quota) if r.quota else "",
        "usd",
        9,
        right=True,
        priority=3,
    )
    yield Column(
        "tries",
        "try",
        lambda r: r.tries,
        lambda r, _: (str(r.tries), "warn") if r.tries > 1 else "",
        "number",
        3,
        right=True,
        priority=6,
    )
    yield Column(
        "error",
        "error",
        lambda r: r.error,
        lambda r, _: (" ".join(r.error.split()), "bad"),
        least=8,
        most=60,
        priority=7,
    )
    yield Column("user", "user", lambda r: r.user, least=6, most=14, priority=9)
    yield Column("group", "group", lambda r: r.group, least=6, most=10, priority=10)
    yield Column("endpoint", "endpoint", lambda r: r.endpoint, least=8, most=12, priority=11)
    yield Column("end", "end", lambda r: r.end_reason, least=8, most=14, priority=12)
    yield Column("upstream", "sent as", lambda r: r.upstream_model, least=8, most=24, priority=13)
    yield Column("format", "format", lambda r: r.entry_format, least=8, most=18, priority=14)
    yield Column("id", "id", lambda r: r.request_id, least=10, most=32, priority=15)


def _slow(row: LogRow) -> tones.Piece:
    return words.millis(row.duration_ms), "warn" if row.duration_ms >= 30_000 else ""
