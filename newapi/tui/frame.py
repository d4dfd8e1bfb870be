"""The frame around every screen: the head with the live numbers, the tabs, the line of keys."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from textual.app import ComposeResult
from textual.containers import Horizontal
from textual.content import Content
from textual.widget import Widget
from textual.widgets import Input, Label

if TYPE_CHECKING:
    from newapi.tui.app import Tui

Piece = tuple[int, Content]
"""How much it matters (0 most), and what it says."""


class Line(Widget, can_focus=False):
    """One line, drawn again only when it says something else."""

    DEFAULT_CSS = """
    Line {
        height: 1; width: 1fr; text-wrap: nowrap; text-overflow: ellipsis;
        link-style: none; link-color: $text; link-background: transparent;
        link-style-hover: underline; link-color-hover: $text-accent; link-background-hover: transparent;
    }
    """
    ALLOW_SELECT = False

    def __init__(self, id: str | None = None) -> None:
        super().__init__(id=id)
        self._content = Content("")

    def render(self) -> Content:
        return self._content

    def say(self, content: Content) -> None:
        """Show `content`."""
        if not self._content.is_same(content):
            self._content = content
            self.refresh()


def fitting(pieces: Sequence[Piece], width: int, between: str) -> Content:
    """Return as many pieces as fit into `width` cells, in their order; those that matter least are left out first."""
    kept = list(pieces)
    gap = len(between)
    while kept and sum(piece.cell_length + gap for _, piece in kept) - gap > width:
        least = max(rank for rank, _ in kept)
        kept.remove(next(one for one in reversed(kept) if one[0] == least))
    return Content(between).join([piece for _, piece in kept])


class Head(Line):
    """The gateway in one line: which one, whether it is there, and what it does at the moment."""

    def show(self, tui: Tui) -> None:
        """Say what holds now."""
        self.say(fitting(list(_head(tui)), self.app.size.width - 2, "  "))


def _head(tui: Tui) -> Iterator[Piece]:
    model, glyphs = tui.model, tui.glyphs
    yield 0, Content.assemble(("newapi ", "bold"), _link(tui), " ", (tui.source_name, "bold"))
    if tui.problem:
        yield 1, Content.styled(tui.problem, "$text-error")
    if tui.is_paused:
        yield 1, Content.styled(f"{glyphs.pause} paused", "bold $text-warning")
    if model.version:
        yield 7, Content(f"v{model.version}")
    if model.system.generation:
        sync = model.system.sync
        yield 5, Content.assemble(f"generation {model.system.generation}", *_sync(sync))
    if model.is_known:
        yield 2, Content.assemble((f"{model.per_second:.1f}", "bold"), " req/s")
        bad = model.error_share >= 0.05
        yield (
            3,
            Content.assemble((f"{100 * model.error_share:.1f} %", "bold $text-error" if bad else "bold"), " errors"),
        )
        yield 4, Content.assemble((f"${model.usd_per_hour:.2f}", "bold"), "/h")
    if tui.read_only:
        yield 6, Content.styled("read-only", "$text-warning")


def _sync(sync: str) -> Iterator[tuple[str, str]]:
    if sync != "unknown":
        yield f" {sync}", "" if sync == "in sync" else "$text-warning"


def _link(tui: Tui) -> tuple[str, str]:
    match tui.link:
        case "live":
            return tui.glyphs.on, "$text-success"
        case "lost":
            return tui.glyphs.half, "bold $text-error"
        case _:
            return tui.glyphs.off, "$text-warning"


class Tabs(Line):
    """The screens and the keys that open them; a click opens one too."""

    def show(self, tui: Tui) -> None:
        """Say which are there, and mark the one in front."""
        front, room = tui.current_mode, self.app.size.width - 2
        for shorten, gap in ((None, "  "), (None, " "), (5, " "), (3, " ")):
            tabs = [_tab(tui, name, name == front, None if name == front else shorten) for name in tui.screen_names]
            line = Content(gap).join(tabs)
            if line.cell_length <= room:
                break
        self.say(line)


def _tab(tui: Tui, name: str, front: bool, shorten: int | None) -> Content:
    kind = tui.screen_kind(name)
    text = Content.assemble((kind.KEY, "$text-secondary"), " ", kind.TITLE[:shorten])
    if front:
        text = Content.styled(f"{kind.KEY} {kind.TITLE}", "bold reverse")
    return text.stylize(f"@click=app.open({name!r})", 0 if front else len(kind.KEY))  # a link has no colour of its own


class FilterBar(Horizontal):
    """The line in which a filter is typed; what is typed is in force at once."""

    def compose(self) -> ComposeResult:
        yield Label("/ ")
        yield Input(compact=True)
        yield Label("", classes="problem")

    @property
    def text(self) -> str:
        """What is typed."""
        return self.query_one(Input).value

    def begin(self, text: str) -> None:
        """Open the line with `text` in it."""
        self.add_class("-open")
        line = self.query_one(Input)
        line.value = text
        self.screen.set_focus(line)  # at once: the next key is for it

    def close(self) -> None:
        """Put the line away; the filter stays."""
        self.remove_class("-open")
        self.complain("")

    def complain(self, problem: str) -> None:
        """Say what is wrong with what is typed."""
        self.query_one(".problem", Label).update(Content(problem))


class Foot(Line):
    """The keys that do something here, as many as fit."""

    def on_mount(self) -> None:
        self.screen.bindings_updated_signal.subscribe(self, lambda _: self._keys())
        self._keys()

    def on_resize(self) -> None:
        self._keys()

    def _keys(self) -> None:
        seen: set[str] = set()
        pieces: list[Piece] = []
        for _, binding, enabled, _ in self.screen.active_bindings.values():
            if not binding.show or not enabled or binding.action in seen:
                continue
            seen.add(binding.action)
            key = self.app.get_key_display(binding)
            text = Content.assemble((key, "bold $text-secondary"), " ", binding.description)
            # Help is what leads to all the others: it stays.
            rank = 0 if binding.id == "app.help" else len(pieces) + 1
            pieces.append((rank, text.stylize(f"@click=app.simulate_key({binding.key!r})", len(key))))
        self.say(fitting(pieces, self.app.size.width - 2, "  "))
