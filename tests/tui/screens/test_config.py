from __future__ import annotations

from pathlib import Path

from newapi.ops import history
from newapi.tui.app import Options
from tests.tui.screens.gateway import CONFIG, Seen, dashboard
from tests.tui.screens.test_channels import editing

CHANGED = CONFIG.replace("priority = 10", "priority = 12")


def changed(seen: Seen, text: str = CHANGED) -> None:
    seen.config.write_text(text)


async def test_what_is_shown(tmp_path: Path) -> None:
    async with dashboard(tmp_path, "config", size=(120, 40)) as seen:
        head, first, *_ = seen.lines()
        assert head.split() == ["gen.", "applied", "by", "+", "~", "-", "source"]
        assert first.split()[:2] == ["●", "1"]
        assert first.split()[4:] == ["tester", "10", "0", "0", "config.toml"]
        assert "in sync with the file" in str(seen.screen.query_one("#summary").render())
        await seen.press("enter")
        await seen.until(lambda: "+ channels.openai-main" in seen.detail)
        assert "    weight   = 50" in "\n".join(seen.detail)


async def test_drift_diff_and_apply(tmp_path: Path) -> None:
    async with dashboard(tmp_path, "config") as seen:
        await seen.press("D")
        await seen.told("No differences")
        changed(seen)
        await seen.settled()
        summary = str(seen.screen.query_one("#summary").render())
        assert "drifted: 0 to add, 1 to change, 0 to delete" in summary
        await seen.press("D")
        assert "~ channels.openai-main\n    priority 10 -> 12" in seen.dialog
        await seen.press("escape", "A")
        await seen.until(lambda: "to change" in seen.dialog and "$ newapi apply" in seen.dialog)
        assert "priority 10 -> 12" in seen.dialog
        await seen.press("y")
        await seen.told("Applied: generation 2")
        assert [g.number for g in history.history(seen.local.db)] == [2, 1]
        await seen.settled()
        assert seen.lines()[1].split()[:2] == ["●", "2"]
        await seen.press("A")
        await seen.told("Nothing to do")


async def test_an_apply_that_deletes_wants_a_word(tmp_path: Path) -> None:
    async with dashboard(tmp_path, "config") as seen:
        changed(seen, CONFIG.split("[tokens.app]")[0])
        await seen.press("A")
        await seen.until(lambda: "Type apply to go on" in seen.dialog)
        assert "- tokens.app" in seen.dialog
        await seen.type("apply")
        await seen.press("enter")
        await seen.told("Applied: generation 2")
        assert "app" not in [t.name for t in seen.gateway.tokens()]


async def test_keys_of_new_tokens_are_shown_once(tmp_path: Path) -> None:
    async with dashboard(tmp_path, "config") as seen:
        changed(seen, f"{CONFIG}\n[tokens.fresh]\nunlimited = true\n")
        await seen.press("A")
        await seen.until(lambda: "+ tokens.fresh" in seen.dialog)
        await seen.press("y")
        await seen.until(lambda: "Keys of new tokens" in seen.dialog)
        assert "fresh  sk-" in seen.dialog


async def test_roll_back(tmp_path: Path) -> None:
    async with dashboard(tmp_path, "config") as seen:
        await seen.press("Z")
        await seen.told("This one is in force already")
        changed(seen)
        await seen.press("A")
        await seen.until(lambda: "$ newapi apply" in seen.dialog)
        await seen.press("y")
        await seen.told("Applied: generation 2")
        await seen.settled()
        await seen.press("end", "Z")
        await seen.until(lambda: "Roll back to generation 1" in seen.dialog)
        assert "priority 12 -> 10" in seen.dialog
        assert "$ newapi rollback 1" in seen.dialog
        await seen.type("1")
        await seen.press("enter")
        await seen.told("Applied: generation 3")
        assert seen.gateway.channel("openai-main").spec.priority == 10


async def test_a_file_that_cannot_be_applied_says_why(tmp_path: Path) -> None:
    async with dashboard(tmp_path, "config") as seen:
        changed(seen, CONFIG.replace("weight = 50", "wait = 50"))
        await seen.settled()
        assert "the file cannot be applied: " in str(seen.screen.query_one("#summary").render())
        await seen.press("D")
        assert "The file cannot be applied" in seen.dialog
        assert "wait" in seen.dialog
        await seen.press("escape", "A")
        await seen.told("wait")
        assert len(history.history(seen.local.db)) == 1


async def test_the_file_is_edited(tmp_path: Path, monkeypatch) -> None:  # type: ignore[no-untyped-def]
    async with dashboard(tmp_path, "config") as seen:
        editing(monkeypatch, seen, 'file.write_text(file.read_text().replace("priority = 10", "priority = 99"))')
        await seen.press("e")
        await seen.until(lambda: "1 to change" in str(seen.screen.query_one("#summary").render()))


async def test_without_the_file_here(tmp_path: Path) -> None:
    async with dashboard(tmp_path, "config", file=False) as seen:
        for key in ("D", "A", "e"):
            await seen.press(key)
        await seen.told("is not on this machine")
        assert seen.app.screen is seen.screen


async def test_read_only_looks_only(tmp_path: Path) -> None:
    async with dashboard(tmp_path, "config", options=Options(read_only=True)) as seen:
        changed(seen)
        await seen.settled()
        await seen.press("A", "Z")
        assert seen.app.screen is seen.screen
        await seen.press("D")
        assert "priority 10 -> 12" in seen.dialog
