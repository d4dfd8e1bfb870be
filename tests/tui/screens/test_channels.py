from __future__ import annotations

import sys
import time
import tomllib
from contextlib import contextmanager
from pathlib import Path

import msgspec
import pytest

from newapi.ops import channels
from newapi.ops.channels import KeyState
from newapi.store import rests
from newapi.store.rests import RestRow
from newapi.tui.app import Options
from tests.ops.test_channel_probe import CHAT
from tests.support.upstream import Conversation, serving
from tests.tui.screens.gateway import CONFIG, Seen, dashboard


def state(seen: Seen, name: str) -> str:
    return channels.get(seen.local.db, name).state


async def test_what_is_shown(tmp_path: Path) -> None:
    async with dashboard(tmp_path, "channels", size=(120, 30)) as seen:
        head, first, second, *_ = seen.lines()
        assert head.split() == "name state req/s now err/m first p95 $/h keys type prio weight groups".split()
        assert first.split()[:4] == ["openai-main", "F", "●", "up"]
        assert "3/3" in first
        assert "◐ half open" in second
        assert "0/2" in second
        assert str(seen.screen.query_one("#summary").render()).split("   ") == [
            "4 channels",
            "1 half open",
            "1 disabled",
        ]


async def test_the_highest_priority_is_first_and_what_ails_can_be(tmp_path: Path) -> None:
    async with dashboard(tmp_path, "channels") as seen:
        assert [item.name for item in seen.grid.rows] == ["openai-main", "azure-eu", "claude-direct", "bedrock-us"]
        seen.grid.sort("state")
        assert [item.state for item in seen.grid.rows] == ["half_open", "disabled", "up", "up"]


async def test_a_recording_shows_what_it_knows(tmp_path: Path) -> None:
    async with dashboard(tmp_path, "channels", gateway=False) as seen:
        assert "bedrock-us" in [item.name for item in seen.grid.rows]
        assert len(seen.grid.rows) == 6
        await seen.press("d")
        assert seen.app.screen is seen.screen, "nothing can be asked"


async def test_detail(tmp_path: Path) -> None:
    async with dashboard(tmp_path, "channels", size=(120, 40)) as seen:
        await seen.press("enter")
        await seen.until(lambda: seen.detail[0].startswith("state"))
        told = "\n".join(seen.detail)
        assert "models       gpt-5, gpt-5-mini,\n             text-embedding-3-small" in told
        assert "2            env:OPENAI_3" in told
        assert "made by      the file" in told
        assert "OPENAI" not in seen.screen.toml().replace("env:OPENAI", "")
        await seen.press("down")
        assert "url          https://eu.example.com" in "\n".join(seen.detail)
        await seen.press("escape")
        assert not seen.screen.has_class("-detail")


async def test_on_a_narrow_screen_the_detail_is_all_there_is(tmp_path: Path) -> None:
    async with dashboard(tmp_path, "channels", size=(80, 24)) as seen:
        await seen.press("enter")
        await seen.until(lambda: seen.detail[0].startswith("state"))
        pane = seen.screen.query_one("#detail")
        assert pane.size.width > 70
        await seen.press("j", "j")
        assert pane.scroll_y > 0
        await seen.press("enter")
        assert not seen.screen.has_class("-detail")
        assert seen.app.focused is seen.grid


async def test_disable_and_enable(tmp_path: Path) -> None:
    async with dashboard(tmp_path, "channels") as seen:
        await seen.press("d")
        assert "Disable channel openai-main?" in seen.dialog
        assert "The file still declares it" in seen.dialog
        await seen.press("tab")
        await seen.type("broken")
        assert "$ newapi channel disable openai-main --reason broken" in seen.dialog
        await seen.press("enter")
        await seen.told("Disabled 1 of 1")
        assert channels.get(seen.local.db, "openai-main").state_reason == "broken"
        await seen.settled()
        assert "‖ disabled" in seen.lines()[1]
        await seen.press("u")
        assert "$ newapi channel enable openai-main" in seen.dialog
        await seen.press("y")
        await seen.told("Enabled 1 of 1")
        assert state(seen, "openai-main") == "enabled"


async def test_disable_for_a_time(tmp_path: Path) -> None:
    async with dashboard(tmp_path, "channels") as seen:
        await seen.press("d")
        await seen.type("soon")
        await seen.press("enter")
        assert "'soon' is no duration" in seen.dialog
        await seen.press(*["backspace"] * 4)
        await seen.type("2h")
        assert "$ newapi channel disable openai-main --for 2h" in seen.dialog
        before = time.time()
        await seen.press("enter")
        await seen.told("Disabled 1 of 1")
        until = channels.get(seen.local.db, "openai-main").disabled_until
        assert before + 7200 <= until <= time.time() + 7200


async def test_several_at_once(tmp_path: Path) -> None:
    async with dashboard(tmp_path, "channels") as seen:
        await seen.press("space", "space", "d")
        assert "$ newapi channel disable openai-main azure-eu" in seen.dialog
        await seen.press("enter")
        await seen.told("Disabled 2 of 2")
        assert [state(seen, name) for name in ("openai-main", "azure-eu", "claude-direct")] == [
            "disabled",
            "disabled",
            "enabled",
        ]
        assert not seen.grid.marked, "what was done is not marked any more"


async def test_no_is_no(tmp_path: Path) -> None:
    async with dashboard(tmp_path, "channels") as seen:
        await seen.press("d", "escape", "u", "n")
        await seen.settled()
        assert state(seen, "openai-main") == "enabled"


async def test_read_only_hides_what_acts(tmp_path: Path) -> None:
    async with dashboard(tmp_path, "channels", options=Options(read_only=True)) as seen:
        for key in ("d", "u", "B", "K", "e", "t", "b", "plus", "right_square_bracket"):
            await seen.press(key)
            assert seen.app.screen is seen.screen, key
        assert "disable" not in seen.screen.query_one("Foot").render().plain
        assert "filter" in seen.screen.query_one("Foot").render().plain


async def test_reset_of_the_breaker(tmp_path: Path) -> None:
    async with dashboard(tmp_path, "channels") as seen:
        id = channels.get(seen.local.db, "openai-main").id
        rests.put(seen.local.db, RestRow(id, "", "", "broken", 1.0, 9e9, "500"))
        await seen.press("B")
        assert "Reset the breaker of channel openai-main?" in seen.dialog
        await seen.press("y")
        await seen.told("The breaker of channel openai-main is reset")
        with seen.local.db.reading() as c:
            assert {row.kind for row in rests.load(c) if row.channel_id == id} == {"reset"}


@pytest.mark.parametrize(
    ("key", "what", "field", "value"),
    [
        ("plus", "weight 100 → 110", "weight", 110),
        ("underscore", "weight 100 → 90", "weight", 90),
        ("right_square_bracket", "priority 10 → 11", "priority", 11),
        ("left_square_bracket", "priority 10 → 9", "priority", 9),
    ],
)
async def test_weight_and_priority(tmp_path: Path, key: str, what: str, field: str, value: int) -> None:
    async with dashboard(tmp_path, "channels") as seen:
        await seen.press(key)
        assert f"openai-main: {what}" in seen.dialog
        assert f"$ newapi channel set openai-main {field}={value}" in seen.dialog
        assert "the next apply puts it back" in seen.dialog
        await seen.press("y")
        await seen.told("Changed 1")
        assert getattr(channels.get(seen.local.db, "openai-main").spec, field) == value


async def test_a_disabled_channel_has_no_breaker(tmp_path: Path) -> None:
    async with dashboard(tmp_path, "channels") as seen:
        await seen.press("end", "B")
        await seen.told("A disabled channel has no breaker")
        assert seen.app.screen is seen.screen


async def test_a_test_asks_the_upstream(tmp_path: Path) -> None:
    asked: list[dict[str, object]] = []

    async def answer(talk: Conversation) -> None:
        head = (await talk.reader.readuntil(b"\r\n\r\n")).decode().lower()
        length = next(int(line.split(": ")[1]) for line in head.split("\r\n") if line.startswith("content-length"))
        asked.append(msgspec.json.decode(await talk.reader.readexactly(length)))
        if len(asked) == 1:
            await talk.answer(msgspec.json.encode(CHAT))
        else:
            await talk.answer(b'{"error": {"message": "no such key"}}', status=401)

    async with serving(answer) as upstream:
        config = CONFIG.replace("https://eu.example.com", upstream.url)
        async with dashboard(tmp_path, "channels", config=config) as seen:
            await seen.press("down", "t")
            await seen.told("azure-eu answered as gpt-5 in")
            assert asked[0]["model"] == "gpt-5"
            await seen.press("t")
            await seen.until(lambda: "failed" in seen.dialog)
            assert "no such key" in seen.dialog
            await seen.press("escape")
            assert channels.get(seen.local.db, "azure-eu").tested_at


async def test_keys(tmp_path: Path) -> None:
    async with dashboard(tmp_path, "channels") as seen:
        await seen.press("K")
        assert "Keys of openai-main" in seen.dialog
        await seen.press("down", "d")
        assert "$ newapi channel keys openai-main --disable 1" in seen.dialog
        await seen.press("y")
        await seen.told("Key 1 is disabled")
        states = channels.get(seen.local.db, "openai-main").key_states
        assert {position: one.state for position, one in states.items()} == {1: "disabled"}
        await seen.settled()
        await seen.press("K", "down", "u", "y")
        await seen.told("Key 1 is enabled")
        assert not channels.get(seen.local.db, "openai-main").key_states
        await seen.settled()
        await seen.press("K", "escape")
        assert seen.app.screen is seen.screen


async def test_a_key_that_was_tripped_says_why(tmp_path: Path) -> None:
    def trip(_: object, local: object) -> None:
        id = channels.get(local.db, "openai-main").id  # type: ignore[attr-defined]
        channels.switch_keys(local.db, id, [0], enabled=False, state="tripped", reason="401", who="health")  # type: ignore[attr-defined]

    async with dashboard(tmp_path, "channels", before=trip, size=(120, 40)) as seen:
        assert channels.get(seen.local.db, "openai-main").key_states[0] == KeyState(
            "tripped", "401", channels.get(seen.local.db, "openai-main").key_states[0].at
        )
        await seen.press("enter")
        await seen.until(lambda: "             tripped: 401" in seen.detail)


def editing(monkeypatch: pytest.MonkeyPatch, seen: Seen, script: str) -> None:
    """Let the editor be a script of Python: `file` is the path, `line` what was said before it."""
    code = f"import sys, pathlib; file = pathlib.Path(sys.argv[-1]); line = sys.argv[1]; {script}"
    monkeypatch.setenv("EDITOR", f"{sys.executable} -c '{code}'")

    @contextmanager
    def suspended():  # type: ignore[no-untyped-def]
        yield

    monkeypatch.setattr(seen.app, "suspend", suspended)


async def test_editing_what_a_file_declares_opens_the_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async with dashboard(tmp_path, "channels") as seen:
        line = next(n for n, text in enumerate(CONFIG.splitlines(), 1) if text == "[channels.openai-main]")
        editing(monkeypatch, seen, 'file.with_name("opened").write_text(line)')
        await seen.press("e")
        assert "A file declares openai-main" in seen.dialog
        await seen.press("enter")
        await seen.told("An apply makes it so")
        assert (tmp_path / "opened").read_text() == f"+{line}"


async def test_what_a_file_declares_can_be_detached_and_edited(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async with dashboard(tmp_path, "channels") as seen:
        await seen.press("e", "down", "enter")
        assert "Detach channel openai-main from its file?" in seen.dialog
        await seen.press("y")
        await seen.told("Channel openai-main is detached")
        await seen.settled()
        assert not seen.grid.current.is_from_file
        editing(monkeypatch, seen, 'file.write_text(file.read_text() + "weight = 7\\n")')
        await seen.press("e")
        await seen.until(lambda: "$ newapi channel edit openai-main" in seen.dialog)
        await seen.press("y")
        await seen.told("Channel openai-main is changed")
        assert channels.get(seen.local.db, "openai-main").spec.weight == 7


@pytest.mark.parametrize(
    ("script", "told"),
    [
        ("0", "Nothing changed"),
        ('file.write_text("[channels.x]\\ntyp = 1")', "typ"),
        ('file.write_text("[channels")', "this is not TOML"),
        ('file.write_text("channels = 1")', "channels"),
        ('file.write_text("version = 1")', "This declares 0 channels, not one"),
        ("sys.exit(3)", "left with 3: nothing is changed"),
    ],
)
async def test_what_was_edited_wrong_changes_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, script: str, told: str
) -> None:
    async with dashboard(tmp_path, "channels") as seen:
        await seen.press("e", "down", "enter", "y")
        await seen.told("detached")
        await seen.settled()
        before = channels.get(seen.local.db, "openai-main").spec
        editing(monkeypatch, seen, script)
        await seen.press("e")
        await seen.told(told)
        assert channels.get(seen.local.db, "openai-main").spec == before


async def test_filter_toml_and_export(tmp_path: Path) -> None:
    async with dashboard(tmp_path, "channels") as seen:
        await seen.press("slash")
        await seen.type("type:anthropic state:up")
        assert [item.name for item in seen.grid.rows] == ["claude-direct"]
        await seen.press("enter")
        assert tomllib.loads(seen.screen.toml())["channels"]["claude-direct"]["key"] == "env:CLAUDE"
        (row,) = seen.screen.rows()
        assert (row["name"], row["type"], row["groups"]) == ("claude-direct", "anthropic", ("default",))
        await seen.press("escape")
        assert len(seen.grid.rows) == 4
