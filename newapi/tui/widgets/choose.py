"""A small list to choose one of."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from rich.text import Text
from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.screen import ModalScreen
from textual.widgets import OptionList, Static
from textual.widgets.option_list import Option


class Choose(ModalScreen[str | None]):
    """Asks for one of a few things; is left with its name, or None."""

    DEFAULT_CSS = """
    Choose { align: center middle; }
    Choose > Vertical {
        width: auto; min-width: 30; max-width: 90%; height: auto; max-height: 90%;
        border: round $primary; background: $surface; padding: 0 1;
        &:ansi { background: ansi_default; }
    }
    Choose Static { width: auto; text-style: bold; margin-bottom: 1; }
    Choose OptionList {
        width: auto; min-width: 26; height: auto; max-height: 20; border: none; padding: 0; background: transparent;
        &:focus { border: none; }
    }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape,q", "leave", "back", id="choose.leave"),
        Binding("j", "next", show=False, id="choose.down"),
        Binding("k", "previous", show=False, id="choose.up"),
    ]

    def __init__(self, question: str, there: Sequence[tuple[str, str]], now: str = "") -> None:
        """Ask.

        Args:
            question: What to choose.
            there: Names, and what is said for each.
            now: The name of the one that holds now.
        """
        super().__init__()
        self._question, self._there, self._now = question, tuple(there), now

    def compose(self) -> ComposeResult:
        with Vertical():
            yield Static(Text(self._question))
            yield OptionList(*(Option(Text(title), name) for name, title in self._there))

    def on_mount(self) -> None:
        names = [name for name, _ in self._there]
        listed = self.query_one(OptionList)
        listed.highlighted = names.index(self._now) if self._now in names else 0
        listed.focus()

    @on(OptionList.OptionSelected)
    def _chosen(self, event: OptionList.OptionSelected) -> None:
        self.dismiss(event.option_id)

    def action_leave(self) -> None:
        self.dismiss(None)

    def action_next(self) -> None:
        self.query_one(OptionList).action_cursor_down()

    def action_previous(self) -> None:
        self.query_one(OptionList).action_cursor_up()
