"""The overview: how the gateway is doing, in one picture."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any, ClassVar

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Container
from textual.content import Content

from newapi.base.units import QUOTA_PER_USD
from newapi.ops.live import Alert, Point, Top
from newapi.tui.export import as_toml
from newapi.tui.frame import Line, Piece, fitting
from newapi.tui.model import KINDS, RANGES, SPANS, Model, TopKind
from newapi.tui.screen import LiveScreen
from newapi.tui.widgets import words
from newapi.tui.widgets.filter import quoted
from newapi.tui.widgets.grid import Column, Grid
from newapi.tui.widgets.plot import Plot, Series
from newapi.tui.widgets.sparkline import sparkline

_BIN_SECONDS = 3
"""Of single seconds as many are drawn as one: what is drawn moves on every so often, not all the time."""
_TOPS = 20
_BAD_SHARE = 0.05
_FIELDS: dict[TopKind, str] = {"models": "model", "tokens": "token", "channels": "channel"}
_SCREENS = {
    "channel_resting": "channels",
    "channel_tripped": "channels",
    "budget": "tokens",
    "no_price": "models",
    "drift": "config",
    "ledger": "system",
}


class OverviewScreen(LiveScreen):
    """How the gateway is doing: what comes in, what it costs, what is wrong."""

    TITLE = "Overview"
    KEY = "1"
    AUTO_FOCUS = "#models"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("t", "range", "time", id="overview.range"),
        Binding("tab", "app.focus_next", "next list", id="overview.next"),
    ]

    def body(self) -> ComposeResult:
        ascii = self.tui.glyphs.ascii
        yield Line(id="numbers")
        with Container(id="plots"):
            yield Plot("requests/s", "/s", ascii=ascii, id="requests")
            yield Plot("tokens/s", "tokens", ascii=ascii, id="tokens-plot")
            yield Plot("first token", "ms", ascii=ascii, id="first")
            yield Plot("errors", "%", ascii=ascii, id="errors")
        with Container(id="lists"):
            for kind in KINDS:
                columns = _columns(kind, ascii=ascii, sparks=not self.tui.options.low_bandwidth)
                yield Grid(columns, lambda top: top.name, empty="Nothing yet.", ascii=ascii, id=kind)
            yield Grid(
                self._alert_columns(),
                lambda a: (a.kind, a.subject),
                empty="Nothing is wrong.",
                ascii=ascii,
                id="alerts",
            )

    def show(self, model: Model) -> None:
        self.query_one("#numbers", Line).say(fitting(list(_numbers(model)), self.size.width - 2, "   "))
        self._plot(model)
        for kind in KINDS:
            self.query_one(f"#{kind}", Grid).put(model.tops(kind, _TOPS))
        self.query_one("#alerts", Grid).put(model.alerts)

    def _plot(self, model: Model) -> None:
        span, step = SPANS[model.range]
        size = _BIN_SECONDS if step == 1 else 1
        # The last second is over, the last minute is not: what is drawn of it is what it had so far.
        points = binned(model.points(model.range), size, int(model.now))
        seconds = step * size

        def rate(value: Callable[[Point], int]) -> list[float | None]:
            return [None if p is None else value(p) / seconds for p in points]

        def time(value: Callable[[Point], int]) -> list[float | None]:
            return [None if p is None or not value(p) else float(value(p)) for p in points]

        if step > 1 and points and points[-1] is not None:
            so_far = max(1, int(model.now) - points[-1].at)
            last = points[-1]
            rates = lambda value: [*rate(value)[:-1], value(last) / min(so_far, seconds)]  # noqa: E731
        else:
            rates = rate
        shares: list[float | None] = [None if p is None else p.errors / p.requests if p.requests else 0 for p in points]
        self.query_one("#requests", Plot).show([Series("", rates(lambda p: p.requests), fill=True)], span)
        self.query_one("#tokens-plot", Plot).show(
            [Series("in", rates(lambda p: p.tokens_in)), Series("out", rates(lambda p: p.tokens_out))], span
        )
        self.query_one("#first", Plot).show(
            [Series("p95", time(lambda p: p.first_p95_ms), tone="s3"), Series("p50", time(lambda p: p.first_p50_ms))],
            span,
        )
        self.query_one("#errors", Plot).show([Series("", shares, fill=True, tone="bad")], span)

    def _alert_columns(self) -> list[Column[Alert]]:
        sign = self.tui.glyphs.warning

        def since(alert: Alert) -> float:
            return self.model.now - alert.since

        def what(alert: Alert, _: int) -> Any:
            tone = "bad" if alert.level == "error" else "warn"
            return ((f"{sign} ", tone), (alert.subject or alert.kind.replace("_", " "), f"{tone} bold"))

        return [
            Column("alert", "ALERTS", lambda a: a.subject, what, least=10, most=26),
            Column("message", "", lambda a: a.message, least=12, most=120),
            Column("since", "since", since, lambda a, _: words.ago(since(a)), width=5, right=True, priority=1),
        ]

    # -- what is done ------------------------------------------------------------------------

    def action_range(self) -> None:
        self.tui.next_range()

    def opened(self, argument: str) -> None:
        if argument in RANGES:
            self.tui.set_range(argument)

    @on(Grid.Opened, "#alerts")
    def _to_alert(self, event: Grid.Opened) -> None:
        alert: Alert = event.row
        self.tui.open(_SCREENS[alert.kind], quoted(alert.subject) if alert.subject else "")

    @on(Grid.Opened)
    def _to_logs(self, event: Grid.Opened) -> None:
        if isinstance(event.row, Top):
            kind: Any = event.grid.id
            self.tui.open("logs", f"{_FIELDS[kind]}={quoted(event.row.name)}")

    def rows(self) -> Sequence[dict[str, Any]]:
        _, step = SPANS[self.model.range]
        points = [p for p in self.model.points(self.model.range) if p is not None]
        return [
            {"at": p.at, "seconds": step, **{n: getattr(p, n) for n in Point.__struct_fields__[1:]}} for p in points
        ]

    def toml(self) -> str:
        grid = self.focused
        if isinstance(grid, Grid) and isinstance(grid.current, Top | Alert):
            return as_toml(grid.current)
        return ""


def _columns(kind: TopKind, *, ascii: bool, sparks: bool) -> list[Column[Top]]:
    columns: list[Column[Top]] = [
        Column("name", kind.upper(), lambda t: t.name, least=16, most=30),
        Column(
            "requests",
            "req",
            lambda t: t.requests,
            lambda t, _: words.compact(t.requests),
            kind="number",
            width=5,
            priority=1,
            right=True,
        ),
        Column(
            "cost",
            "$/h",
            lambda t: t.quota / QUOTA_PER_USD,
            lambda t, _: words.about(t.quota),
            kind="usd",
            width=6,
            right=True,
        ),
    ]
    if sparks:
        spark = lambda t, width: (sparkline(t.spark, width, ascii=ascii), "s1")  # noqa: E731
        columns.append(Column("hour", "hour", lambda t: t.requests, spark, width=6, priority=2))
    return columns


def _numbers(model: Model) -> Iterator[Piece]:
    stats = model.stats

    def number(value: str, what: str, style: str = "bold") -> Content:
        return Content.assemble((value, style), f" {what}")

    yield 0, number(str(stats.in_flight), f"in flight, {stats.streams} streaming")
    yield 1, number(words.cost(stats.today), "today")
    yield 3, number(words.cost(stats.month), "this month")
    up = sum(row.state == "up" for row in model.channels.values())
    off = sum(row.state == "disabled" for row in model.channels.values())
    total = len(model.channels) - off
    yield 4, number(f"{up}/{total}", "channels up", "bold" if up == total else "bold $text-warning")
    rejected = sum(p.rejected for p in model.points("5m")[-60:] if p is not None)
    if rejected:
        yield 5, number(str(rejected), "rejected a minute")
    times = [
        Content.styled(f" {range} ", "bold reverse") if range == model.range else Content.styled(f" {range} ", "dim")
        for range in RANGES
    ]
    yield 2, Content("").join(times)


def binned(points: Sequence[Point | None], size: int, now: int) -> list[Point | None]:
    """Return `points`, seconds that end before `now`, with `size` of them as one, at times that are multiples of it.

    So a point, once it is drawn, stays what it is. The first is left out where it is not whole.
    """
    if size == 1 or not points:
        return list(points)
    start = now - len(points)
    skipped = -start % size
    found: list[Point | None] = []
    for first in range(skipped, len(points), size):
        known = [p for p in points[first : first + size] if p is not None]
        found.append(_sum(known, size) if known else None)
    return found


def _sum(points: Sequence[Point], size: int) -> Point:
    """Return points as one: a rate is scaled to all of `size` seconds, where only some of them are over."""
    requests = sum(p.requests for p in points)

    def total(value: Callable[[Point], int]) -> int:
        return round(sum(value(p) for p in points) * size / len(points))

    def mean(value: Callable[[Point], int]) -> int:
        timed = [p for p in points if value(p)]
        weight = sum(p.requests for p in timed)
        return round(sum(value(p) * p.requests for p in timed) / weight) if weight else 0

    return Point(
        at=points[0].at,
        requests=total(lambda p: p.requests),
        errors=total(lambda p: p.errors) if requests else 0,
        tokens_in=total(lambda p: p.tokens_in),
        tokens_out=total(lambda p: p.tokens_out),
        first_p50_ms=mean(lambda p: p.first_p50_ms),
        first_p95_ms=mean(lambda p: p.first_p95_ms),
    )
