"""The tokens: whose they are, what they have spent and may spend; made, given another key, switched, limited."""

from __future__ import annotations

from collections.abc import Hashable, Iterator, Sequence
from typing import Any, ClassVar

from msgspec import UNSET, UnsetType
from textual.binding import Binding, BindingType

from newapi.base.secret import Secret
from newapi.base.units import QUOTA_PER_USD
from newapi.config.schema import TokenSpec
from newapi.config.values import money_text
from newapi.ops.board import BoardToken, Spending
from newapi.ops.gateway import Gateway
from newapi.ops.operations.board import BoardTokens, Detach
from newapi.ops.operations.tokens import ChangeToken, RotateToken, TokenChanges
from newapi.ops.tokens import TokenView
from newapi.tui.screens import _typed as typed
from newapi.tui.screens._grid import GridScreen, called, head, said, shell, toml_of
from newapi.tui.widgets import words
from newapi.tui.widgets.ask import Answers, Ask, Field, Tell
from newapi.tui.widgets.bar import bar
from newapi.tui.widgets.grid import Column
from newapi.tui.widgets.sparkline import sparkline
from newapi.tui.widgets.tones import Line, Piece

_RANK = {"exhausted": 0, "expired": 1, "disabled": 2, "enabled": 3}


class TokensScreen(GridScreen[BoardToken]):
    """Every token: its owner, what is used and left, its budgets and limits."""

    TITLE = "Tokens"
    KEY = "3"
    EMPTY = "No token yet: `n` makes one."
    ACTS = frozenset(("new", "rotate", "enable", "disable", "limits", "delete", "detach"))

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("n", "new", "new", id="tokens.new"),
        Binding("o", "rotate", "rotate", id="tokens.rotate"),
        Binding("d", "disable", "disable", id="tokens.disable"),
        Binding("u", "enable", "enable", id="tokens.enable"),
        Binding("L", "limits", "limits", id="tokens.limits"),
        Binding("D", "detach", "detach from its file", id="tokens.detach", show=False),
        Binding("ctrl+d", "delete", "delete", id="tokens.delete", show=False),
        Binding("l", "logs", "its log", id="tokens.logs", show=False),
    ]

    # -- what is shown -----------------------------------------------------------------------

    def columns(self) -> Sequence[Column[BoardToken]]:
        return (
            Column("name", "name", lambda t: t.view.name, self._called_cell, least=10, most=28),
            Column(
                "state",
                "state",
                lambda t: t.view.state,
                self._state_cell,
                width=11,
                order=lambda t: _RANK[t.view.state],
            ),
            Column("user", "owner", lambda t: t.view.user, least=6, most=16, priority=3),
            Column("group", "group", lambda t: t.view.group, least=6, most=14, priority=6),
            Column(
                "used",
                "used",
                lambda t: t.view.used / QUOTA_PER_USD,
                lambda t, _: _money(t.view.used),
                kind="usd",
                width=8,
                priority=1,
                right=True,
                descending=True,
            ),
            Column(
                "left",
                "left",
                lambda t: None if t.view.unlimited else t.view.remaining / QUOTA_PER_USD,
                lambda t, _: ("∞" if not self._ascii else "any", "dim") if t.view.unlimited else _left(t.view),
                kind="usd",
                width=8,
                priority=1,
                right=True,
            ),
            Column("share", "share", _share, self._bar, kind="share", width=10, priority=2, descending=True),
            Column(
                "budget",
                "budgets",
                lambda t: max((s.share for s in t.spending), default=None),
                self._budgets,
                kind="share",
                width=20,
                priority=5,
                descending=True,
            ),
            Column(
                "rpm",
                "req/m",
                lambda t: t.spec.requests_per_minute or None,
                _limit,
                kind="number",
                width=5,
                priority=8,
                right=True,
            ),
            Column(
                "seen",
                "last used",
                lambda t: self._age(t.view.accessed_at),
                lambda t, _: self._ago(t.view.accessed_at),
                kind="seconds",
                width=9,
                priority=4,
                right=True,
            ),
            Column(
                "expires",
                "expires",
                lambda t: t.view.expires_at - self.model.now if t.view.expires_at else None,
                self._expiry,
                kind="seconds",
                width=8,
                priority=7,
                right=True,
            ),
            Column("models", "models", lambda t: t.view.models, _models, least=8, most=40, priority=9),
        )

    @property
    def _ascii(self) -> bool:
        return self.tui.glyphs.ascii

    def key(self, row: BoardToken) -> Hashable:
        return row.view.id

    def called(self, row: BoardToken) -> str:
        """Return the token's name; its id where several have that name."""
        name = row.view.name
        same = sum(other.view.name == name for other in self.grid.all)
        return name if same == 1 else str(row.view.id)

    def read(self, gateway: Gateway) -> list[BoardToken]:
        return gateway.do(BoardTokens())

    def counted(self) -> Iterator[Piece]:
        states = [token.view.state for token in self.grid.all]
        for state, tone in (("exhausted", "bad"), ("expired", "warn"), ("disabled", "dim")):
            if number := states.count(state):
                yield f"{number} {state}", tone
        if near := sum(any(s.share >= 0.8 for s in token.spending) for token in self.grid.all):
            yield f"{near} near a budget", "warn"

    def _called_cell(self, token: BoardToken, _: int) -> Line:
        return ((token.view.name, ""), (" F" if token.view.managed else "", "dim"))

    def _state_cell(self, token: BoardToken, _: int) -> Piece:
        glyphs = self.tui.glyphs
        match token.view.state:
            case "enabled":
                return f"{glyphs.on} up", "good"
            case "exhausted":
                return f"{glyphs.resting} exhausted", "bad"
            case "expired":
                return f"{glyphs.resting} expired", "warn"
            case _:
                return f"{glyphs.off} disabled", "dim"

    def _bar(self, token: BoardToken, width: int) -> Line:
        return bar(_share(token), width, ascii=self._ascii)

    def _budgets(self, token: BoardToken, width: int) -> Line:
        if not token.spending:
            return ((words.NONE, "dim"),)
        room = (width + 1) // len(token.spending) - 1
        pieces: list[Piece] = []
        for spending in token.spending:
            label = f"{spending.period[0]} "
            pieces += [(" " if pieces else "", ""), (label, "dim"), *bar(spending.share, room - 2, ascii=self._ascii)]
        return tuple(pieces)

    def _age(self, at: float) -> float | None:
        return self.model.now - at if at else None

    def _ago(self, at: float) -> Piece:
        return (words.ago(self.model.now - at), "") if at else ("never", "dim")

    def _expiry(self, token: BoardToken, _: int) -> Piece:
        at = token.view.expires_at
        if not at:
            return "never", "dim"
        left = at - self.model.now
        return ("over", "warn") if left <= 0 else (words.ago(left), "warn" if left < 3 * 86_400 else "")

    # -- the detail --------------------------------------------------------------------------

    def detail(self, row: BoardToken) -> Iterator[Line]:
        view, spec = row.view, row.spec
        yield said("state", self._state_cell(row, 0))
        yield said("owner", view.user)
        yield said("group", view.group or "its owner's")
        yield said("key", f"…{view.key_hint}")
        yield said("made", f"{words.date(view.created_at)} by {'the file' if view.managed else 'a command'}")
        yield said("last used", self._ago(view.accessed_at))
        yield said("expires", words.date(view.expires_at))
        yield ()
        yield head("spending")
        yield said("used", _money(view.used))
        yield said("left", "what its owner has" if view.unlimited else _left(view))
        if not view.unlimited:
            yield said("", *bar(_share(row), 30, ascii=self._ascii))
        for spending in row.spending:
            yield said(f"a {spending.period}", _of(spending))
            yield said("", *bar(spending.share, 30, ascii=self._ascii))
        found = self.model.top("tokens", view.name)
        if found is not None and any(found.spark):
            yield said("last hour", (sparkline(found.spark, 30, ascii=self._ascii), "accent"))
            yield said("", f"{words.compact(found.requests)} requests, {words.cost(found.quota)}")
        yield ()
        yield head("limits")
        yield said("requests", _a_minute(spec.requests_per_minute))
        yield said("tokens", _a_minute(spec.tokens_per_minute))
        yield said("at once", str(spec.concurrency) if spec.concurrency else "no limit")
        yield said("models", ", ".join(view.models) or "all")
        yield said("addresses", ", ".join(view.allow_ips) or "any")

    # -- acts --------------------------------------------------------------------------------

    def action_new(self) -> None:
        self.ask_to(
            Ask(
                "New token",
                lambda a: shell("newapi", "token", "create", a["name"] or "NAME", *_options(a, TokenSpec())),
                fields=[
                    Field("name", "Name", check=typed.needed),
                    Field("user", "Owner", "root", check=typed.needed),
                    Field("quota", "May spend", hint="unlimited, or $10", check=typed.quota),
                    Field("group", "Group", "default", check=typed.needed),
                    Field("expires", "Expires", hint="never, or 30d", check=typed.moment),
                    Field("models", "Models", hint="all, or gpt-5*, o3"),
                    Field("budget", "Budgets", hint="none, or day=$2 month=$40", check=typed.budgets),
                ],
                yes="make it",
            ),
            lambda there, a: there.create_token(a["name"], _spec(a)),
            self._show_key,
        )

    def _show_key(self, made: tuple[TokenView, Secret]) -> None:
        view, secret = made
        what: list[Line] = [
            (("Its key, which is not shown again:", ""),),
            (),
            ((secret.reveal(), "accent"),),
        ]
        self.app.push_screen(Tell(f"Token {view.name} of {view.user}", what, copy=secret.reveal(), code=True))

    def action_rotate(self) -> None:
        token = self.grid.current
        if token is None:
            return
        name = self.called(token)
        what = ["Its old key stops working within a second; the new one is shown once."]
        if token.view.managed and token.spec.key:
            what.append(f"The file refers to {token.spec.key}: the next apply gives it that one again.")
        self.ask_to(
            Ask(
                f"Give token {token.view.name} of {token.view.user} another key?",
                shell("newapi", "token", "rotate", name),
                what=what,
                yes="rotate",
                danger=True,
            ),
            lambda there, _: there.do(RotateToken(name)),
            self._show_key,
        )

    def action_enable(self) -> None:
        self._switch(enabled=True)

    def action_disable(self) -> None:
        self._switch(enabled=False)

    def _switch(self, *, enabled: bool) -> None:
        tokens = self.chosen()
        if not tokens:
            return
        names = [self.called(token) for token in tokens]
        verb = "Enable" if enabled else "Disable"
        what = [
            "Requests with it are taken within a second."
            if enabled
            else "Requests with it are refused within a second."
        ]
        if any(token.view.managed for token in tokens):
            what.append("The file says otherwise: the next apply puts it back.")

        def switch(gateway: Gateway, _: Answers) -> int:
            for name in names:
                gateway.do(ChangeToken(name, TokenChanges(enabled=enabled)))
            return len(names)

        option = "--enable" if enabled else "--disable"
        more = f" (and {len(names) - 1} more)" if len(names) > 1 else ""
        self.ask_to(
            Ask(
                f"{verb} {called('token', names)}?",
                shell("newapi", "token", "set", names[0], option) + more,
                what=what,
                yes=verb.lower(),
            ),
            switch,
            lambda changed: f"{verb}d {changed}",
        )

    def action_limits(self) -> None:
        token = self.grid.current
        if token is None:
            return
        view, spec, name = token.view, token.spec, self.called(token)
        now = {
            "quota": "unlimited"
            if view.unlimited or spec.unlimited
            else money_text(spec.quota)
            if spec.quota is not None
            else "",
            "budget": typed.budget_words(spec.budget),
            "rpm": str(spec.requests_per_minute or ""),
            "tpm": str(spec.tokens_per_minute or ""),
            "concurrency": str(spec.concurrency or ""),
            "expires": typed.moment_words(spec.expires),
            "models": ", ".join(spec.models),
            "ips": ", ".join(spec.allow_ips),
        }
        what = ["What it spent stays spent."]
        if view.managed:
            what.append("The file says otherwise: the next apply puts it back.")
        self.ask_to(
            Ask(
                f"Limits of token {view.name} of {view.user}",
                lambda a: shell("newapi", "token", "set", name, *_changed_options(now, a)),
                what=what,
                fields=[
                    Field("quota", "May spend in all", now["quota"], "unlimited", typed.quota),
                    Field("budget", "Budgets", now["budget"], "none, or day=$2 month=$40", typed.budgets),
                    Field("rpm", "Requests a minute", now["rpm"], "no limit", typed.count),
                    Field("tpm", "Tokens a minute", now["tpm"], "no limit", typed.count),
                    Field("concurrency", "Requests at once", now["concurrency"], "no limit", typed.count),
                    Field("expires", "Expires", now["expires"], "never, or 30d", typed.moment),
                    Field("models", "Models", now["models"], "all"),
                    Field("ips", "Addresses", now["ips"], "any, or 10.0.0.0/8", typed.networks),
                ],
                yes="change them",
            ),
            lambda there, a: there.do(ChangeToken(name, _changes(now, a))),
            lambda changed: f"Token {changed.name} is changed",
        )

    def action_delete(self) -> None:
        token = self.grid.current
        if token is None:
            return
        name = self.called(token)
        what = ["Its key stops working; what it used stays in the log."]
        if token.view.managed:
            what.append("The file declares it: the next apply makes it anew, with another key.")
        self.ask_to(
            Ask(
                f"Delete token {token.view.name} of {token.view.user}?",
                shell("newapi", "token", "delete", name),
                what=what,
                typed=token.view.name,
                yes="delete",
            ),
            lambda there, _: there.delete_token(name),
            lambda gone: f"Token {gone.name} is deleted",
        )

    def action_detach(self) -> None:
        token = self.grid.current
        if token is None:
            return
        if not token.view.managed:
            self.notify(f"No file manages {token.view.name}")
            return
        name = self.called(token)
        self.ask_to(
            Ask(
                f"Detach token {token.view.name} from its file?",
                what=["Commands manage it from then on. Take it out of the file too, or an apply takes it back."],
            ),
            lambda there, _: there.do(Detach("token", name)),
            lambda gone: f"Token {gone} is detached",
        )

    def action_logs(self) -> None:
        if (token := self.grid.current) is not None:
            self.see_logs("token", token.view.name)

    def toml(self) -> str:
        token = self.grid.current
        return toml_of("tokens", token.view.name, token.spec) if token else ""


# -- what is typed -----------------------------------------------------------------------------


def _spec(answers: Answers) -> TokenSpec:
    quota = typed.quota(answers["quota"])
    return TokenSpec(
        user=answers["user"],
        group=answers["group"],
        quota=quota,
        unlimited=quota is None,
        expires=typed.moment(answers["expires"]),
        models=typed.words(answers["models"]),
        budget=typed.budgets(answers["budget"]),
    )


def _options(answers: Answers, default: TokenSpec) -> list[str]:
    quota = answers["quota"]
    found = ["--unlimited"] if quota in ("", "unlimited") else ["--quota", quota]
    if answers["user"] not in ("", default.user):
        found += ["--user", answers["user"]]
    if answers["group"] not in ("", default.group):
        found += ["--group", answers["group"]]
    if answers["expires"] not in ("", "never"):
        found += ["--expires", answers["expires"]]
    if answers["models"]:
        found += ["--models", ",".join(typed.words(answers["models"]))]
    return found + [word for budget in typed.words(answers["budget"]) for word in ("--budget", budget)]


_SET = {
    "quota": ("--quota", "unlimited"),
    "budget": ("--budget", "none"),
    "rpm": ("--requests-per-minute", "0"),
    "tpm": ("--tokens-per-minute", "0"),
    "concurrency": ("--concurrency", "0"),
    "expires": ("--expires", "never"),
    "models": ("--models", "all"),
    "ips": ("--allow-ip", "any"),
}
"""Field of the dialog -> the option of `newapi token set`, and what it takes for nothing."""


def _changed_options(before: Answers, after: Answers) -> list[str]:
    found: list[str] = []
    for name, (option, nothing) in _SET.items():
        if after[name] == before[name]:
            continue
        if name == "quota" and after[name] in ("", "unlimited"):
            found.append("--unlimited")
        else:
            found += [option, ",".join(typed.words(after[name])) or nothing]
    return found


def _changes(before: Answers, after: Answers) -> TokenChanges:
    """Return what is to change: what was typed otherwise than it stood there."""

    def new(name: str, value: Any) -> Any | UnsetType:
        return UNSET if after[name] == before[name] else value(after[name])

    quota = new("quota", typed.quota)
    return TokenChanges(
        quota=quota,
        unlimited=UNSET if quota is UNSET else quota is None,
        budget=new("budget", typed.budgets),
        requests_per_minute=new("rpm", typed.count),
        tokens_per_minute=new("tpm", typed.count),
        concurrency=new("concurrency", typed.count),
        expires=new("expires", typed.moment),
        models=new("models", typed.words),
        allow_ips=new("ips", typed.networks),
    )


# -- cells -------------------------------------------------------------------------------------


def _share(token: BoardToken) -> float | None:
    view = token.view
    if view.unlimited:
        return None
    total = view.used + max(0, view.remaining)
    return view.used / total if total else 1.0


def _money(quota: int) -> Piece:
    return words.cost(quota), "" if quota else "dim"


def _left(view: TokenView) -> Piece:
    return words.cost(max(0, view.remaining)), "" if view.remaining > 0 else "bad"


def _limit(token: BoardToken, _: int) -> Piece:
    rate = token.spec.requests_per_minute
    return (words.compact(rate), "") if rate else (words.NONE, "dim")


def _models(token: BoardToken, _: int) -> Piece:
    return (", ".join(token.view.models), "") if token.view.models else ("all", "dim")


def _a_minute(limit: int) -> str:
    return f"{words.compact(limit)} a minute" if limit else "no limit"


def _of(spending: Spending) -> str:
    return f"{words.cost(spending.spent)} of {words.cost(spending.budget)}"
