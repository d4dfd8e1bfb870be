from __future__ import annotations

import time
import tomllib
from decimal import Decimal
from pathlib import Path

import pytest

from newapi.config.schema import TokenSpec
from newapi.ops import board, tokens
from newapi.ops.board import BoardToken
from newapi.ops.local import Local
from newapi.store import tokens as store
from newapi.store.keys import hash_key
from newapi.store.models import Record
from newapi.tui.app import Options
from newapi.tui.screens import _typed as typed
from tests.tui.screens.gateway import Seen, dashboard


def token(seen: Seen, name: str) -> BoardToken:
    return next(t for t in board.tokens(seen.local.db) if t.view.name == name)


def spent(_: object, local: Local) -> None:
    """Let the token `ci` have spent $4.50 today."""
    with local.db.writing() as c:
        (found,) = store.select(c, name="ci")
        store.update(c, found.id, {"used_quota": 2_250_000, "remaining_quota": 12_500_000 - 2_250_000})
        Record.insert(
            created_at=time.time(),
            kind="consume",
            token_id=found.id,
            token_name="ci",
            quota=2_250_000,
            usage="",
            bill="",
            tries="",
            error="",
            losses="",
        ).execute(c)


async def test_what_is_shown(tmp_path: Path) -> None:
    async with dashboard(tmp_path, "tokens", size=(160, 30), before=spent) as seen:
        head, ci, app, laptop, old, *_ = seen.lines()
        assert head.split()[:5] == ["name", "state", "owner", "group", "used"]
        assert ci.split()[:7] == ["ci", "F", "●", "up", "root", "default", "$4.50"]
        assert "d ━━━━" in ci, "the budget of the day is nearly spent"
        assert "∞" in app
        assert "ann" in laptop
        assert "‖ disabled" in old
        assert "1 near a budget" in str(seen.screen.query_one("#summary").render())
        seen.grid.filter("budget>80%")
        assert [t.view.name for t in seen.grid.rows] == ["ci"]
        seen.grid.filter("left>$5")
        assert [t.view.name for t in seen.grid.rows] == ["ci"]


async def test_detail(tmp_path: Path) -> None:
    async with dashboard(tmp_path, "tokens", size=(120, 40), before=spent) as seen:
        await seen.press("enter")
        await seen.until(lambda: seen.detail[0].startswith("state"))
        told = "\n".join(seen.detail)
        assert "a day        $4.50 of $5.00" in told
        assert "a month      $4.50 of $100.00" in told
        assert "requests     60 a minute" in told
        assert "models       gpt-5-mini" in told
        assert tomllib.loads(seen.screen.toml())["tokens"]["ci"]["budget"] == {"day": "$5", "month": "$100"}


async def test_a_new_token_shows_its_key_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async with dashboard(tmp_path, "tokens") as seen:
        copied: list[str] = []
        monkeypatch.setattr(seen.app, "copy_to_clipboard", copied.append)
        await seen.press("n", "enter")
        assert "This has to be said" in seen.dialog
        await seen.type("bot")
        await seen.press("tab", "tab")
        await seen.type("x")
        await seen.press("enter")
        assert "'x' is no amount" in seen.dialog
        await seen.press("backspace")
        await seen.type("$2.50")
        await seen.press("tab", "tab")
        await seen.type("30d")
        await seen.press("tab")
        await seen.type("gpt-5*, o3")
        await seen.press("tab")
        await seen.type("day=$1")
        command = "newapi token create bot --quota '$2.50' --expires 30d --models 'gpt-5*,o3' --budget 'day=$1'"
        assert command in seen.dialog
        await seen.press("enter")
        await seen.until(lambda: "Token bot of root" in seen.dialog)
        key = next(word for word in seen.dialog.split() if word.startswith("sk-"))
        (found,) = store.select(seen.local.db.reading().__enter__(), name="bot")
        assert found.key_hash == hash_key(key)
        assert (found.remaining, found.spec.count("gpt-5*")) == (1_250_000, 1)
        await seen.press("c")
        assert copied == [key]
        await seen.press("r")
        assert seen.app.screen.query_one("#tell-qr").display
        await seen.press("escape")
        await seen.settled()
        assert "bot" in [t.view.name for t in seen.grid.rows]
        assert key not in "\n".join(seen.lines()), "once"


async def test_rotate(tmp_path: Path) -> None:
    async with dashboard(tmp_path, "tokens") as seen:
        before = token(seen, "ci").view.key_hint
        await seen.press("o")
        assert "$ newapi token rotate ci" in seen.dialog
        await seen.press("y")
        await seen.until(lambda: "Token ci of root" in seen.dialog)
        assert "sk-" in seen.dialog
        assert token(seen, "ci").view.key_hint != before or before in seen.dialog


async def test_disable_and_enable(tmp_path: Path) -> None:
    async with dashboard(tmp_path, "tokens") as seen:
        await seen.press("space", "space", "d")
        assert "Disable tokens ci, app?" in seen.dialog
        assert "$ newapi token set ci --disable (and 1 more)" in seen.dialog
        await seen.press("y")
        await seen.told("Disabled 2")
        assert {token(seen, name).view.state for name in ("ci", "app")} == {"disabled"}
        await seen.press("g", "u", "y")
        await seen.told("Enabled 1")
        assert token(seen, "ci").view.state == "enabled"


async def test_limits(tmp_path: Path) -> None:
    async with dashboard(tmp_path, "tokens", before=spent) as seen:
        await seen.press("L")
        assert "$ newapi token set ci\n" in seen.dialog + "\n"
        await seen.type("$50")
        await seen.press("tab")
        await seen.type("week=$20")
        await seen.press("tab")
        await seen.type("0")
        assert "newapi token set ci --quota '$50' --budget 'week=$20' --requests-per-minute 0" in seen.dialog
        await seen.press("enter")
        await seen.told("Token ci is changed")
        found = token(seen, "ci")
        assert found.spec.budget == {"week": Decimal(20)}
        assert found.spec.requests_per_minute == 0
        assert found.spec.models == ("gpt-5-mini",), "what was not touched stays"
        assert (found.view.used, found.view.remaining) == (2_250_000, 25_000_000 - 2_250_000), "spent stays spent"


async def test_delete_wants_the_name(tmp_path: Path) -> None:
    async with dashboard(tmp_path, "tokens") as seen:
        await seen.press("end", "ctrl+d")
        assert "Type old to go on" in seen.dialog
        await seen.press("enter")
        assert "This is not old" in seen.dialog
        await seen.type("old")
        await seen.press("enter")
        await seen.told("Token old is deleted")
        assert "old" not in [t.view.name for t in board.tokens(seen.local.db)]


async def test_detach(tmp_path: Path) -> None:
    async with dashboard(tmp_path, "tokens") as seen:
        await seen.press("D", "y")
        await seen.told("Token ci is detached")
        assert not token(seen, "ci").view.managed
        await seen.press("end", "D")
        await seen.told("No file manages old")


async def test_of_two_with_one_name_the_id_says_which(tmp_path: Path) -> None:
    def twice(gateway: object, _: object) -> None:
        gateway.create_token("ci", TokenSpec(user="bob", unlimited=True))  # type: ignore[attr-defined]

    async with dashboard(tmp_path, "tokens", before=twice) as seen:
        await seen.press("end", "d")
        last = max(t.view.id for t in board.tokens(seen.local.db))
        assert f"$ newapi token set {last} --disable" in seen.dialog
        await seen.press("y")
        await seen.told("Disabled 1")
        assert tokens.get(seen.local.db, str(last)).state == "disabled"


async def test_read_only_hides_what_acts(tmp_path: Path) -> None:
    async with dashboard(tmp_path, "tokens", options=Options(read_only=True)) as seen:
        for key in ("n", "o", "d", "u", "L", "D", "ctrl+d"):
            await seen.press(key)
            assert seen.app.screen is seen.screen, key


@pytest.mark.parametrize(
    ("reader", "text", "value"),
    [
        ("dollars", "$10", Decimal(10)),
        ("dollars", "0.5", Decimal("0.5")),
        ("dollars", "ten", ValueError),
        ("quota", "", None),
        ("quota", "unlimited", None),
        ("moment", "", None),
        ("moment", "never", None),
        ("moment", "1h30m", 5400.0),
        ("moment", "soon", ValueError),
        ("moment", "2030-13-01", ValueError),
        ("budgets", "day=$1, month=$9", {"day": Decimal(1), "month": Decimal(9)}),
        ("budgets", "hour=$1", ValueError),
        ("budgets", "day=", ValueError),
        ("count", "", 0),
        ("count", "120k", 120_000),
        ("count", "1.5M", 1_500_000),
        ("count", "1.5", ValueError),
        ("count", "many", ValueError),
        ("networks", "10.0.0.0/8 ::1", ("10.0.0.0/8", "::1")),
        ("networks", "localhost", ValueError),
        ("needed", "", ValueError),
    ],
)
def test_what_is_typed(reader: str, text: str, value: object) -> None:
    read = getattr(typed, reader)
    if value is ValueError:
        with pytest.raises(ValueError, match=r"\w"):
            read(text)
    else:
        assert read(text) == value


def test_a_moment_is_typed_as_it_is_shown() -> None:
    at = typed.moment("2030-12-31")
    assert typed.moment(typed.moment_words(at)) == at
    assert typed.moment(typed.moment_words(86_400.0)) == 86_400.0
    assert typed.moment_words(None) == ""
    assert typed.budgets(typed.budget_words({"day": Decimal(2)})) == {"day": Decimal(2)}
