"""The keys of a channel: where each is, whether it is used, and what can be done with it."""

from __future__ import annotations

from typing import ClassVar, Literal

from msgspec import Struct
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.screen import ModalScreen
from textual.widgets import Static

from newapi.ops.channels import ChannelView
from newapi.tui.widgets import tones
from newapi.tui.widgets.grid import Column, Grid
from newapi.tui.widgets.tones import Piece


class KeyAct(Struct, frozen=True):
    """What to do with the key at a position."""

    kind: Literal["test", "enable", "disable"]
    position: int


class _Key(Struct, frozen=True):
    position: int
    reference: str
    state: str
    reason: str


class KeysDialog(ModalScreen[KeyAct | None]):
    """Lists the keys of a channel; is left with what to do, or None. References are shown, never keys."""

    DEFAULT_CSS = """
    KeysDialog { align: center middle; }
    KeysDialog > Vertical {
        width: 76; max-width: 96%; height: auto; max-height: 90%;
        border: round $primary; border-title-style: bold; padding: 0 1; background: $surface;
        &:ansi { background: ansi_default; }
    }
    KeysDialog Grid { height: auto; min-height: 4; max-height: 16; background: $surface; }
    KeysDialog Grid:ansi { background: ansi_default; }
    KeysDialog .keys { height: 1; margin-top: 1; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape,q", "leave", "back", id="keys.leave"),
        Binding("t,enter", "do('test')", "test", id="keys.test"),
        Binding("d", "do('disable')", "disable", id="keys.disable"),
        Binding("u", "do('enable')", "enable", id="keys.enable"),
    ]

    def __init__(self, view: ChannelView, *, can_act: bool = True) -> None:
        """List the keys of `view`; with `can_act` false nothing can be done with them."""
        super().__init__()
        self._view, self._can_act = view, can_act

    def compose(self) -> ComposeResult:
        columns = (
            Column[_Key]("position", "#", lambda k: k.position, kind="number", width=3, right=True),
            Column[_Key]("state", "state", lambda k: k.state, _state, width=8),
            Column[_Key]("reference", "where it is", lambda k: k.reference, least=16, most=40),
            Column[_Key]("reason", "why", lambda k: k.reason, least=10, most=60, priority=1),
        )
        with Vertical() as box:
            box.border_title = f"Keys of {self._view.name}"
            yield Grid(columns, lambda k: k.position, empty="It has no key.", id="keys")
            said = [((" t ", "header"), ("test", "")), ((" d ", "header"), ("disable", ""))]
            said += [((" u ", "header"), ("enable", "")), ((" esc ", "header"), ("back", ""))]
            shown = said if self._can_act else said[-1:]
            yield Static(tones.text(self.app, (p for line in shown for p in (*line, ("  ", "")))), classes="keys")

    def on_mount(self) -> None:
        states = self._view.key_states
        grid = self.query_one(Grid)
        grid.put(
            _Key(
                position,
                reference,
                states[position].state if position in states else "used",
                states[position].reason if position in states else "",
            )
            for position, reference in enumerate(self._view.references)
        )
        grid.focus()

    def on_grid_opened(self, event: Grid.Opened) -> None:
        event.stop()
        self.action_do("test")

    def action_do(self, kind: Literal["test", "enable", "disable"]) -> None:
        row: _Key | None = self.query_one(Grid).current
        if row is not None and self._can_act:
            self.dismiss(KeyAct(kind, row.position))

    def action_leave(self) -> None:
        self.dismiss(None)


def _state(key: _Key, _: int) -> Piece:
    return key.state, {"used": "good", "tripped": "bad"}.get(key.state, "dim")
