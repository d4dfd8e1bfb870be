"""What all screens have in common: the frame around them, when they are told what is new, how they ask and act.

A screen is a file in `newapi/tui/screens/` with one class::

    class ChannelsScreen(LiveScreen):
        \"\"\"Every channel, its health and its latency.\"\"\"

        TITLE = "Channels"
        KEY = "2"
        BINDINGS: ClassVar[list[BindingType]] = [
            Binding("t", "test", "test", id="channels.test"),
            Binding("d", "disable", "disable", id="channels.disable"),
        ]

        def body(self) -> ComposeResult:
            yield ChannelTable()

        def show(self, model: Model) -> None:
            ...  # put what the model holds now into the widgets: update what differs, never clear

Every binding has an `id`, `<screen>.<action>`: people remap keys by it. The first line of the class's docstring stands
in the help. What a screen shows comes from the model, which the stream feeds, or from the gateway, which is asked in a
thread (`ask`); what it changes, it changes through `act`, which asks first and shows the command that does the same.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar, TypeVar, cast

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.screen import Screen
from textual.widgets import Input, Static

from newapi.base.errors import NewapiError
from newapi.ops.gateway import Gateway
from newapi.tui.frame import FilterBar, Foot, Head, Tabs
from newapi.tui.model import Model
from newapi.tui.widgets.ask import Answers, Ask

if TYPE_CHECKING:
    from newapi.tui.app import Tui

T = TypeVar("T")

MIN_WIDTH, MIN_HEIGHT = 60, 15
"""Below this nothing is shown but what is needed."""

NARROW = 100
"""Below this many columns a screen has the class `-narrow`: panes that stood beside each other stack."""


class LiveScreen(Screen[None]):
    """One of the screens behind the tabs.

    Attributes:
        TITLE: Its name in the tabs.
        KEY: The digit that opens it.
        RANGES: Whether `t` (the time range) and `model.range` mean something here.
    """

    TITLE: ClassVar[str] = ""  # pyright: ignore[reportIncompatibleVariableOverride]  (each has one)
    KEY: ClassVar[str] = ""
    RANGES: ClassVar[bool] = False
    HORIZONTAL_BREAKPOINTS = [(0, "-narrow"), (NARROW, "-broad"), (150, "-broadest")]  # noqa: RUF012
    VERTICAL_BREAKPOINTS = [(0, "-low"), (30, "-tall")]  # noqa: RUF012

    AUTO_FOCUS = "#body *"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "back", "back", id="screen.back", show=False),
    ]

    # -- what a screen says ------------------------------------------------------------------

    def body(self) -> ComposeResult:
        """Yield what stands between the tabs and the line of keys."""
        raise NotImplementedError

    def show(self, model: Model) -> None:
        """Show what the model holds now.

        Called when the screen comes to the front, and then once a tick (a second; two with `--low-bandwidth`) while it
        is there, something is new, and nobody paused. Only what differs should be changed: what is not, costs nothing
        to send.
        """
        raise NotImplementedError

    def opened(self, argument: str) -> None:
        """Take what followed the screen's name in the palette: `model=gpt*` of `:logs model=gpt*`.

        By default it is the filter: a screen that has one overrides `filter`.
        """
        self.put_filter(argument)

    def filter(self, text: str) -> None:
        """Show only what `text` describes; "" shows all again.

        Called as it is typed after `/`.

        Raises:
            ValueError: It is no filter; what it says is shown beside it, and the filter before stays in force.
        """

    def put_filter(self, text: str) -> None:
        """Show only what `text` describes; where it is no filter, that is told in a corner."""
        try:
            self.filter(text)
        except ValueError as error:
            self.notify(str(error), severity="warning")

    @property
    def filter_text(self) -> str:
        """The filter in force, "" for none: what stands there when `/` is pressed."""
        return ""

    def go_back(self) -> bool:
        """Undo one step: close a detail, drop a filter. Say whether there was one."""
        return False

    def rows(self) -> Sequence[Mapping[str, Any]]:
        """Return what is shown, as it is exported by `E`: names of columns and plain values."""
        return ()

    def toml(self) -> str:
        """Return what is under the cursor as TOML, as it is copied by `y`; "" when nothing is."""
        return ""

    # -- what a screen may use ---------------------------------------------------------------

    @property
    def name_of(self) -> str:
        """The name of its file."""
        return type(self).__module__.rpartition(".")[2]

    @property
    def tui(self) -> Tui:
        """The application."""
        return cast("Tui", self.app)

    @property
    def model(self) -> Model:
        """What is known: the stream keeps it up to date."""
        return self.tui.model

    def ask(self, question: Callable[[Gateway], T], then: Callable[[T], None]) -> None:
        """Ask the gateway something in a thread, and hand the answer to `then` in the screen's own.

        A question that is still under way when the same screen asks the next one goes on. What goes wrong is told in a
        corner. Without a gateway (a recording is played) nothing happens.
        """
        self.tui.ask(question, then, owner=self)

    def act(
        self,
        question: Ask,
        deed: Callable[[Gateway, Answers], T],
        then: Callable[[T], str | None] | None = None,
    ) -> None:
        """Ask whether to do something, showing the command that does the same, and do it in a thread.

        Nothing is asked where nothing may be done: that is told instead.

        Args:
            question: What is about to happen, and what has to be typed for it:
                `Ask("Disable channel a?", "newapi channel disable a")`.
            deed: Does it, given the gateway and what was typed.
            then: Called with what `deed` returned; what it returns is told in a corner. Without it, `Done` is.
        """
        self.tui.act(question, deed, then, owner=self)

    # -- the frame ---------------------------------------------------------------------------

    def compose(self) -> ComposeResult:
        yield Head()
        yield Tabs()
        with Vertical(id="body"):
            yield from self.body()
        yield FilterBar()
        yield Foot()
        yield Static(id="too-small")

    def on_screen_resume(self) -> None:
        self.call_after_refresh(self.refresh_live)

    def on_resize(self) -> None:
        width, height = self.app.size
        small = width < MIN_WIDTH or height < MIN_HEIGHT
        self.set_class(small, "-too-small")
        if small:
            need = f"newapi tui needs {MIN_WIDTH}×{MIN_HEIGHT}\nthis is {width}×{height}"
            self.query_one("#too-small", Static).update(need)

    def refresh_live(self) -> None:
        """Show what is new: in the frame, and unless it is paused in the screen."""
        if not self.is_mounted:
            return
        self.query_one(Head).show(self.tui)
        self.query_one(Tabs).show(self.tui)
        if not self.tui.is_paused:
            self.show(self.model)

    # -- the filter --------------------------------------------------------------------------

    def begin_filter(self) -> None:
        """Let a filter be typed."""
        self.query_one(FilterBar).begin(self.filter_text)

    def on_input_changed(self, event: Input.Changed) -> None:
        bar = self.query_one(FilterBar)
        if event.input.parent is bar and bar.has_class("-open"):
            try:
                self.filter(event.value)
            except ValueError as error:
                bar.complain(str(error))
            else:
                bar.complain("")

    def on_input_submitted(self, event: Input.Submitted) -> None:
        if event.input.parent is self.query_one(FilterBar):
            self._end_filter()

    def _end_filter(self) -> None:
        self.query_one(FilterBar).close()
        self.focus_body()

    def focus_body(self) -> None:
        """Let keys go to what the screen is about: the first thing in it that takes them."""
        found = (w for w in self.query("#body *") if w.can_focus and w.display)
        self.set_focus(next(found, None))

    def action_back(self) -> None:
        bar = self.query_one(FilterBar)
        if bar.has_class("-open"):
            self.filter("")
            self._end_filter()
        elif not self.go_back():
            self.tui.back()


def failure(error: Exception) -> str:
    """Return what to tell of an error in a corner of the screen."""
    if isinstance(error, NewapiError):
        hint = getattr(error, "hint", "")
        return f"{error.message}\n{hint}" if hint else error.message
    return f"{type(error).__name__}: {error}"
