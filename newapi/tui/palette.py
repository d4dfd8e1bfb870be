"""The line of commands: `:logs model=gpt*`, `:theme nord`, `:context prod`."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, ClassVar, cast

from msgspec import Struct
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.content import Content
from textual.fuzzy import Matcher
from textual.screen import ModalScreen
from textual.widgets import Input, OptionList
from textual.widgets.option_list import Option

from newapi.base.errors import NewapiError
from newapi.ops import contexts
from newapi.tui.model import RANGES

if TYPE_CHECKING:
    from newapi.tui.app import Tui

_SHOWN = 10


class Command(Struct, frozen=True):
    """Something that can be typed.

    Attributes:
        name: The first word.
        does: In few words.
        run: Does it, with what followed the name.
        values: What may follow; () where anything may, or nothing.
        wants: What follows, for the list: `FILTER`.
    """

    name: str
    does: str
    run: Callable[[str], None]
    values: tuple[str, ...] = ()
    wants: str = ""


def commands(tui: Tui) -> list[Command]:
    """Return what can be typed now."""
    opened = [
        Command(name, f"the screen {tui.screen_kind(name).TITLE}", _opens(tui, name), wants="[FILTER]")
        for name in tui.screen_names
    ]
    return [
        *opened,
        Command("theme", "other colours", tui.set_theme, tuple(sorted(tui.available_themes)), "NAME"),
        Command("context", "another gateway", tui.follow, _contexts(), "NAME"),
        Command("range", "the time that plots are about", tui.set_range, RANGES, "TIME"),
        Command("filter", "show only some rows", tui.front.put_filter, wants="FILTER"),
        Command("pause", "stand still, or go on", lambda _: tui.action_pause()),
        Command("copy", "what is under the cursor, as TOML", lambda _: tui.action_copy()),
        Command("export", "what is shown, as CSV", lambda _: tui.action_export()),
        Command("screenshot", "the screen as SVG", lambda _: tui.action_screenshot()),
        Command("help", "all keys", lambda _: tui.action_help()),
        Command("quit", "leave", lambda _: tui.exit()),
    ]


def _opens(tui: Tui, name: str) -> Callable[[str], None]:
    return lambda argument: tui.open(name, argument)


def _contexts() -> tuple[str, ...]:
    try:
        return (contexts.LOCAL, *contexts.read().contexts)
    except NewapiError:  # a file that cannot be read is told when a context is opened
        return (contexts.LOCAL,)


def suggestions(typed: str, known: list[Command]) -> Iterator[tuple[str, str]]:
    """Yield what `typed` may become, the likeliest first: the line, and what it does."""
    name, space, argument = typed.lstrip(": ").partition(" ")
    if space:
        command = find(name, known)
        if command is None:
            return
        if command.values:
            yield from ((f"{command.name} {value}", command.does) for value in _near(argument.strip(), command.values))
        else:
            yield f"{command.name} {argument}".strip(), f"{command.does} {command.wants}".strip()
        return
    by_name = {command.name: command for command in known}
    for found in _near(name, tuple(by_name)):
        command = by_name[found]
        yield found, f"{command.does}{f'  {command.wants}' if command.wants else ''}"


def find(name: str, known: list[Command]) -> Command | None:
    """Return the command of that name, or the first that begins so."""
    return next(
        (c for c in known if c.name == name), next((c for c in known if name and c.name.startswith(name)), None)
    )


def _near(text: str, values: tuple[str, ...]) -> list[str]:
    if not text:
        return list(values)
    matcher = Matcher(text)
    scored = [(value.startswith(text), matcher.match(value), value) for value in values]
    return [value for _, score, value in sorted(scored, key=lambda s: (-s[0], -s[1])) if score > 0]


class Palette(ModalScreen[None]):
    """Takes a line, and does it."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "dismiss", "leave", id="palette.leave"),
        Binding("down", "move(1)", "next", show=False, priority=True, id="palette.down"),
        Binding("up", "move(-1)", "previous", show=False, priority=True, id="palette.up"),
        Binding("tab", "complete", "complete", show=False, priority=True, id="palette.complete"),
    ]

    def compose(self) -> ComposeResult:
        with Vertical(id="palette", classes="dialog"):
            yield Input(placeholder="logs model=gpt*   theme nord   context prod", compact=True)
            yield OptionList(compact=True)

    def on_mount(self) -> None:
        self._commands = commands(cast("Tui", self.app))
        self.query_one(OptionList).can_focus = False
        self._suggest("")

    def on_input_changed(self, event: Input.Changed) -> None:
        self._suggest(event.value)

    def _suggest(self, typed: str) -> None:
        options = self.query_one(OptionList)
        options.clear_options()
        found = list(suggestions(typed, self._commands))
        width = max((len(line) for line, _ in found), default=0) + 2
        options.add_options(
            Option(Content.assemble((f"{line:<{width}}", "bold"), (does, "dim")), id=line) for line, does in found
        )
        options.highlighted = 0 if found else None

    def _chosen(self) -> str:
        options = self.query_one(OptionList)
        if options.highlighted is None:
            return ""
        return options.get_option_at_index(options.highlighted).id or ""

    def action_move(self, by: int) -> None:
        options = self.query_one(OptionList)
        (options.action_cursor_down if by > 0 else options.action_cursor_up)()

    def action_complete(self) -> None:
        if chosen := self._chosen():
            line = self.query_one(Input)
            line.value = f"{chosen} "
            line.action_end()

    def on_input_submitted(self, event: Input.Submitted) -> None:
        self._run(self._chosen() or event.value)

    def on_option_list_option_selected(self, event: OptionList.OptionSelected) -> None:
        self._run(event.option.id or "")

    def _run(self, line: str) -> None:
        name, _, argument = line.strip().lstrip(":").partition(" ")
        command = find(name, self._commands)
        if command is None:
            self.notify(f"There is no command {name!r}", severity="warning")
            return
        argument = argument.strip()
        if command.values and argument not in command.values:
            if not argument:  # it was chosen from the list: what follows is still to be said
                self.query_one(Input).value = f"{command.name} "
                self.query_one(Input).action_end()
                return
            self.notify(f"{command.name} is one of: {', '.join(command.values)}", severity="warning")
            return
        self.dismiss()
        command.run(argument)
