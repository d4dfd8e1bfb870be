"""The overview: how the gateway is doing, in one picture."""

from __future__ import annotations

from textual.app import ComposeResult
from textual.widgets import Static

from newapi.tui.model import Model
from newapi.tui.screen import LiveScreen


class OverviewScreen(LiveScreen):
    """How the gateway is doing: what comes in, what it costs, what is wrong."""

    TITLE = "Overview"
    KEY = "1"
    RANGES = True

    def body(self) -> ComposeResult:
        yield Static(id="numbers")

    def show(self, model: Model) -> None:
        self.query_one("#numbers", Static).update(f"{model.per_second:.1f} requests a second")
