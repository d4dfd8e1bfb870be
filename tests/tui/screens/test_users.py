from __future__ import annotations

import tomllib
from pathlib import Path

import pytest

from newapi.ops import users
from newapi.ops.users import UserView
from newapi.tui.app import Options
from tests.tui.screens.gateway import Seen, dashboard


def user(seen: Seen, name: str) -> UserView:
    return users.get(seen.local.db, name)


async def test_what_is_shown(tmp_path: Path) -> None:
    async with dashboard(tmp_path, "users", size=(140, 30)) as seen:
        head, ann, bob, root, *_ = seen.lines()
        assert head.split()[:5] == ["name▲", "state", "role", "group", "balance"]
        assert ann.split()[:6] == ["ann", "●", "up", "user", "default", "$25.00"]
        assert "ann@example.com" in ann
        assert bob.split()[3:5] == ["admin", "vip"]
        assert root.split()[3] == "root"
        assert "1 with nothing left" in str(seen.screen.query_one("#summary").render())
        await seen.press("enter")
        await seen.until(lambda: "remark       the design team" in seen.detail)
        assert tomllib.loads(seen.screen.toml())["users"]["ann"]["email"] == "ann@example.com"


@pytest.mark.parametrize(
    ("typed", "command", "left"),
    [("10", "'$10'", 17_500_000), ("$2.50", "'$2.50'", 13_750_000), ("-5", "'$5' --subtract", 10_000_000)],
)
async def test_top_up(tmp_path: Path, typed: str, command: str, left: int) -> None:
    async with dashboard(tmp_path, "users") as seen:
        await seen.press("dollar_sign")
        assert "ann has $25.00" in seen.dialog
        await seen.type(typed)
        assert f"$ newapi user topup ann {command}" in seen.dialog
        await seen.press("enter")
        await seen.told("Topped up 1")
        assert user(seen, "ann").quota == left


@pytest.mark.parametrize("typed", ["", "0", "ten", "--5"])
async def test_what_is_no_amount(tmp_path: Path, typed: str) -> None:
    async with dashboard(tmp_path, "users") as seen:
        await seen.press("dollar_sign")
        await seen.type(typed)
        await seen.press("enter")
        assert "no amount" in seen.dialog or "more than nothing" in seen.dialog
        assert user(seen, "ann").quota == 12_500_000


async def test_disable_and_enable(tmp_path: Path) -> None:
    async with dashboard(tmp_path, "users") as seen:
        await seen.press("d")
        assert "$ newapi user set ann --disable" in seen.dialog
        await seen.press("y")
        await seen.told("Disabled 1")
        assert user(seen, "ann").state == "disabled"
        await seen.settled()
        assert "‖ disabled" in seen.lines()[1]
        await seen.press("u", "y")
        await seen.told("Enabled 1")
        assert user(seen, "ann").state == "enabled"


async def test_what_may_not_be_is_told(tmp_path: Path) -> None:
    async with dashboard(tmp_path, "users") as seen:
        await seen.press("end", "d", "y")
        await seen.told("Root can be neither demoted nor disabled")
        await seen.press("R")
        await seen.told("Root stays root")


async def test_role_and_group(tmp_path: Path) -> None:
    async with dashboard(tmp_path, "users") as seen:
        await seen.press("R", "down", "enter")
        assert "$ newapi user set ann --role admin" in seen.dialog
        await seen.press("y")
        await seen.told("ann is admin")
        assert user(seen, "ann").role == "admin"
        await seen.press("o")
        await seen.type("vip")
        assert "$ newapi user set ann --group vip" in seen.dialog
        await seen.press("enter")
        await seen.told("ann is in vip")
        await seen.press("o")
        await seen.type("nobody")
        await seen.press("enter")
        await seen.told("There is no group 'nobody'")


async def test_read_only_hides_what_acts(tmp_path: Path) -> None:
    async with dashboard(tmp_path, "users", options=Options(read_only=True)) as seen:
        for key in ("dollar_sign", "d", "u", "R", "o"):
            await seen.press(key)
            assert seen.app.screen is seen.screen, key
