"""Screens that are a table: read from the gateway every few seconds, with a detail, a filter, marks and acts."""

from __future__ import annotations

import os
import shlex
import subprocess
import time
from collections.abc import Callable, Hashable, Iterator, Mapping, Sequence
from typing import Any, ClassVar, Generic, TypeVar

from msgspec import Struct
from rich.text import Text
from textual.app import ComposeResult, SuspendNotSupported
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, VerticalScroll
from textual.geometry import Size
from textual.widget import Widget
from textual.widgets import Static

from newapi.base.errors import NewapiError
from newapi.config.schema import Config
from newapi.ops.export import document
from newapi.ops.gateway import Gateway
from newapi.tui.model import Model
from newapi.tui.screen import LiveScreen, failure
from newapi.tui.widgets import tones
from newapi.tui.widgets.ask import Answers, Ask
from newapi.tui.widgets.filter import quoted
from newapi.tui.widgets.grid import Column, Grid
from newapi.tui.widgets.tones import Line, Piece

R = TypeVar("R")
T = TypeVar("T")

_VI = "vi"
EVERY = 5.0
"""Seconds after which what the stream does not tell is read anew, while the screen is in front."""
LABEL = 12
"""Cells of the labels in a detail."""
ROOMY = 180
"""From this width on the detail stands beside the table by itself."""


class _Failed(Struct, frozen=True):
    """Why something could not be read."""

    why: str


class GridScreen(LiveScreen, Generic[R]):
    """What screens of this kind have in common. A subclass says `columns`, `key`, `read`, and what its keys do.

    Attributes:
        ORDER: The column that rows are ordered by at first; "" leaves them as they are read.
        EMPTY: What is said where there is no row.
        NOUN: What the rows are called; "" is as the screen is.
        ACTS: Names of the actions that change something: they are hidden where nothing may be changed.
    """

    ORDER: ClassVar[str] = ""
    EMPTY: ClassVar[str] = "Nothing here yet."
    NOUN: ClassVar[str] = ""
    ACTS: ClassVar[frozenset[str]] = frozenset()

    DEFAULT_CSS = """
    GridScreen .beside { height: 1fr; width: 1fr; }
    GridScreen #summary { height: 1; width: 1fr; padding: 0 2; text-wrap: nowrap; text-overflow: ellipsis; }
    GridScreen #detail { display: none; width: 52; height: 1fr; scrollbar-size-vertical: 1; }
    GridScreen.-detail #detail { display: block; }
    GridScreen.-narrow.-detail #detail { width: 1fr; }
    GridScreen.-narrow.-detail Grid { display: none; }
    GridScreen.-broadest #detail { width: 70; }
    """

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("r", "reload", "read again", id="grid.reload", show=False),
    ]

    def __init__(self) -> None:
        super().__init__()
        self._read_at = 0.0
        self._is_reading = False
        self._seen: Model | None = None
        self._said: Text | None = None
        self._problem = ""
        self._detailed: bool | None = None

    # -- what a screen says ------------------------------------------------------------------

    def columns(self) -> Sequence[Column[R]]:
        """Return the columns."""
        raise NotImplementedError

    def key(self, row: R) -> Hashable:
        """Return what a row is known by."""
        raise NotImplementedError

    def read(self, gateway: Gateway) -> Any:
        """Ask the gateway for what is shown. Waits; called in a thread."""
        raise NotImplementedError

    def took(self, answer: Any) -> None:
        """Show what `read` answered: by default the rows themselves."""
        self.grid.put(answer)

    def detail(self, row: R) -> Iterator[Line]:
        """Yield the lines of a row's detail."""
        raise NotImplementedError

    def counted(self) -> Iterator[Piece]:
        """Yield what the summary says of all rows, beyond how many there are."""
        return iter(())

    def called(self, row: R) -> str:
        """Return what a row is called in commands."""
        return str(self.key(row))

    # -- the frame ---------------------------------------------------------------------------

    def body(self) -> ComposeResult:
        yield Static(id="summary")
        with Horizontal(classes="beside"):
            yield Grid(
                self.columns(), self.key, order=self.ORDER, empty=self.EMPTY, ascii=self.tui.glyphs.ascii, id="grid"
            )
            with VerticalScroll(id="detail", classes="pane", can_focus=False):
                yield Lines(id="detail-lines")

    @property
    def grid(self) -> Grid[R]:
        """The table."""
        return self.query_one("#grid", Grid)

    def show(self, model: Model) -> None:
        # Another gateway has another model. The gateway itself is not kept: its database would stay open.
        if model is not self._seen:
            self._seen, self._read_at, self._problem = model, 0.0, ""
            self.forget()
        if time.monotonic() - self._read_at >= EVERY:
            self.action_reload()
        self.showed(model)
        self.grid.touch()
        self._summary()
        self.show_detail()

    def forget(self) -> None:
        """Forget what was read: it is another gateway's."""
        self.grid.put([])

    def showed(self, model: Model) -> None:
        """Take over what the stream told since, before it is drawn."""

    def action_reload(self) -> None:
        """Read again what is shown."""
        if self._is_reading or self.tui.source is None or self.tui.source.gateway is None:
            return
        self._is_reading, self._read_at = True, time.monotonic()
        self.ask(self._reading, self._took)

    def _reading(self, gateway: Gateway) -> Any:
        try:
            return self.read(gateway)
        except NewapiError as error:
            return _Failed(failure(error).splitlines()[0])
        finally:
            self._is_reading = False

    def _took(self, answer: Any) -> None:
        # It is tried again and again: what goes wrong stands in the summary, and is told nobody every few seconds.
        self._problem = answer.why if isinstance(answer, _Failed) else ""
        if not self._problem:
            self.took(answer)
        self._summary()
        self.show_detail()

    # -- the summary -------------------------------------------------------------------------

    def _summary(self) -> None:
        grid = self.grid
        pieces: list[Piece] = []
        shown, total = len(grid.rows), grid.total
        pieces.append((f"{shown} of {total}" if shown != total else str(total), "bold"))
        noun = self.NOUN or self.TITLE.lower()
        pieces.append((f" {noun.removesuffix('s') if total == 1 else noun}", ""))
        if self._problem:
            pieces += [("   ", ""), (f"cannot be read: {self._problem}", "bad")]
        for piece in self.counted():
            pieces += [("   ", ""), piece]
        if grid.marked:
            pieces += [("   ", ""), (f"{len(grid.marked)} marked", "marked")]
        if grid.filtered:
            pieces += [("   ", ""), (f"/{grid.filtered}", "accent")]
        text = tones.text(self.app, pieces)
        if self._said != text:
            self._said = text
            self.query_one("#summary", Static).update(text)

    def on_grid_altered(self, event: Grid.Altered) -> None:
        event.stop()
        self._summary()

    # -- the detail --------------------------------------------------------------------------

    def on_grid_opened(self, event: Grid.Opened) -> None:
        event.stop()
        self._detailed = not self.has_class("-detail")
        self.show_detail()

    def on_grid_moved(self, event: Grid.Moved) -> None:
        event.stop()
        if self.has_class("-detail"):
            self.query_one("#detail", VerticalScroll).scroll_home(animate=False)
        self.show_detail()

    def show_detail(self) -> None:
        """Show the detail of the row under the cursor: if it was asked for, or by itself where there is room."""
        row = self.grid.current
        is_shown = self.app.size.width >= ROOMY if self._detailed is None else self._detailed
        self.set_class(is_shown and row is not None, "-detail")
        if row is None or not is_shown:
            return
        pane = self.query_one("#detail", VerticalScroll)
        pane.border_title = self.called(row)
        self.query_one("#detail-lines", Lines).show(list(self.detail(row)))

    def on_resize(self) -> None:
        super().on_resize()
        self.show_detail()

    def focus_body(self) -> None:
        self.set_focus(self.grid)

    def on_key(self, event: Any) -> None:
        # On a narrow screen the detail lies over the table: the keys that would move the cursor go through it.
        if self.has_class("-detail") and self.has_class("-narrow") and self.focused is None:
            pane = self.query_one("#detail", VerticalScroll)
            match event.key:
                case "down" | "j":
                    pane.scroll_down(animate=False)
                case "up" | "k":
                    pane.scroll_up(animate=False)
                case "enter":
                    self.go_back()
                case _:
                    return
            event.stop()

    def go_back(self) -> bool:
        if self._detailed and self.has_class("-detail"):
            self._detailed = None if self.app.size.width < ROOMY else False
            self.show_detail()
            self.focus_body()
            return True
        if self.grid.unmark():
            return True
        if self.grid.filtered:
            self.filter("")
            return True
        return False

    def see_logs(self, field: str, value: str) -> None:
        """Go to the log, to what it says of one thing."""
        self.tui.open("logs", f"{field}={quoted(value)}")

    # -- filter and export -------------------------------------------------------------------

    def filter(self, text: str) -> None:
        self.grid.filter(text)

    @property
    def filter_text(self) -> str:
        return self.grid.filtered

    def rows(self) -> Sequence[Mapping[str, Any]]:
        return self.grid.table()

    # -- the editor ---------------------------------------------------------------------------

    def run_editor(self, words: list[str]) -> bool:
        """Run the editor in place of the dashboard; say whether it left well."""
        command = [*editor(), *words]
        try:
            with self.app.suspend():
                code = subprocess.run(command, check=False).returncode  # noqa: S603 (the editor that the environment names)
        except SuspendNotSupported:
            self.notify("An editor cannot be opened from here", severity="error")
            return False
        except OSError as error:
            self.notify(f"{command[0]} cannot be run: {error.strerror}", severity="error")
            return False
        if code:
            self.notify(f"{command[0]} left with {code}: nothing is changed", severity="warning")
        return not code

    # -- acts --------------------------------------------------------------------------------

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        if action in self.ACTS and not self.tui.can_act:
            return False
        return super().check_action(action, parameters)

    def ask_to(
        self,
        dialog: Ask,
        deed: Callable[[Gateway, Answers], T],
        then: Callable[[T], str | None] | None = None,
    ) -> None:
        """Ask, do it in a thread, tell what became of it, and read again what is shown.

        Args:
            dialog: Asks, and shows the command that does the same.
            deed: Does it, given what was typed.
            then: Called with what `deed` returned; what it returns is told in a corner, None is told nothing of.
        """

        def done(result: T) -> str | None:
            self.grid.unmark()
            self.action_reload()
            return then(result) if then else "Done"

        self.act(dialog, deed, done)

    def chosen(self) -> list[R]:
        """Return the rows that a key is for; where there are none, that is said."""
        rows = self.grid.chosen
        if not rows:
            self.notify("There is nothing to do that to", severity="warning")
        return rows


class Lines(Widget):
    """Lines of a detail, wrapped to its width; what belongs to a label goes on behind it."""

    DEFAULT_CSS = "Lines { width: 1fr; height: auto; }"

    def __init__(self, label: int = LABEL, *, id: str | None = None) -> None:
        """Show nothing yet; a label has `label` cells, and a space after them."""
        super().__init__(id=id)
        self._label = label
        self._lines: list[Line] = []

    def show(self, lines: list[Line]) -> None:
        """Show these lines, if they are others than before."""
        if lines != self._lines:
            self._lines = lines
            self.refresh(layout=True)

    def render(self) -> Text:
        return Text("\n").join(self._wrapped(self.size.width))

    def get_content_height(self, container: Size, viewport: Size, width: int) -> int:
        return max(1, len(self._wrapped(width)))

    def _wrapped(self, width: int) -> list[Text]:
        found: list[Text] = []
        for line in self._lines:
            labelled = bool(line) and len(line[0][0]) == self._label + 1
            label = tones.text(self.app, line[:1]) if labelled else Text()
            rest = tones.text(self.app, line[1:] if labelled else line)
            rest.no_wrap = False
            for number, part in enumerate(rest.wrap(self.app.console, max(8, width - label.cell_len))):
                part.rstrip()
                found.append((Text(" " * label.cell_len) if number else label) + part)
        return found


def editor() -> list[str]:
    """Return the words of the editor's command: `$VISUAL`, `$EDITOR`, or vi."""
    return shlex.split(os.environ.get("VISUAL") or os.environ.get("EDITOR") or _VI) or [_VI]


def called(what: str, names: Sequence[str], *, most: int = 3) -> str:
    """Return how some things are called in a question: `channel a`, `channels a, b, c and 4 more`."""
    shown = ", ".join(names[:most])
    more = f" and {len(names) - most} more" if len(names) > most else ""
    return f"{what} {shown}" if len(names) == 1 else f"{what}s {shown}{more}"


def shell(*words: str) -> str:
    """Return a command as it is typed: `newapi channel test 'my channel'`."""
    return shlex.join(words)


def head(text: str) -> Line:
    """Return the head of a part of a detail."""
    return ((text, "header"),)


def said(label: str, *pieces: Piece | str) -> Line:
    """Return a line of a detail: what it says stands behind its label."""
    return ((f"{label:<{LABEL}} ", "dim"), *((p, "") if isinstance(p, str) else p for p in pieces))


def toml_of(kind: str, name: str, spec: Struct) -> str:
    """Return an object as the configuration writes it: `[channels.main]` and its keys; references, never secrets."""
    tables: dict[str, Any] = {kind: {name: spec}}
    whole = document(Config(**tables))
    return whole[whole.index(f"[{kind}") :]
