"""The models: what each costs in every bucket, who serves it, and what a request would cost."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterator, Sequence
from decimal import Decimal
from typing import Any, ClassVar

from msgspec import Struct
from textual.binding import Binding, BindingType

from newapi.base.units import usd
from newapi.config.schema import ModelSpec, Tier
from newapi.ir.usage import Usage
from newapi.ops.gateway import Gateway
from newapi.ops.groups import GroupView
from newapi.ops.models import ModelView, Quotation, RatesView
from newapi.ops.operations.reading import ListGroups, ListModels, QuotePrice
from newapi.tui.screens import _typed as typed
from newapi.tui.screens._grid import GridScreen, head, said, shell, toml_of
from newapi.tui.widgets import words
from newapi.tui.widgets.ask import Answers, Ask, Field, Tell
from newapi.tui.widgets.grid import Column
from newapi.tui.widgets.sparkline import sparkline
from newapi.tui.widgets.tones import Line, Piece

_BUCKETS = (("input", "input"), ("output", "output"), ("cached_input", "cached"), ("cache_write", "cache write"))

_PRICE = 8
"""Cells of a price."""


class Read(Struct, frozen=True):
    """What the screen reads at once."""

    models: list[ModelView]
    groups: list[GroupView]


class ModelsScreen(GridScreen[ModelView]):
    """Every model: its price in each bucket, its tiers, who serves it. `Q` is a quotation."""

    TITLE = "Models"
    KEY = "6"
    ORDER = "name"
    EMPTY = "No model yet: channels say which they serve."

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("Q", "quote", "quotation", id="models.quote"),
        Binding("U", "unpriced", "without a price", id="models.unpriced"),
        Binding("l", "logs", "its log", id="models.logs", show=False),
    ]

    def __init__(self) -> None:
        super().__init__()
        self._groups: list[GroupView] = []

    # -- what is shown -----------------------------------------------------------------------

    def columns(self) -> Sequence[Column[ModelView]]:
        def bucket(name: str, title: str, priority: int) -> Column[ModelView]:
            return Column(
                name,
                title,
                lambda m: _usd(m, name),
                lambda m, _: _price(m, name),
                kind="usd",
                width=_PRICE,
                priority=priority,
                right=True,
                descending=True,
            )

        return (
            Column("name", "name", lambda m: m.name, least=16, most=40),
            bucket("input", "in $/M", 0),
            bucket("output", "out $/M", 0),
            bucket("cached_input", "cached", 2),
            bucket("cache_write", "write", 4),
            Column(
                "call",
                "a call",
                lambda m: float(m.per_call) if m.per_call is not None else None,
                lambda m, _: words.dollars(float(m.per_call)) if m.per_call is not None else "",
                kind="usd",
                width=7,
                priority=3,
                right=True,
            ),
            Column(
                "tiers",
                "tiers",
                lambda m: len(m.rates) if len(m.rates) > 1 else None,
                kind="number",
                width=5,
                priority=3,
                right=True,
            ),
            Column("source", "price from", lambda m: m.source, _source, width=10, priority=1),
            Column(
                "rps",
                "req/h",
                lambda m: self._hour(m)[0],
                self._requests,
                kind="number",
                width=6,
                priority=2,
                right=True,
                descending=True,
            ),
            Column("channels", "channels", lambda m: m.channels, _channels, least=10, most=50, priority=5),
            Column("groups", "groups", lambda m: m.groups, least=8, most=30, priority=6),
            Column("fallback", "falls back to", lambda m: m.fallback, least=10, most=40, priority=7),
        )

    def key(self, row: ModelView) -> Hashable:
        return row.name

    def read(self, gateway: Gateway) -> Read:
        return Read(gateway.do(ListModels()), gateway.do(ListGroups()))

    def took(self, answer: Read) -> None:
        self._groups = answer.groups
        self.grid.put(answer.models)

    def counted(self) -> Iterator[Piece]:
        there = self.grid.all
        if number := sum(model.source == "none" for model in there):
            yield f"{number} without a price: refused", "bad"
        if number := sum(model.source == "default" for model in there):
            yield f"{number} at the default price", "warn"

    def _hour(self, model: ModelView) -> tuple[int, tuple[int, ...]]:
        """Return the requests of the last hour, and of each of its minutes."""
        found = self.model.top("models", model.name)
        return (found.requests, found.spark) if found else (0, ())

    def _requests(self, model: ModelView, _: int) -> Piece:
        requests, _spark = self._hour(model)
        return words.compact(requests), "" if requests else "dim"

    # -- the detail --------------------------------------------------------------------------

    def detail(self, row: ModelView) -> Iterator[Line]:
        yield said("price from", _source(row, 0))
        requests, spark = self._hour(row)
        if requests:
            yield said("last hour", f"{words.compact(requests)} requests")
            yield said("", (sparkline(spark, 30, ascii=self.tui.glyphs.ascii), "accent"))
        yield ()
        yield from self._prices(row)
        if any(group.ratio != "1" for group in self._groups):
            yield ()
            yield head("what groups pay")
            for group in self._groups:
                tone = "" if group.name in row.groups else "dim"
                served = "" if group.name in row.groups else "  (not served)"
                yield said(group.name, (f"× {group.ratio}{_example(row, group)}{served}", tone))
        yield ()
        yield head("served by")
        for channel in row.channels:
            live = next((r for r in self.model.channels.values() if r.name == channel), None)
            well = live is None or live.state == "up"
            glyphs = self.tui.glyphs
            yield said("", (f"{glyphs.on if well else glyphs.resting} ", "good" if well else "bad"), channel)
        if not row.channels:
            yield said("", ("nobody", "bad"))
        if row.fallback:
            yield ()
            yield head("when none answers")
            yield said("", ", then ".join(row.fallback))

    def _prices(self, row: ModelView) -> Iterator[Line]:
        if row.per_call is not None:
            yield head("price")
            yield said("a call", _plain(row.per_call))
            return
        if not row.rates:
            yield head("price")
            yield said("", ("none: requests are refused", "bad"))
            return
        for tier in row.rates:
            several = len(row.rates) > 1
            size = "larger prompts" if tier.up_to is None else f"prompts up to {words.compact(tier.up_to)} tokens"
            yield head(f"$ a million tokens{f': {size}' if several else ''}")
            for name, label in _BUCKETS:
                yield said(label, _plain(getattr(tier, name)))

    # -- acts --------------------------------------------------------------------------------

    def action_unpriced(self) -> None:
        self.filter("" if self.grid.filtered else "source=none,default")

    def action_quote(self) -> None:
        model = self.grid.current
        if model is None:
            return
        groups = [group.name for group in self._groups]
        dialog = Ask(
            f"What would a request to {model.name} cost?",
            lambda a: shell("newapi", "model", "price", model.name, *_options(a)),
            fields=[
                Field("prompt", "Prompt", "10k", "tokens, cached ones included", typed.count),
                Field("cached", "Of it cached", "0", check=typed.count),
                Field("write", "Written to cache", "0", check=typed.count),
                Field("completion", "Answer", "1k", "tokens", typed.count),
                Field("group", "Group", "default", ", ".join(groups), typed.needed),
            ],
            yes="say it",
        )

        def decided(answers: Answers | None) -> None:
            if answers is not None:
                self.ask(lambda there: there.do(_question(model.name, answers)), self._quoted)

        self.app.push_screen(dialog, decided)

    def _quoted(self, found: Quotation) -> None:
        self.app.push_screen(Tell(f"{found.model} for group {found.group}", list(_bill(found)), copy=found.usd))

    def action_logs(self) -> None:
        if (model := self.grid.current) is not None:
            self.see_logs("model", model.name)

    def toml(self) -> str:
        """Return the model as a configuration would declare it, at the prices of the group `default`."""
        model = self.grid.current
        return toml_of("models", model.name, _spec(model)) if model else ""


def _question(model: str, answers: Answers) -> QuotePrice:
    cached, write = typed.count(answers["cached"]), typed.count(answers["write"])
    usage = Usage(
        input=max(0, typed.count(answers["prompt"]) - cached - write),
        cache_read=cached,
        cache_write_5m=write,
        output=typed.count(answers["completion"]),
    )
    return QuotePrice(model, usage, answers["group"])


def _options(answers: Answers) -> list[str]:
    names = {"prompt": "--prompt", "cached": "--cached", "write": "--cache-write", "completion": "--completion"}
    found = [
        word for name, option in names.items() if answers[name] not in ("", "0") for word in (option, answers[name])
    ]
    return found if answers["group"] in ("", "default") else [*found, "--group", answers["group"]]


def _bill(found: Quotation) -> Iterator[Line]:
    """Yield a quotation: each line with its factors, and the sum."""
    size = max((len(line.what) for line in found.lines), default=0)
    for line in found.lines:
        each = f"{words.compact(line.count):>7} {line.unit} × {_plain(line.usd_each)}"
        factor = f" × {line.factor}" if line.factor != "1" else ""
        yield ((f"{line.what:<{size}}  ", "dim"), (f"{each}{factor} = ", ""), (_plain(line.usd), "bold"))
    yield ()
    if found.tier is not None:
        yield (("tier    ", "dim"), (f"prompts up to {words.compact(found.tier)} tokens", ""))
    yield (("group   ", "dim"), (f"{found.group}, × {found.group_ratio}", ""))
    yield (("price   ", "dim"), (f"from {found.source}", ""))
    yield (
        ("charged ", "dim"),
        (usd(found.quota), "header"),
        (f"  {found.quota} quota, exactly {_plain(found.usd)}", "dim"),
    )


def _spec(model: ModelView) -> ModelSpec:
    def dollars(text: str) -> Decimal:
        return Decimal(text) / Decimal(model.ratio or 1)

    if model.per_call is not None:
        return ModelSpec(price=dollars(model.per_call), fallback=model.fallback)
    if not model.rates:
        return ModelSpec(fallback=model.fallback)
    first, *others = model.rates
    if others:
        tiers = tuple(Tier(up_to=rates.up_to, **_dollars(rates, dollars)) for rates in model.rates)
        return ModelSpec(tiers=tiers, fallback=model.fallback)
    return ModelSpec(fallback=model.fallback, **_dollars(first, dollars))


def _dollars(rates: RatesView, read: Callable[[str], Decimal]) -> dict[str, Any]:
    return {bucket: read(getattr(rates, bucket)) for bucket, _ in _BUCKETS}


# -- cells -------------------------------------------------------------------------------------


def _usd(model: ModelView, bucket: str) -> float | None:
    return float(getattr(model.rates[0], bucket)) if model.rates else None


def _price(model: ModelView, bucket: str) -> Piece:
    value = _usd(model, bucket)
    if value is None:
        return (words.NONE, "bad" if model.source == "none" else "dim")
    exact = _plain(getattr(model.rates[0], bucket))
    return (exact if len(exact) <= _PRICE else words.dollars(value)), "" if value else "dim"


def _plain(text: str) -> str:
    """Return dollars with all their digits, two decimals at least."""
    value = Decimal(text)
    if value == value.quantize(Decimal("0.01")):
        return f"${value:.2f}"
    return f"${value:f}"


def _source(model: ModelView, _: int) -> Piece:
    match model.source:
        case "none":
            return "none", "bad"
        case "default":
            return "default", "warn"
        case source:
            return source, "" if source == "config" else "dim"


def _channels(model: ModelView, _: int) -> Piece:
    return (", ".join(model.channels), "") if model.channels else ("nobody", "bad")


def _example(model: ModelView, group: GroupView) -> str:
    """Return what a group pays for prompts and answers."""
    if model.per_call is not None:
        return f"  {_scaled(model.per_call, group)}"
    rates: RatesView | None = model.rates[0] if model.rates else None
    return f"  {_scaled(rates.input, group)} in, {_scaled(rates.output, group)} out" if rates else ""


def _scaled(text: str, group: GroupView) -> str:
    return words.dollars(float(Decimal(text) * Decimal(group.ratio)))
