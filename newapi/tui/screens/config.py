"""The configuration: the applies and what each changed, how far the database is from its file; applied, rolled back."""

from __future__ import annotations

from collections.abc import Hashable, Iterator, Sequence
from typing import ClassVar

from msgspec import Struct
from textual.binding import Binding, BindingType

from newapi.base.errors import NewapiError
from newapi.config.load import load
from newapi.ops.apply import Applied
from newapi.ops.gateway import Gateway, Wanted
from newapi.ops.history import Generation
from newapi.ops.plan import Change, Plan
from newapi.ops.plan_text import lines, total
from newapi.tui.screen import failure
from newapi.tui.screens._grid import GridScreen, head, said, shell
from newapi.tui.widgets import words
from newapi.tui.widgets.ask import Ask, Tell
from newapi.tui.widgets.grid import Column
from newapi.tui.widgets.tones import Line, Piece

_TONES = {"+": "good", "~": "warn", "-": "bad"}
_LONGEST = 400
"""Lines of a plan that are shown; what is longer is for `newapi diff`."""


class Read(Struct, frozen=True):
    """What the screen reads at once: the applies, and what another one of the file would change.

    Attributes:
        plan: None where this machine does not have the file, or it cannot be applied.
        problem: Why it cannot.
    """

    generations: list[Generation]
    plan: Plan | None = None
    problem: str = ""


class ConfigScreen(GridScreen[Generation]):
    """The applies, the latest first, and whether the database still is what the file says."""

    TITLE = "Config"
    KEY = "9"
    EMPTY = "Nothing was applied yet: `A` applies the file."
    NOUN = "generations"
    ACTS = frozenset(("apply", "rollback"))

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("D", "diff", "diff", id="config.diff"),
        Binding("A", "apply", "apply", id="config.apply"),
        Binding("Z", "rollback", "roll back", id="config.rollback"),
        Binding("e", "edit", "edit the file", id="config.edit"),
    ]

    def __init__(self) -> None:
        super().__init__()
        self._plan: Plan | None = None
        self._unapplied = ""
        self._changes: dict[int, list[Change]] = {}
        self._wanted: int | None = None

    # -- what is shown -----------------------------------------------------------------------

    def columns(self) -> Sequence[Column[Generation]]:
        def changed(name: str, title: str, tone: str) -> Column[Generation]:
            def cell(g: Generation, _: int) -> Piece:
                number = getattr(g, name)
                return str(number), tone if number else "dim"

            return Column(name, title, lambda g: getattr(g, name), cell, kind="number", width=5, priority=1, right=True)

        return (
            Column(
                "number", "gen.", lambda g: g.number, self._number, kind="number", width=7, right=True, descending=True
            ),
            Column(
                "age",
                "applied",
                lambda g: self.model.now - g.created_at,
                lambda g, _: words.date(g.created_at, zone=""),
                kind="seconds",
                width=17,
            ),
            Column("who", "by", lambda g: g.who, least=8, most=20, priority=2),
            changed("created", "+", "good"),
            changed("updated", "~", "warn"),
            changed("deleted", "-", "bad"),
            Column("source", "source", lambda g: g.source, least=12, most=70, priority=3),
        )

    def _number(self, generation: Generation, _: int) -> Line:
        sign = self.tui.glyphs.on if generation.current else " "
        return ((f"{sign} ", "good"), (str(generation.number), "bold" if generation.current else ""))

    def key(self, row: Generation) -> Hashable:
        return row.number

    def called(self, row: Generation) -> str:
        return f"generation {row.number}"

    def read(self, gateway: Gateway) -> Read:
        generations = gateway.history()
        path = self.tui.source.config if self.tui.source else None
        if path is None:
            return Read(generations)
        try:
            return Read(generations, gateway.plan(Wanted.of(load(path))))
        except NewapiError as error:
            return Read(generations, None, failure(error))

    def took(self, answer: Read) -> None:
        self._plan, self._unapplied = answer.plan, answer.problem
        self.grid.put(answer.generations)

    def forget(self) -> None:
        self._plan, self._unapplied = None, ""
        self._changes.clear()
        super().forget()

    def counted(self) -> Iterator[Piece]:
        system = self.model.system
        if self._unapplied:
            yield f"the file cannot be applied: {self._unapplied.splitlines()[0]}", "bad"
        elif self._plan is not None:
            count = len(self._plan.changes)
            yield (f"drifted: {total(self._plan)}", "warn") if count else ("in sync with the file", "good")
        elif system.sync in ("in sync", "drifted"):
            tone = "good" if system.sync == "in sync" else "warn"
            yield f"{system.sync}{f': {system.differences} differences' if system.differences else ''}", tone

    def detail(self, row: Generation) -> Iterator[Line]:
        age = self.model.now - row.created_at
        yield said("applied", f"{words.date(row.created_at, zone='')}, {words.ago(age)} ago")
        yield said("by", row.who)
        yield said("source", row.source or words.NONE)
        if row.current:
            yield said("", ("this one is in force", "good"))
        yield ()
        yield head("what it changed")
        found = self._changes.get(row.number)
        if found is None:
            yield (("…", "dim"),)
            self._ask_changes(row.number)
            return
        yield from _shown(found)
        if not found:
            yield (("nothing", "dim"),)

    def _ask_changes(self, number: int) -> None:
        if self._wanted == number:
            return
        self._wanted = number

        def took(changes: list[Change]) -> None:
            self._changes[number] = changes
            self._wanted = None
            self.show_detail()

        self.ask(lambda gateway: gateway.changes_of(number), took)

    # -- acts --------------------------------------------------------------------------------

    def action_diff(self) -> None:
        """Show what an apply of the file would change."""
        if self._unapplied:
            self.app.push_screen(Tell("The file cannot be applied", self._unapplied.splitlines(), danger=True))
        elif self._plan is None:
            self._no_file()
        elif not self._plan.changes:
            self.notify("No differences: the database is what the file says")
        else:
            self.app.push_screen(Tell(f"newapi diff: {total(self._plan)}", list(_shown(self._plan.changes))))

    def _no_file(self) -> None:
        self.notify("The configuration's file is not on this machine: newapi apply, where it is", severity="warning")

    def action_apply(self) -> None:
        path = self.tui.source.config if self.tui.source else None
        if path is None:
            self._no_file()
            return

        def plan(gateway: Gateway) -> tuple[Wanted, Plan]:
            wanted = Wanted.of(load(path))
            return wanted, gateway.plan(wanted)

        def planned(found: tuple[Wanted, Plan]) -> None:
            wanted, made = found
            if not made.changes and not made.adopted:
                self.notify("Nothing to do: the database is what the file says")
                return
            deleted = made.count("delete")
            self.ask_to(
                Ask(
                    f"Apply {path.name}: {total(made)}?",
                    shell("newapi", "apply", str(path)),
                    what=[*_shown(made.changes)],
                    typed="apply" if deleted else "",
                    yes="apply",
                ),
                lambda gateway, _: gateway.apply(wanted, source=str(path), base=made.base),
                self._applied,
            )

        self.ask(plan, planned)

    def action_rollback(self) -> None:
        generation = self.grid.current
        if generation is None:
            return
        if generation.current:
            self.notify("This one is in force already: choose an earlier one", severity="warning")
            return
        number = generation.number

        def planned(found: tuple[int, Plan]) -> None:
            _, made = found
            if not made.changes:
                self.notify(f"The database is what generation {number} made it")
                return
            self.ask_to(
                Ask(
                    f"Roll back to generation {number}: {total(made)}?",
                    shell("newapi", "rollback", str(number)),
                    what=[*_shown(made.changes)],
                    typed=str(number),
                    yes="roll back",
                ),
                lambda gateway, _: gateway.rollback(number, base=made.base),
                self._applied,
            )

        self.ask(lambda gateway: gateway.rollback_plan(number), planned)

    def _applied(self, done: Applied) -> str | None:
        if not done.new_tokens:
            return f"Applied: generation {done.generation}"
        what: list[Line] = [(("Keys of new tokens, which are not shown again:", ""),), ()]
        what += [((f"{token.name}  ", "bold"), (token.key.reveal(), "accent")) for token in done.new_tokens]
        copy = "\n".join(token.key.reveal() for token in done.new_tokens)
        self.app.push_screen(Tell(f"Applied: generation {done.generation}", what, copy=copy))
        return None

    def action_edit(self) -> None:
        path = self.tui.source.config if self.tui.source else None
        if path is None:
            self._no_file()
        elif self.run_editor([str(path)]):
            self.action_reload()


def _shown(changes: Sequence[Change]) -> Iterator[Line]:
    """Yield the lines of a plan in its colours."""
    for number, (sign, text) in enumerate(lines(changes)):
        if number == _LONGEST:
            yield (("… and more: newapi diff shows all of it", "dim"),)
            return
        yield ((text, _TONES.get(sign, "")),)
