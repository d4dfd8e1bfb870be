"""The channels: how each is doing, and what can be done about it."""

from __future__ import annotations

import time
from collections.abc import Hashable, Iterator, Sequence
from typing import Any, ClassVar

from msgspec import Struct
from textual.binding import Binding, BindingType

from newapi.base.units import QUOTA_PER_USD
from newapi.config.schema import ChannelSpec
from newapi.ops.channel_probe import Tested
from newapi.ops.channels import ChannelView
from newapi.ops.gateway import Gateway
from newapi.ops.live import ChannelRow
from newapi.ops.operations.board import RankChannels
from newapi.ops.operations.channels import AskBalances, ProbeChannels, SwitchKeys
from newapi.tui.model import Model
from newapi.tui.screens import _typed as typed
from newapi.tui.screens._edit import Editing
from newapi.tui.screens._grid import called, head, said, shell, toml_of
from newapi.tui.screens._keys import KeyAct, KeysDialog
from newapi.tui.widgets import words
from newapi.tui.widgets.ask import Answers, Ask, Field, Tell
from newapi.tui.widgets.grid import Column
from newapi.tui.widgets.sparkline import sparkline
from newapi.tui.widgets.tones import Line, Piece

_STATES = {"enabled": "up", "disabled": "disabled", "tripped": "tripped"}
_RANK = {"tripped": 0, "resting": 1, "half_open": 2, "disabled": 3, "up": 4}
"""The order of states: what needs somebody comes first."""
_WORST, _BAD = 20, 1
"""Failed attempts a minute from which they are shown as an error, and as a warning."""


class Item(Struct, frozen=True):
    """A channel: what the management API says of it, and what the stream does. One of the two may be missing."""

    id: int
    name: str
    view: ChannelView | None = None
    live: ChannelRow | None = None

    @property
    def spec(self) -> ChannelSpec | None:
        """What it is told to be."""
        return self.view.spec if self.view else None

    @property
    def state(self) -> str:
        """One of `newapi.ops.live.ChannelState`."""
        if self.view is not None and self.view.state != "enabled":
            return _STATES[self.view.state]
        return self.live.state if self.live else "up"

    @property
    def keys(self) -> int:
        """How many keys it has."""
        if self.live is not None:
            return self.live.keys
        return len(self.view.references) if self.view else 0

    @property
    def keys_up(self) -> int:
        """How many of them can be used."""
        if self.live is not None:
            return self.live.keys_up
        return self.keys - len(self.view.key_states) if self.view else 0

    @property
    def is_from_file(self) -> bool:
        """Whether a file manages it."""
        return bool(self.view and self.view.managed)


class ChannelsScreen(Editing[Item]):
    """Every channel: its state, what it does now, and what it costs."""

    TITLE = "Channels"
    KEY = "2"
    ORDER = ""
    EMPTY = "No channel yet: declare one in the configuration, and apply it."
    ACTS = frozenset(("test", "enable", "disable", "wake", "keys", "balance", "rank", "edit"))

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("t", "test", "test", id="channels.test"),
        Binding("d", "disable", "disable", id="channels.disable"),
        Binding("u", "enable", "enable", id="channels.enable"),
        Binding("B", "wake", "reset breaker", id="channels.wake"),
        Binding("K", "keys", "keys", id="channels.keys"),
        Binding("e", "edit", "edit", id="channels.edit"),
        Binding("b", "balance", "ask the balance", id="channels.balance", show=False),
        Binding("plus,equals_sign", "rank(0, 10)", "weight +10", id="channels.heavier", show=False),
        Binding("underscore", "rank(0, -10)", "weight -10", id="channels.lighter", show=False),
        Binding("right_square_bracket", "rank(1, 0)", "priority +1", id="channels.higher", show=False),
        Binding("left_square_bracket", "rank(-1, 0)", "priority -1", id="channels.lower", show=False),
        Binding("l", "logs", "its log", id="channels.logs", show=False),
    ]

    def __init__(self) -> None:
        super().__init__()
        self._views: dict[int, ChannelView] | None = None

    # -- what is shown -----------------------------------------------------------------------

    def columns(self) -> Sequence[Column[Item]]:
        def number(
            name: str, title: str, width: int, priority: int, text: Any, value: Any, **more: Any
        ) -> Column[Item]:
            return Column(
                name,
                title,
                lambda i: None if i.live is None else value(i.live),
                lambda i, _: (words.NONE, "dim") if i.live is None else text(i.live),
                width=width,
                priority=priority,
                right=True,
                descending=True,
                **{"kind": "number", **more},
            )

        return (
            Column("name", "name", lambda i: i.name, self._name_cell, least=10, most=28),
            Column(
                "state",
                "state",
                lambda i: i.state.replace("_", "-"),
                self._state_cell,
                width=11,
                order=lambda i: _RANK[i.state],
            ),
            number("rps", "req/s", 5, 1, _rate, lambda r: r.requests_per_second),
            number("flight", "now", 3, 2, lambda r: _count(r.in_flight), lambda r: r.in_flight),
            number("errors", "err/m", 5, 1, _errors, lambda r: r.errors_per_minute),
            number("first", "first", 6, 2, lambda r: _ms(r.first_p50_ms), lambda r: r.first_p50_ms or None, kind="ms"),
            number("p95", "p95", 6, 2, lambda r: _ms(r.p95_ms), lambda r: r.p95_ms or None, kind="ms"),
            number("cost", "$/h", 6, 3, _cost, lambda r: r.quota_per_hour / QUOTA_PER_USD, kind="usd"),
            Column(
                "keys",
                "keys",
                lambda i: i.keys_up,
                _keys,
                kind="number",
                width=5,
                priority=4,
                right=True,
            ),
            Column("type", "type", lambda i: i.spec.type if i.spec else "", least=9, most=14, priority=5),
            Column(
                "priority",
                "prio",
                lambda i: i.spec.priority if i.spec else None,
                kind="number",
                width=4,
                priority=6,
                right=True,
                descending=True,
            ),
            Column(
                "weight",
                "weight",
                lambda i: i.spec.weight if i.spec else None,
                kind="number",
                width=6,
                priority=7,
                right=True,
                descending=True,
            ),
            Column("groups", "groups", lambda i: i.spec.groups if i.spec else (), least=7, most=20, priority=8),
            Column(
                "balance",
                "balance",
                lambda i: i.view.balance if i.view and i.view.balance_at else None,
                lambda i, _: words.dollars(i.view.balance if i.view and i.view.balance_at else None),
                kind="usd",
                width=8,
                priority=9,
                right=True,
            ),
            Column("why", "last error", self._why, lambda i, _: (self._why(i), "dim"), least=16, most=70, priority=10),
        )

    def key(self, row: Item) -> Hashable:
        return row.id

    def called(self, row: Item) -> str:
        return row.name

    def _name_cell(self, item: Item, _: int) -> Line:
        return ((item.name, ""), (" F" if item.is_from_file else "", "dim"))

    def _state_cell(self, item: Item, _: int) -> Piece:
        glyphs = self.tui.glyphs
        match item.state:
            case "up":
                return f"{glyphs.on} up", "good"
            case "half_open":
                return f"{glyphs.half} half open", "warn"
            case "resting":
                until = item.live.rests_until if item.live else 0
                left = until - self.model.now
                return f"{glyphs.resting} rest{f' {words.ago(left)}' if left > 0 else 'ing'}", "bad"
            case "tripped":
                return f"{glyphs.warning} tripped", "bad"
            case _:
                until = item.view.disabled_until if item.view else 0
                left = until - self.model.now
                return f"{glyphs.off} {f'off {words.ago(left)}' if left > 0 else 'disabled'}", "dim"

    def _why(self, item: Item) -> str:
        if item.view is not None and item.view.state != "enabled" and item.view.state_reason:
            return item.view.state_reason
        if item.live is None or not item.live.last_error:
            return ""
        age = self.model.now - item.live.last_error_at
        return f"{words.ago(age)} ago: {item.live.last_error}"

    def read(self, gateway: Gateway) -> list[ChannelView]:
        return gateway.channels()

    def took(self, answer: list[ChannelView]) -> None:
        # The highest priority first, as requests see them.
        answer.sort(key=lambda view: (-view.spec.priority, view.id))
        self._views = {view.id: view for view in answer}
        self.showed(self.model)

    def forget(self) -> None:
        self._views = None
        super().forget()

    def showed(self, model: Model) -> None:
        live = model.channels
        if self._views is None:
            items = [Item(row.id, row.name, None, row) for row in live.values()]
        else:
            items = [Item(view.id, view.name, view, live.get(view.id)) for view in self._views.values()]
        self.grid.put(items)

    def counted(self) -> Iterator[Piece]:
        states = [item.state for item in self.grid.all]
        for state, tone in (("tripped", "bad"), ("resting", "bad"), ("half_open", "warn"), ("disabled", "dim")):
            if count := states.count(state):
                yield f"{count} {state.replace('_', ' ')}", tone

    # -- the detail --------------------------------------------------------------------------

    def detail(self, row: Item) -> Iterator[Line]:
        state, tone = self._state_cell(row, 0)
        yield said("state", (state, tone))
        if why := self._why(row):
            yield said("", (why, tone if row.state != "up" else "dim"))
        if row.live is not None:
            yield from self._now(row.live)
        if row.view is not None:
            yield from _told(row.view, self.model.now)
            yield from _key_lines(row.view)

    def _now(self, live: ChannelRow) -> Iterator[Line]:
        yield ()
        yield head("now")
        yield said("requests", f"{words.compact(live.requests_per_second)}/s, {live.in_flight} under way")
        yield said("errors", _errors(live), " in the last minute")
        yield said(
            "first token", words.millis(live.first_p50_ms or None), f", to the end {words.millis(live.p95_ms)} (p95)"
        )
        yield said("cost", f"{words.cost(live.quota_per_hour)} in the last hour")
        found = self.model.top("channels", live.name)
        if found is not None and any(found.spark):
            yield said("last hour", (sparkline(found.spark, 30, ascii=self.tui.glyphs.ascii), "accent"))

    # -- acts --------------------------------------------------------------------------------

    def action_test(self) -> None:
        items = self.chosen()
        if not items:
            return
        names = [item.name for item in items]
        self.notify(f"Asking {called('channel', names)} …", timeout=3)
        self.ask(lambda there: there.do(ProbeChannels(tuple(names))), self._tested)

    def _tested(self, found: list[Tested]) -> None:
        self.action_reload()
        if len(found) == 1 and not found[0].error:
            self.notify(f"{found[0].channel} answered as {found[0].model} in {words.millis(found[0].ms)}")
            return
        lines: list[Line] = []
        for tested in found:
            well = not tested.error
            lines.append(
                ((f"{tested.channel}  ", "bold"), ("answered" if well else "failed", "good" if well else "bad"))
            )
            lines.append(((f"  {tested.model}, {words.millis(tested.ms)}", "dim"),))
            if not well:
                lines.append(((f"  {tested.error}", ""),))
        failed = any(tested.error for tested in found)
        self.app.push_screen(Tell("newapi channel test", lines, danger=failed))

    def action_enable(self) -> None:
        if items := self.chosen():
            names, ids = [item.name for item in items], [item.id for item in items]
            self.ask_to(
                Ask(
                    f"Enable {called('channel', names)}?",
                    shell("newapi", "channel", "enable", *names),
                    what=["Requests go there within a second."],
                ),
                lambda there, _: there.switch(ids, "enabled"),
                lambda changed: f"Enabled {changed} of {len(ids)}",
            )

    def action_disable(self) -> None:
        items = self.chosen()
        if not items:
            return
        names, ids = [item.name for item in items], [item.id for item in items]
        under_way = sum(item.live.in_flight for item in items if item.live)
        what: list[str] = ["No new request goes there within a second."]
        if under_way:
            what.append(f"{under_way} under way {'ends' if under_way == 1 else 'end'} as usual.")
        if any(item.is_from_file for item in items):
            what.append("The file still declares it: only a change of it there lasts.")

        def command(answers: Answers) -> str:
            options = [("--for", answers["for"]), ("--reason", answers["why"])]
            said = [word for option in options if option[1] for word in option]
            return shell("newapi", "channel", "disable", *names, *said)

        def disable(gateway: Gateway, answers: Answers) -> int:
            seconds = typed.duration(answers["for"])
            until = time.time() + seconds if seconds else 0
            return gateway.switch(ids, "disabled", reason=answers["why"], until=until)

        self.ask_to(
            Ask(
                f"Disable {called('channel', names)}?",
                command,
                what=what,
                fields=[
                    Field("for", "For", hint="until it is enabled, or 2h", check=typed.duration),
                    Field("why", "Why", hint="for whoever looks at it later"),
                ],
                yes="disable",
            ),
            disable,
            lambda changed: f"Disabled {changed} of {len(ids)}",
        )

    def action_wake(self) -> None:
        items = [item for item in self.chosen() if item.state != "disabled"]
        if not items:
            self.notify("A disabled channel has no breaker: `u` enables it", severity="warning")
            return
        names, ids = [item.name for item in items], [item.id for item in items]
        self.ask_to(
            Ask(
                f"Reset the breaker of {called('channel', names)}?",
                shell("newapi", "channel", "enable", *names),
                what=["What health held against it and its keys is forgotten: it is tried again at once."],
            ),
            lambda there, _: there.switch(ids, "enabled"),
            lambda _: f"The breaker of {called('channel', names)} is reset",
        )

    def action_rank(self, priority: int, weight: int) -> None:
        there = [(item, item.spec) for item in self.chosen() if item.spec is not None]
        if not there:
            return
        names, ids = [item.name for item, _ in there], tuple(item.id for item, _ in there)
        field = "priority" if priority else "weight"
        before = [spec.priority if priority else spec.weight for _, spec in there]
        after = [value + priority if priority else max(0, value + weight) for value in before]
        changes = zip(names, before, after, strict=True)
        what = [f"{name}: {field} {old} → {new}" for name, old, new in list(changes)[:8]]
        if any(item.is_from_file for item, _ in there):
            what.append("The file says otherwise: the next apply puts it back. `e` changes the file.")
        self.ask_to(
            Ask(
                f"Change the {field} of {called('channel', names)}?",
                shell("newapi", "channel", "set", names[0], f"{field}={after[0]}"),
                what=what,
            ),
            lambda gateway, _: gateway.do(RankChannels(ids, priority, weight)),
            lambda changed: f"Changed {len(changed)}",
        )

    def action_balance(self) -> None:
        if items := self.chosen():
            names = tuple(item.name for item in items)
            self.notify(f"Asking for the balance of {called('channel', names)} …", timeout=3)

            def told(found: list[Any]) -> None:
                self.action_reload()
                for one in found:
                    failed = one.usd is None
                    text = one.error if failed else words.dollars(one.usd)
                    self.notify(f"{one.channel}: {text}", severity="warning" if failed else "information")

            self.ask(lambda there: there.do(AskBalances(names)), told)

    def action_keys(self) -> None:
        item = self.grid.current
        if item is None or item.view is None:
            return
        view = item.view

        def acted(act: KeyAct | None) -> None:
            if act is None:
                return
            if act.kind == "test":
                self.ask(lambda there: there.do(ProbeChannels((view.name,), key=act.position)), self._tested)
                return
            enabled = act.kind == "enable"
            self.ask_to(
                Ask(
                    f"{'Enable' if enabled else 'Disable'} key {act.position} of {view.name}?",
                    shell("newapi", "channel", "keys", view.name, f"--{act.kind}", str(act.position)),
                    what=[view.references[act.position]],
                ),
                lambda there, _: there.do(SwitchKeys(view.name, enabled, (act.position,))),
                lambda _: f"Key {act.position} is {act.kind}d",
            )

        self.app.push_screen(KeysDialog(view, can_act=self.tui.can_act), acted)

    def action_edit(self) -> None:
        item = self.grid.current
        if item is not None and item.view is not None:
            self.edit_channel(item.view)

    def action_logs(self) -> None:
        if (item := self.grid.current) is not None:
            self.see_logs("channel", item.name)

    def toml(self) -> str:
        item = self.grid.current
        if item is None or item.spec is None:
            return ""
        return toml_of("channels", item.name, item.spec)


# -- cells -------------------------------------------------------------------------------------


def _rate(row: ChannelRow) -> Piece:
    return (words.compact(round(row.requests_per_second, 2)), "") if row.requests_per_second else ("0", "dim")


def _count(count: int) -> Piece:
    return (words.compact(count), "") if count else ("0", "dim")


def _errors(row: ChannelRow) -> Piece:
    count = row.errors_per_minute
    return words.compact(count), "bad" if count >= _WORST else "warn" if count >= _BAD else "dim"


def _ms(ms: int) -> Piece:
    return (words.millis(ms), "") if ms else (words.NONE, "dim")


def _cost(row: ChannelRow) -> Piece:
    return words.about(row.quota_per_hour), "" if row.quota_per_hour else "dim"


def _keys(item: Item, _: int) -> Piece:
    up, all_ = item.keys_up, item.keys
    return f"{up}/{all_}", "bad" if all_ and not up else "warn" if up < all_ else ""


# -- the detail --------------------------------------------------------------------------------


def _told(view: ChannelView, now: float) -> Iterator[Line]:
    spec = view.spec
    yield ()
    yield head("upstream")
    yield said("type", spec.type)
    if spec.base_url:
        yield said("url", spec.base_url)
    yield said("models", ", ".join(spec.models) or words.NONE)
    if spec.model_mapping:
        yield said("mapped", ", ".join(f"{asked} → {sent}" for asked, sent in spec.model_mapping.items()))
    if view.tested_at:
        yield said("tested", f"{words.ago(now - view.tested_at)} ago, {words.millis(view.response_ms)}")
    if view.balance_at:
        yield said("balance", f"{words.dollars(view.balance)}, {words.ago(now - view.balance_at)} ago")
    yield said("used", words.cost(view.used))
    yield ()
    yield head("routing")
    yield said("groups", ", ".join(spec.groups))
    yield said("priority", str(spec.priority))
    yield said("weight", str(spec.weight))
    if spec.tag:
        yield said("tag", spec.tag)
    yield said("made by", "the file" if view.managed else "a command")
    if spec.remark:
        yield said("remark", spec.remark)


def _key_lines(view: ChannelView) -> Iterator[Line]:
    yield ()
    yield head("keys")
    for position, reference in enumerate(view.references):
        state = view.key_states.get(position)
        yield said(f"{position}", reference)
        if state is not None:
            yield said("", (f"{state.state}: {state.reason}", "bad" if state.state == "tripped" else "dim"))
    if not view.references:
        yield said("", ("none", "dim"))
