"""The help: every key that does something here, with the id by which it is remapped."""

from __future__ import annotations

import inspect
from collections.abc import Iterator
from typing import TYPE_CHECKING, ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import VerticalScroll
from textual.content import Content
from textual.screen import ModalScreen
from textual.widgets import Static

if TYPE_CHECKING:
    from newapi.tui.screen import LiveScreen

_FILTERS = (
    ("openai", "somewhere in the row; !openai: nowhere in it"),
    ("model:gpt*", "in a field; model=gpt-5 for all of it, state:up,resting for one of these"),
    ("first>1.5s cost>=$0.01", "numbers, durations, dollars, shares; >5s any duration of the row"),
)


class Help(ModalScreen[None]):
    """Closed by any of the keys that open or leave things."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape,question_mark,q,enter", "dismiss", "close", id="help.close"),
    ]

    def __init__(self, about: LiveScreen) -> None:
        """Explain the screen `about`."""
        super().__init__()
        self._about = about

    def compose(self) -> ComposeResult:
        with VerticalScroll(classes="dialog wide") as box:
            box.border_title = f"{self._about.TITLE}: keys"
            yield Static(Content("\n").join(self._lines()))

    def _lines(self) -> Iterator[Content]:
        doc = (inspect.getdoc(type(self._about)) or "").partition("\n")[0]
        if doc:
            yield Content(doc)
            yield Content("")
        yield from self._keys()
        yield Content("")
        yield Content.styled("Filters", "bold")
        for text, meaning in _FILTERS:
            yield _row(text, meaning, "")
        yield Content("")
        yield Content.styled(
            'Keys are remapped in tui.toml beside the contexts: [keys], "app.quit" = "q,ctrl+c"', "dim"
        )

    def _keys(self) -> Iterator[Content]:
        seen: set[str] = set()
        for _, binding, _, _ in sorted(
            self._about.active_bindings.values(), key=lambda active: active.node is self.app
        ):
            what = binding.description
            if not binding.id or not what or binding.id in seen:
                continue
            seen.add(binding.id)
            keys = [b.key for _, b, _, _ in self._about.active_bindings.values() if b.id == binding.id]
            shown = " ".join(self.app.get_key_display(binding.with_key(key)) for key in keys)
            yield _row(shown, what, binding.id)


def _row(left: str, middle: str, right: str) -> Content:
    gap = " " * max(1, 26 - len(middle)) if right else ""
    return Content.assemble((f"{left:<24}", "$text-secondary"), middle, gap, (right, "dim"))
