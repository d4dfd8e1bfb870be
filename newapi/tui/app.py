"""The application: which screen is in front, what the stream says, what is asked and done."""

from __future__ import annotations

import asyncio
import gc
import threading
import time
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import aclosing
from typing import Any, ClassVar, Literal, TypeVar, cast

from msgspec import Struct
from textual.app import App
from textual.binding import Binding, BindingType
from textual.dom import DOMNode
from textual.filter import LineFilter
from textual.screen import Screen
from textual.widgets import Input

from newapi.base.errors import NewapiError
from newapi.ops.gateway import Gateway
from newapi.ops.live import Link, Stats, Told
from newapi.tui import screens
from newapi.tui.export import write
from newapi.tui.glyphs import ASCII, UNICODE, InAscii
from newapi.tui.help import Help
from newapi.tui.model import RANGES, Model
from newapi.tui.palette import Palette
from newapi.tui.screen import LiveScreen, failure
from newapi.tui.settings import DEFAULT_THEME
from newapi.tui.source import Kind, Source
from newapi.tui.widgets.ask import Answers, Ask

T = TypeVar("T")

LinkState = Literal["live", "lost", "database", "replay", "none"]
Connect = Callable[[str], Source]
"""Returns the source of a context by its name. May raise NewapiError; it may wait."""

_COALESCE_SECONDS = 0.05
"""What is told of one second comes in several events: they are drawn together."""
_HISTORY_SECONDS = 60.0
"""How often the history of a range that is looked at is asked for again."""


class Options(Struct, frozen=True, kw_only=True):
    """How the dashboard is to be.

    Attributes:
        read_only: Nothing can be done, only looked at.
        low_bandwidth: Draw every two seconds, in ASCII, without sparklines.
        theme: One of Textual's.
        keys: Id of a binding -> its keys.
        record: Wraps the stream where it is to be recorded.
    """

    read_only: bool = False
    low_bandwidth: bool = False
    theme: str = DEFAULT_THEME
    keys: dict[str, str] = {}
    record: Callable[[AsyncGenerator[Told]], AsyncGenerator[Told]] | None = None


class Tui(App[None]):
    """The dashboard of one gateway."""

    TITLE = "newapi"
    CSS_PATH = "style.tcss"
    ENABLE_COMMAND_PALETTE = False  # there is our own
    MODES: ClassVar[dict[str, Any]] = {name: screens.get(name) for name in screens.names()}
    DEFAULT_MODE = screens.names()[0]

    BINDINGS: ClassVar[list[BindingType]] = [
        *(
            Binding(screens.get(name).KEY, f"open({name!r})", screens.get(name).TITLE, id=f"app.{name}", show=False)
            for name in screens.names()
        ),
        # Heard before what has the focus: what is typed right after it, in one piece, is for the filter already, and no
        # letter of it is a key of the list.
        Binding("slash", "filter", "filter", id="app.filter", priority=True),
        Binding("p", "pause", "pause", id="app.pause"),
        Binding("question_mark", "help", "help", id="app.help"),
        Binding("colon,ctrl+p", "palette", "commands", id="app.palette"),
        Binding("y", "copy", "copy as TOML", id="app.copy", show=False),
        Binding("E", "export", "export", id="app.export", show=False),
        Binding("minus", "last", "last screen", id="app.last", show=False),
        Binding("q", "quit", "quit", id="app.quit"),
    ]

    def __init__(self, connect: Connect, context: str, options: Options | None = None) -> None:
        """Show the gateway that `connect(context)` returns."""
        super().__init__(ansi_color=None)
        self.options = options or Options()
        self.model = Model()
        self._in_ascii = InAscii()
        self.glyphs = ASCII if self.options.low_bandwidth else UNICODE
        self.is_paused = False
        self.source: Source | None = None
        self._connect, self._named = connect, context
        self._before: list[str] = []
        self._drawn = 0.0
        self._is_due = False
        self._asked: dict[str, float] = {}

    # -- what the head says ------------------------------------------------------------------

    @property
    def screen_names(self) -> tuple[str, ...]:
        """The screens, in the order of their keys."""
        return screens.names()

    def screen_kind(self, name: str) -> type[LiveScreen]:
        """Return the class of a screen."""
        return screens.get(name)

    @property
    def read_only(self) -> bool:
        """Whether nothing may be changed."""
        return self.options.read_only

    @property
    def can_act(self) -> bool:
        """Whether something can be changed: there is a gateway, and nobody said read-only."""
        return not self.read_only and self.source is not None and self.source.gateway is not None

    @property
    def tick(self) -> float:
        """Seconds between two pictures."""
        return 2.0 if self.options.low_bandwidth else 1.0

    @property
    def source_name(self) -> str:
        """What is shown: the name of the context or of the recording."""
        return self.source.name if self.source else self._named

    @property
    def link(self) -> LinkState:
        """How the gateway is reached."""
        if self.source is None or (not self.model.is_known and self.model.link.state in ("connecting", "connected")):
            return "none"
        if self.source.kind != "server":
            return self.source.kind
        return "lost" if self.model.link.state in ("lost", "ended") else "live"

    @property
    def problem(self) -> str:
        """What is wrong with the connection, in few words; "" when nothing is."""
        link = self.model.link
        match self.link:
            case "lost" if link.state == "lost":
                return f"connection lost, trying again in {link.retry_in:.0f} s: {link.message}"
            case "lost":
                return link.message
            case "database":
                return "no server runs: this is what the database holds"
            case "replay":
                return "the recording ends here" if link.state == "ended" else "a recording"
            case "none":
                return "connecting …"
            case _:
                return ""

    def get_line_filters(self) -> Sequence[LineFilter]:
        filters = super().get_line_filters()
        return [*filters, self._in_ascii] if self.glyphs.ascii else filters

    def get_key_display(self, binding: Binding) -> str:
        shown = super().get_key_display(binding)
        return binding.key if self.glyphs.ascii and not shown.isascii() else shown

    # -- life --------------------------------------------------------------------------------

    def on_mount(self) -> None:
        self.set_keymap(self.options.keys)
        self.theme = self.options.theme if self.options.theme in self.available_themes else DEFAULT_THEME
        if self.theme != self.options.theme:
            self.notify(f"There is no theme {self.options.theme!r}", severity="warning")
        self.set_class(self.glyphs.ascii, "-ascii")
        self.follow(self._named)

    def follow(self, context: str) -> None:
        """Show the gateway of another context, from the beginning."""
        self._named = context
        self.run_worker(self._follow(context), group="stream", exclusive=True, exit_on_error=False)

    async def _follow(self, context: str) -> None:
        try:
            # The stream of a database ends when there is a server.
            while await self._followed(context) == "database":
                self.notify("A server runs now: it is shown instead of the database")
        except NewapiError as error:
            self.model.apply(Link("ended", message=error.message))
            self.notify(failure(error), severity="error", timeout=10)
            self._draw_soon()

    async def _followed(self, context: str) -> Kind:
        """Show a gateway until its stream ends; return what it was."""
        was_shown = self.source is not None
        self.source, self.model = None, self._fresh()
        if was_shown:
            gc.collect()  # a database's connections hang on cycles: they are closed now, not some time
        self.source = source = await asyncio.to_thread(self._connect, context)
        stream = source.watch()
        if self.options.record is not None:
            stream = self.options.record(stream)
        async with aclosing(stream) as events:
            async for told in events:
                self._heard(told)
        return source.kind

    def _fresh(self) -> Model:
        model = Model()
        model.range = self.model.range
        self._asked.clear()
        return model

    def _heard(self, told: Told) -> None:
        self.model.apply(told.event)
        self._draw_soon()
        if isinstance(told.event, Stats):
            self.want_history()

    def _draw_soon(self) -> None:
        """Draw within a tick of the last time, together with what comes at the same moment."""
        if not self._is_due:
            self._is_due = True
            # A little less than a tick: the next second's events are not to wait for the one after.
            left = self._drawn + 0.8 * self.tick - time.monotonic()
            self.set_timer(max(_COALESCE_SECONDS, left), self.draw)

    def draw(self) -> None:
        """Show what is known now, unless paused."""
        self._is_due = False
        self._drawn = time.monotonic()
        # While it ends there is no screen any more, and what was due may still come.
        if self.screen_stack and isinstance(front := self.screen_stack[0], LiveScreen):
            front.refresh_live()

    # -- history -----------------------------------------------------------------------------

    def want_history(self) -> None:
        """Ask for the points of the range that is looked at, if they have not been asked for lately."""
        range, source = self.model.range, self.source
        if source is None or source.history is None:
            return
        now = time.monotonic()
        if now - self._asked.get(range, -_HISTORY_SECONDS) < _HISTORY_SECONDS:
            return
        self._asked[range] = now
        history, model = source.history, self.model

        def loaded(series: Any) -> None:
            if model is self.model:
                model.load(series)
                self._draw_soon()

        self.ask(lambda _: history(range), loaded)

    def set_range(self, range: str) -> None:
        """Let plots and sums be about another time: one of `RANGES`."""
        self.model.range = range
        self.want_history()
        self.draw()

    # -- asking and acting -------------------------------------------------------------------

    def ask(self, question: Callable[[Gateway], T], then: Callable[[T], None], owner: DOMNode | None = None) -> None:
        """Ask the gateway in a thread; see `LiveScreen.ask`."""
        source = self.source
        if source is None or source.gateway is None:
            return
        gateway = source.gateway

        def answered(result: T) -> None:
            if source is self.source and (owner is None or owner.is_attached):
                then(result)

        def run() -> None:
            try:
                result = question(gateway)
            except Exception as error:  # noqa: BLE001  (whatever it is: it is told, and the dashboard goes on)
                self._from_thread(self.notify, failure(error), severity="error", timeout=8)
            else:
                self._from_thread(answered, result)

        # Not a worker of Textual: those are waited for at the end, and a server may let one wait for a minute.
        threading.Thread(target=run, name="ask", daemon=True).start()

    def _from_thread(self, function: Callable[..., Any], *args: Any, **kwargs: Any) -> None:
        if self.is_running:
            self.call_later(function, *args, **kwargs)

    def act(
        self,
        question: Ask,
        deed: Callable[[Gateway, Answers], T],
        then: Callable[[T], str | None] | None = None,
        owner: DOMNode | None = None,
    ) -> None:
        """Ask whether to do something, and do it in a thread; see `LiveScreen.act`."""
        if not self.can_act:
            why = "This is read-only" if self.read_only else "A recording cannot be acted on"
            self.notify(why, severity="warning")
            return

        def done(result: T) -> None:
            told = then(result) if then else "Done"
            if told:
                self.notify(told)

        def decided(answers: Answers | None) -> None:
            if answers is not None:
                self.ask(lambda gateway: deed(gateway, answers), done, owner)

        self.push_screen(question, decided)

    # -- what keys do ------------------------------------------------------------------------

    @property
    def front(self) -> LiveScreen:
        """The screen behind whatever is asked at the moment."""
        return cast(LiveScreen, self.screen_stack[0])

    def open(self, name: str, argument: str = "") -> None:
        """Bring a screen to the front; `argument` is what it is to show: `model=gpt*`."""
        if name != self.current_mode:
            self._before.append(self.current_mode)
            del self._before[:-20]
            self.switch_mode(name)
        if argument:
            self.front.call_after_refresh(self.front.opened, argument)

    def back(self) -> None:
        """Bring the screen to the front that was there before."""
        if self._before:
            self.switch_mode(self._before.pop())

    def action_open(self, name: str) -> None:
        self.open(name)

    def action_last(self) -> None:
        if self._before:
            last = self._before.pop()
            self._before.append(self.current_mode)
            self.switch_mode(last)

    def action_pause(self) -> None:
        self.is_paused = not self.is_paused
        self.draw()

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        if action == "filter":
            return len(self.screen_stack) == 1 and not isinstance(self.focused, Input)
        return super().check_action(action, parameters)

    def action_filter(self) -> None:
        self.front.begin_filter()

    def action_help(self) -> None:
        self.push_screen(Help(self.front))

    def action_palette(self) -> None:
        self.push_screen(Palette())

    def action_copy(self) -> None:
        if text := self.front.toml():
            self.copy_to_clipboard(text)
            self.notify("Copied as TOML")
        else:
            self.notify("There is nothing to copy here", severity="warning")

    def action_export(self) -> None:
        try:
            path = write(self.front.name_of, self.front.rows(), self.model.now)
        except (OSError, ValueError) as error:
            self.notify(str(error), severity="error")
        else:
            self.notify(f"Written to {path}")

    def set_theme(self, name: str) -> None:
        """Use other colours."""
        self.theme = name
        self.draw()

    def next_range(self) -> None:
        """Go to the next of the times that plots and sums are about."""
        self.set_range(RANGES[(RANGES.index(self.model.range) + 1) % len(RANGES)])

    def get_default_screen(self) -> Screen[Any]:
        return screens.get(self.DEFAULT_MODE)()
