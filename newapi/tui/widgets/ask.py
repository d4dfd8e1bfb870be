"""Dialogs: what is about to happen, with the command that does the same; and what happened."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, ClassVar, TypeAlias

from msgspec import Struct
from rich.style import Style
from rich.text import Text
from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical, VerticalScroll
from textual.screen import ModalScreen
from textual.widgets import Input, Label, Static

from newapi.tui.widgets import qr, tones
from newapi.tui.widgets.tones import Line

Answers: TypeAlias = Mapping[str, str]
"""What was typed, by the names of the fields, without spaces around it."""
Said: TypeAlias = "str | Line"

_CSS = """
{0} {{ align: center middle; }}
{0} > VerticalScroll {{
    width: auto; min-width: 44; max-width: 96%; height: auto; max-height: 96%;
    border: round $primary; border-title-style: bold; padding: 0 1; background: $surface;
    &:ansi {{ background: ansi_default; }}
    &.danger {{ border: round $error; border-title-color: $error; }}
}}
{0} Static {{ width: auto; max-width: 100%; height: auto; }}
{0} .command {{ margin-top: 1; }}
{0} .keys {{ margin-top: 1; }}
"""


class Field(Struct, frozen=True):
    """Something to be typed.

    Attributes:
        name: What the answer is called.
        label: What stands before it.
        value: What is in it at first.
        hint: What is said where it is empty.
        check: Raises ValueError, in words for people, for what it may not be.
        secret: Whether what is typed is hidden.
    """

    name: str
    label: str
    value: str = ""
    hint: str = ""
    check: Callable[[str], object] | None = None
    secret: bool = False


class Ask(ModalScreen["dict[str, str] | None"]):
    """Asks before something is done; is left with what was typed (an empty dict where nothing is to be), or None."""

    DEFAULT_CSS = (
        _CSS.format("Ask")
        + """
    Ask .field { height: auto; width: 100%; min-width: 46; margin-top: 1; }
    Ask Label { width: auto; }
    Ask.-low.-form .field { layout: horizontal; height: 1; margin-top: 0; }
    Ask.-low.-form Label { width: 20; }
    Ask.-low.-form Input { width: 1fr; min-width: 30; }
    Ask.-low.-form .field.first { margin-top: 1; }
    Ask Input { width: 100%; min-width: 40; border: tall $border-blurred; &:focus { border: tall $border; } }
    Ask.-low Input {
        border: none; border-left: thick $border-blurred; height: 1; padding: 0 1;
        &:focus { border: none; border-left: thick $border; }
    }
    Ask .wrong { color: $text-error; display: none; }
    Ask .wrong.told { display: block; }
    """
    )
    VERTICAL_BREAKPOINTS = [(0, "-low"), (30, "-tall")]  # noqa: RUF012

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "no", "no", id="ask.no"),
        Binding("ctrl+s", "yes", "do it", id="ask.send"),
        Binding("y,enter", "plain_yes", "do it", id="ask.yes"),
        Binding("n,q", "plain_no", "no", id="ask.plain-no"),
    ]

    def __init__(
        self,
        question: str,
        command: str | Callable[[Answers], str] = "",
        *,
        what: Sequence[Said] = (),
        fields: Sequence[Field] = (),
        typed: str = "",
        yes: str = "yes",
        danger: bool = False,
    ) -> None:
        """Ask.

        Args:
            question: What is about to happen: `Disable channel openai-main?`
            command: What does the same in a shell; with fields, given what is typed.
            what: What will happen, line by line.
            fields: What is to be typed.
            typed: What has to be typed before it is done, for what cannot be undone.
            yes: What the key that does it is called.
            danger: Whether it is drawn as something to be careful with.
        """
        super().__init__()
        self._question, self._command, self._what, self._yes = question, command, tuple(what), yes
        self._typed, self._danger = typed, danger or bool(typed)
        confirm = Field(_TYPED, f"Type {typed} to go on", hint=typed, check=self._confirmed)
        self._fields = (*fields, confirm) if typed else tuple(fields)

    def compose(self) -> ComposeResult:
        with VerticalScroll(classes="danger" if self._danger else "", can_focus=False) as box:
            box.border_title = self._question
            for line in self._what:
                yield Static(_text(self, line))
            for field in self._fields:
                with Vertical(classes="field"):
                    yield Label(Text(field.label))
                    yield Input(field.value, placeholder=field.hint, password=field.secret, id=f"ask-{field.name}")
                yield Static("", id=f"wrong-{field.name}", classes="wrong")
            yield Static(id="ask-command", classes="command")
            yield Static(self._keys(), classes="keys")

    def on_mount(self) -> None:
        self._say()
        self.set_class(len(self._fields) > 1, "-form")
        if self._fields:
            self.query(".field").first().add_class("first")
            self.query(Input).first().focus()

    # -- what is said ------------------------------------------------------------------------

    @property
    def answers(self) -> dict[str, str]:
        """What is typed at the moment."""
        return {f.name: self.query_one(f"#ask-{f.name}", Input).value.strip() for f in self._fields if f.name != _TYPED}

    def _say(self) -> None:
        command = self._command if isinstance(self._command, str) else self._command(self.answers)
        shown = self.query_one("#ask-command", Static)
        shown.display = bool(command)
        line = tones.text(self.app, (("$ ", "dim"), (command, "accent")))
        line.no_wrap = False
        shown.update(line)

    def _keys(self) -> Text:
        yes, no = ("enter", "esc") if self._fields else ("y", "n")
        said = [((f" {yes} ", "header"), (self._yes, "")), ((f" {no} ", "header"), ("no", ""))]
        if len(self._fields) > 1:
            said.insert(1, ((" tab ", "header"), ("next", "")))
        return Text("  ").join(tones.text(self.app, line) for line in said)

    # -- what is typed -----------------------------------------------------------------------

    @on(Input.Changed)
    def _changed(self, event: Input.Changed) -> None:
        event.stop()
        self.query_one(f"#wrong-{(event.input.id or '').removeprefix('ask-')}", Static).remove_class("told")
        self._say()

    @on(Input.Submitted)
    def _submitted(self, event: Input.Submitted) -> None:
        event.stop()
        self.action_yes()

    def _wrong(self) -> bool:
        """Tell what is wrong with what was typed; say whether anything is."""
        first: Input | None = None
        for field in self._fields:
            box, told = self.query_one(f"#ask-{field.name}", Input), self.query_one(f"#wrong-{field.name}", Static)
            try:
                if field.check is not None:
                    field.check(box.value.strip())
            except ValueError as error:
                told.update(Text(str(error)))
                told.add_class("told")
                first = first or box
            else:
                told.remove_class("told")
        if first is not None:
            first.focus()
        return first is not None

    def _confirmed(self, said: str) -> None:
        if said != self._typed:
            raise ValueError(f"This is not {self._typed}")

    def action_yes(self) -> None:
        if not self._wrong():
            self.dismiss(self.answers)

    def action_no(self) -> None:
        self.dismiss(None)

    def action_plain_yes(self) -> None:
        if not self._fields:
            self.action_yes()

    def action_plain_no(self) -> None:
        if not self._fields:
            self.action_no()


_TYPED = "typed"


class Tell(ModalScreen[None]):
    """Says what happened, and holds what may be copied: `c` copies it, `r` shows it as a QR code."""

    DEFAULT_CSS = (
        _CSS.format("Tell")
        + """
    Tell #tell-lines { width: auto; height: auto; max-width: 100%; }
    Tell #tell-qr { display: none; }
    Tell #tell-qr.shown { display: block; }
    """
    )

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape,enter,q", "leave", "back", id="tell.leave"),
        Binding("c,y", "copy", "copy", id="tell.copy"),
        Binding("r", "qr", "QR code", id="tell.qr"),
        Binding("down,j", "roll(1)", show=False, id="tell.down"),
        Binding("up,k", "roll(-1)", show=False, id="tell.up"),
        Binding("pagedown", "roll(10)", show=False, id="tell.page-down"),
        Binding("pageup", "roll(-10)", show=False, id="tell.page-up"),
    ]

    def __init__(
        self, title: str, what: Sequence[Said] = (), *, copy: str = "", code: bool = False, danger: bool = False
    ) -> None:
        """Say something.

        Args:
            title: In a few words.
            what: Line by line.
            copy: What `c` puts into the terminal's clipboard; "" for nothing.
            code: Whether `r` shows that as a QR code.
            danger: Whether it is drawn as something that went wrong.
        """
        super().__init__()
        self._title, self._what, self._copy, self._code, self._danger = title, tuple(what), copy, code, danger

    def compose(self) -> ComposeResult:
        with VerticalScroll(classes="danger" if self._danger else "", can_focus=False) as box:
            box.border_title = self._title
            with Vertical(id="tell-lines"):
                for line in self._what:
                    yield Static(_text(self, line))
            if self._code:
                # Black and white whatever the theme: a reader wants it so.
                white = Style(color="#ffffff", bgcolor="#000000")
                yield Static(Text("\n").join(Text(x, white) for x in qr.half_blocks(self._copy)), id="tell-qr")
            yield Static(self._keys(), classes="keys")

    def _keys(self) -> Text:
        said = [((" esc ", "header"), ("back", ""))]
        if self._copy:
            said.insert(0, ((" c ", "header"), ("copy", "")))
        if self._code:
            said.insert(1, ((" r ", "header"), ("QR code", "")))
        return Text("  ").join(tones.text(self.app, line) for line in said)

    def action_leave(self) -> None:
        self.dismiss(None)

    def action_copy(self) -> None:
        if self._copy:
            self.app.copy_to_clipboard(self._copy)
            self.notify("Copied, if the terminal lets programs do that (OSC 52).")

    def action_qr(self) -> None:
        if self._code:
            # Beside a code there is no room for words on a small screen: the one takes the place of the other.
            shown = self.query_one("#tell-qr").toggle_class("shown").has_class("shown")
            self.query_one("#tell-lines").display = not shown

    def action_roll(self, by: int) -> None:
        self.query_one(VerticalScroll).scroll_relative(y=by, animate=False)


def _text(screen: ModalScreen[Any], line: Said) -> Text:
    if isinstance(line, str):
        return Text(line)
    made = tones.text(screen.app, line)
    made.no_wrap = False
    return made
