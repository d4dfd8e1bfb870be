from __future__ import annotations

import tomllib
from pathlib import Path

from msgspec.structs import replace

from newapi.ops import channels
from newapi.ops.legacy import Told
from newapi.ops.local import Local
from tests.tui.screens.gateway import dashboard


async def test_what_is_shown(tmp_path: Path) -> None:
    async with dashboard(tmp_path, "models", size=(140, 30)) as seen:
        head, sonnet, gpt, *_ = seen.lines()
        assert head.split()[:6] == ["name▲", "in", "$/M", "out", "$/M", "cached"]
        assert sonnet.split()[:4] == ["claude-sonnet-4-5", "$3.00", "$15.00", "$0.30"]
        assert gpt.split()[:4] == ["gpt-5", "$1.25", "$10.00", "$0.125"]
        painter = next(line for line in seen.lines() if "painter" in line)
        assert painter.split()[1:5] == ["–", "–", "–", "–"]
        assert "$0.04" in painter
        assert "claude-direct" in painter


async def test_detail_has_every_tier_and_what_groups_pay(tmp_path: Path) -> None:
    async with dashboard(tmp_path, "models", size=(140, 50)) as seen:
        await seen.press("enter")
        await seen.until(lambda: seen.detail[0].startswith("price from"))
        told = "\n".join(seen.detail)
        assert "$ a million tokens: prompts up to 200k tokens\ninput        $3.00\noutput       $15.00" in told
        assert "$ a million tokens: larger prompts\ninput        $6.00\noutput       $22.50" in told
        assert "vip          × 0.8  $2.40 in, $12.00 out" in told
        assert "● claude-direct" in told
        assert tomllib.loads(seen.screen.toml())["models"]["claude-sonnet-4-5"]["tiers"][0]["up_to"] == 200_000
        await seen.press("down")
        assert "$1.25" in "\n".join(seen.detail)
        assert tomllib.loads(seen.screen.toml())["models"]["gpt-5"]["output"] == "$10"


async def test_without_a_price(tmp_path: Path) -> None:
    def serve(_: object, local: Local) -> None:
        view = channels.get(local.db, "claude-direct")
        spec = replace(view.spec, models=(*view.spec.models, "mystery-1"))
        channels.edit(local, view.id, lambda _: Told(spec), who="tester")

    async with dashboard(tmp_path, "models", before=serve) as seen:
        assert "1 without a price: refused" in str(seen.screen.query_one("#summary").render())
        await seen.press("U")
        assert [model.name for model in seen.grid.rows] == ["mystery-1"]
        await seen.press("enter")
        await seen.until(lambda: "             none: requests are refused" in seen.detail)
        await seen.press("escape", "U")
        assert len(seen.grid.rows) == 6


async def test_quotation(tmp_path: Path) -> None:
    async with dashboard(tmp_path, "models") as seen:
        await seen.press("Q")
        await seen.type("120k")
        await seen.press("tab")
        await seen.type("100k")
        await seen.press("tab", "tab")
        await seen.type("2k")
        await seen.press("tab")
        await seen.type("vip")
        wanted = "newapi model price claude-sonnet-4-5 --prompt 120k --cached 100k --completion 2k --group vip"
        assert wanted in seen.dialog
        await seen.press("enter")
        await seen.until(lambda: "claude-sonnet-4-5 for group vip" in seen.dialog)
        # 20k × $3 + 100k × $0.30 + 2k × $15, a million each, × 0.8
        assert "charged $0.096  48000 quota, exactly $0.096" in seen.dialog
        assert "group   vip, × 0.8" in seen.dialog
        await seen.press("escape", "Q")
        await seen.type("x")
        await seen.press("enter")
        assert "'x' is no number" in seen.dialog


async def test_no_such_group_is_told(tmp_path: Path) -> None:
    async with dashboard(tmp_path, "models") as seen:
        await seen.press("Q", "shift+tab")
        await seen.type("vap")
        await seen.press("enter")
        await seen.told("There is no group 'vap'; did you mean 'vip'?")
