"""The users: what they have and spend; topped up, enabled, disabled, given another role."""

from __future__ import annotations

from collections.abc import Hashable, Iterator, Sequence
from typing import ClassVar, cast

import msgspec
from textual.binding import Binding, BindingType

from newapi.base.units import QUOTA_PER_USD
from newapi.ops.board import BoardUser
from newapi.ops.gateway import Gateway
from newapi.ops.operations.board import BoardUsers
from newapi.ops.operations.users import ChangeUser, TopUp
from newapi.ops.toml import key, value_of
from newapi.ops.users import Changes, Role, quota_of
from newapi.tui.screens import _typed as typed
from newapi.tui.screens._grid import GridScreen, called, head, said, shell
from newapi.tui.widgets import words
from newapi.tui.widgets.ask import Answers, Ask, Field
from newapi.tui.widgets.choose import Choose
from newapi.tui.widgets.grid import Column
from newapi.tui.widgets.tones import Line, Piece

_ROLES: tuple[tuple[Role, str], ...] = (
    ("user", "user: calls models with tokens"),
    ("admin", "admin: manages users, channels and codes"),
)
_RANK = {"root": 0, "admin": 1, "user": 2}


class UsersScreen(GridScreen[BoardUser]):
    """Every user: the role, what is left and spent, when last seen."""

    TITLE = "Users"
    KEY = "4"
    ORDER = "name"
    EMPTY = "No user yet: newapi user create."
    ACTS = frozenset(("topup", "enable", "disable", "role", "group"))

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("dollar_sign", "topup", "top up", id="users.topup"),
        Binding("u", "enable", "enable", id="users.enable"),
        Binding("d", "disable", "disable", id="users.disable"),
        Binding("R", "role", "role", id="users.role"),
        Binding("o", "group", "group", id="users.group", show=False),
        Binding("l", "logs", "log", id="users.logs", show=False),
    ]

    # -- what is shown -----------------------------------------------------------------------

    def columns(self) -> Sequence[Column[BoardUser]]:
        return (
            Column("name", "name", lambda u: u.view.name, least=10, most=28),
            Column("state", "state", lambda u: u.view.state, self._state_cell, width=11, priority=1),
            Column(
                "role", "role", lambda u: u.view.role, _role, width=6, priority=1, order=lambda u: _RANK[u.view.role]
            ),
            Column("group", "group", lambda u: u.view.group, least=7, most=16, priority=2),
            Column(
                "balance",
                "balance",
                lambda u: None if u.view.unlimited else u.view.quota / QUOTA_PER_USD,
                self._balance,
                kind="usd",
                width=9,
                right=True,
                descending=True,
            ),
            Column(
                "spend",
                "spent",
                lambda u: u.view.used / QUOTA_PER_USD,
                lambda u, _: (words.cost(u.view.used), "" if u.view.used else "dim"),
                kind="usd",
                width=9,
                priority=1,
                right=True,
                descending=True,
            ),
            Column(
                "requests",
                "requests",
                lambda u: u.view.requests,
                lambda u, _: (words.compact(u.view.requests), "" if u.view.requests else "dim"),
                kind="number",
                width=8,
                priority=4,
                right=True,
                descending=True,
            ),
            Column(
                "tokens",
                "tokens",
                lambda u: u.tokens,
                lambda u, _: (str(u.tokens), "" if u.tokens else "dim"),
                kind="number",
                width=6,
                priority=3,
                right=True,
                descending=True,
            ),
            Column(
                "seen",
                "last seen",
                lambda u: self.model.now - _seen(u) if _seen(u) else None,
                lambda u, _: (words.ago(self.model.now - _seen(u)), "") if _seen(u) else ("never", "dim"),
                kind="seconds",
                width=9,
                priority=3,
                right=True,
            ),
            Column("email", "email", lambda u: u.view.email, least=12, most=36, priority=6),
            Column("remark", "remark", lambda u: u.view.remark, least=10, most=50, priority=7),
        )

    def key(self, row: BoardUser) -> Hashable:
        return row.view.id

    def called(self, row: BoardUser) -> str:
        return row.view.name

    def read(self, gateway: Gateway) -> list[BoardUser]:
        return gateway.do(BoardUsers())

    def counted(self) -> Iterator[Piece]:
        there = self.grid.all
        if number := sum(user.view.state == "disabled" for user in there):
            yield f"{number} disabled", "dim"
        if number := sum(_is_empty(user) for user in there):
            yield f"{number} with nothing left", "warn"

    def _state_cell(self, user: BoardUser, _: int) -> Piece:
        glyphs = self.tui.glyphs
        return (f"{glyphs.on} up", "good") if user.view.state == "enabled" else (f"{glyphs.off} disabled", "dim")

    def _balance(self, user: BoardUser, _: int) -> Piece:
        if user.view.unlimited:
            return "any" if self.tui.glyphs.ascii else "∞", "dim"
        return words.cost(user.view.quota), "bad" if _is_empty(user) else ""

    def detail(self, row: BoardUser) -> Iterator[Line]:
        view = row.view
        yield said("state", self._state_cell(row, 0))
        yield said("role", _role(row, 0))
        yield said("group", view.group)
        yield said("shown as", view.display_name or words.NONE)
        yield said("email", view.email or words.NONE)
        yield said("made", words.date(view.created_at))
        yield said("signed in", words.date(view.last_login_at))
        yield said("token used", words.date(row.seen_at))
        yield said("password", "has one" if view.has_password else "none: cannot sign in with one")
        if view.remark:
            yield said("remark", view.remark)
        yield ()
        yield head("money")
        yield said("balance", self._balance(row, 0))
        yield said("spent", words.cost(view.used))
        yield said("requests", words.compact(view.requests))
        yield said("tokens", str(row.tokens))
        yield ()
        yield head("invitations")
        yield said("code", view.aff_code or words.NONE)
        yield said("invited", str(view.aff_count))
        yield said("reward", f"{words.cost(view.aff_quota)} left")

    # -- acts --------------------------------------------------------------------------------

    def action_topup(self) -> None:
        users = self.chosen()
        if not users:
            return
        names = [user.view.name for user in users]

        def add(gateway: Gateway, answers: Answers) -> int:
            quota = quota_of(typed.dollars(answers["amount"].removeprefix("-")))
            for name in names:
                gateway.do(TopUp(name, quota, "subtract" if answers["amount"].startswith("-") else "add"))
            return len(names)

        def command(answers: Answers) -> str:
            amount = answers["amount"]
            more = ("--subtract",) if amount.startswith("-") else ()
            shown = f"${amount.removeprefix('-').removeprefix('$')}" if amount else "$10"
            return shell("newapi", "user", "topup", names[0], shown, *more)

        self.ask_to(
            Ask(
                f"Top up {called('user', names)}",
                command,
                what=[f"{u.view.name} has {words.cost(u.view.quota)}" for u in users[:6]],
                fields=[Field("amount", "Amount", hint="$10, or -$10 to take it away", check=_amount)],
                yes="top up",
            ),
            add,
            lambda changed: f"Topped up {changed}",
        )

    def action_enable(self) -> None:
        self._switch(enabled=True)

    def action_disable(self) -> None:
        self._switch(enabled=False)

    def _switch(self, *, enabled: bool) -> None:
        users = self.chosen()
        if not users:
            return
        names = [user.view.name for user in users]
        verb, state = ("Enable", "--enable") if enabled else ("Disable", "--disable")
        what = "Their tokens work again." if enabled else "Their tokens are refused, and their sessions end."

        def switch(gateway: Gateway, _: Answers) -> int:
            for name in names:
                gateway.do(ChangeUser(name, Changes(state="enabled" if enabled else "disabled")))
            return len(names)

        self.ask_to(
            Ask(
                f"{verb} {called('user', names)}?",
                shell("newapi", "user", "set", names[0], state),
                what=[what],
                yes=verb.lower(),
            ),
            switch,
            lambda changed: f"{verb}d {changed}",
        )

    def action_role(self) -> None:
        user = self.grid.current
        if user is None:
            return
        name = user.view.name
        if user.view.role == "root":
            self.notify("Root stays root", severity="warning")
            return

        def chosen(role: str | None) -> None:
            if role is None or role == user.view.role:
                return
            self.ask_to(
                Ask(
                    f"Make {name} {'an' if role == 'admin' else 'a'} {role}?",
                    shell("newapi", "user", "set", name, "--role", role),
                    what=[next(text for known, text in _ROLES if known == role)],
                    danger=role != "user",
                ),
                lambda there, _: there.do(ChangeUser(name, Changes(role=cast(Role, role)))),
                lambda changed: f"{changed.name} is {changed.role}",
            )

        self.app.push_screen(Choose(f"Role of {name}", _ROLES, user.view.role), chosen)

    def action_group(self) -> None:
        user = self.grid.current
        if user is None:
            return
        name = user.view.name
        self.ask_to(
            Ask(
                f"Group of {name}",
                lambda a: shell("newapi", "user", "set", name, "--group", a["group"] or "GROUP"),
                fields=[Field("group", "Group", user.view.group, check=typed.needed)],
            ),
            lambda there, a: there.do(ChangeUser(name, Changes(group=a["group"]))),
            lambda changed: f"{changed.name} is in {changed.group}",
        )

    def action_logs(self) -> None:
        if (user := self.grid.current) is not None:
            self.see_logs("user", user.view.name)

    def toml(self) -> str:
        """Return what is known of the user; a configuration declares no users."""
        user = self.grid.current
        if user is None:
            return ""
        told = msgspec.to_builtins(user.view)
        lines = (f"{name} = {value_of('', value)}\n" for name, value in told.items() if value not in ("", None))
        return f"[users.{key(user.view.name)}]\n" + "".join(lines)


def _amount(text: str) -> None:
    if typed.dollars(text.removeprefix("-")) <= 0:
        raise ValueError("It has to be more than nothing")


def _role(user: BoardUser, _: int) -> Piece:
    return user.view.role, {"root": "warn", "admin": "accent"}.get(user.view.role, "")


def _seen(user: BoardUser) -> float:
    return max(user.seen_at, user.view.last_login_at)


def _is_empty(user: BoardUser) -> bool:
    return not user.view.unlimited and user.view.quota <= 0
