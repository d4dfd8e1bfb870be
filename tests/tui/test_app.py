from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from textual.widgets import Input

from newapi.base.errors import ConfigError
from newapi.ops.live import Link, Told
from newapi.tui import prepare, screens, settings
from newapi.tui.app import Options
from tests.tui.screens.gateway import recorded
from tests.tui.watching import line, watching


async def test_the_head_says_how_the_gateway_is_doing(tmp_path: Path) -> None:
    async with watching(tmp_path) as seen:
        head = line(seen, "Head")
        assert head.startswith("newapi ● prod  v0.1.0  generation 42 in sync")
        assert "req/s" in head
        assert "errors" in head
        assert "/h" in head


async def test_digits_open_screens_and_escape_goes_back(tmp_path: Path) -> None:
    async with watching(tmp_path) as seen:
        for name in screens.names():
            await seen.press(screens.get(name).KEY)
            assert seen.app.current_mode == name
        await seen.press("1", "5", "escape")
        assert seen.app.current_mode == "overview"
        await seen.press("minus")
        assert seen.app.front.TITLE == screens.get(seen.app.current_mode).TITLE


async def test_commands(tmp_path: Path) -> None:
    async with watching(tmp_path) as seen:
        await seen.press("colon")
        await seen.type("logs model=gpt*")
        await seen.press("enter")
        await seen.until(lambda: seen.app.front.filter_text == "model=gpt*")
        assert seen.app.current_mode == "logs"
        await seen.press("ctrl+p")
        await seen.type("theme nord")
        await seen.press("enter")
        await seen.until(lambda: seen.app.theme == "nord")
        await seen.press("colon")
        await seen.type("theme nothing")
        await seen.press("enter")
        await seen.told("theme is one of")
        assert seen.app.theme == "nord"


@pytest.mark.parametrize("command", ["filter nothing:x", "logs nothing:x"])
async def test_a_command_with_what_is_no_filter_is_told(tmp_path: Path, command: str) -> None:
    async with watching(tmp_path, "logs") as seen:
        await seen.press("colon")
        seen.app.screen.query_one(Input).value = command
        await seen.press("enter")
        await seen.told("There is no field nothing")
        assert not seen.app.front.filter_text
        assert seen.app.is_running


async def test_another_context_begins_with_nothing(tmp_path: Path) -> None:
    async with watching(tmp_path) as seen:
        before = seen.app.model
        seen.app.follow("local")
        await seen.until(lambda: seen.app.model is not before and seen.app.model.is_known)
        seen.app.draw()
        assert "local" in line(seen, "Head")


async def test_a_connection_that_is_lost_is_told(tmp_path: Path) -> None:
    events = [*recorded(2), Told("", Link("lost", "http://there", "refused", 4.0))]
    async with watching(tmp_path, events=events) as seen:
        await seen.until(lambda: seen.app.model.link.state == "lost")
        seen.app.draw()
        assert "connection lost, trying again in 4 s: refused" in line(seen, "Head")


async def test_paused_nothing_moves(tmp_path: Path) -> None:
    async with watching(tmp_path) as seen:
        await seen.press("p")
        assert "paused" in line(seen, "Head")
        before = line(seen, "#numbers")
        seen.app.model.apply(recorded(2)[0].event)
        seen.app.draw()
        assert line(seen, "#numbers") == before
        await seen.press("p")
        assert "paused" not in line(seen, "Head")


@pytest.mark.parametrize(("size", "small"), [((59, 20), True), ((60, 14), True), ((60, 15), False), ((80, 24), False)])
async def test_what_is_too_small_says_what_is_needed(tmp_path: Path, size: tuple[int, int], small: bool) -> None:
    async with watching(tmp_path, size=size) as seen:
        assert seen.app.front.has_class("-too-small") is small
        if small:
            assert "60×15" in line(seen, "#too-small")


async def test_keys_are_remapped_by_their_id(tmp_path: Path) -> None:
    async with watching(tmp_path, options=Options(keys={"app.pause": "f9"})) as seen:
        await seen.press("p")
        assert not seen.app.is_paused
        await seen.press("f9")
        assert seen.app.is_paused


async def test_help_lists_keys_with_their_ids(tmp_path: Path) -> None:
    async with watching(tmp_path, "logs") as seen:
        await seen.press("question_mark")
        for id in ("logs.next-error", "app.pause", "app.quit"):
            assert id in seen.dialog
        await seen.press("escape")
        assert seen.app.screen is seen.app.front


async def test_every_binding_of_a_screen_has_its_id(tmp_path: Path) -> None:
    async with watching(tmp_path) as seen:
        for name in screens.names():
            seen.app.open(name)
            await seen.pilot.pause()
            nameless = [
                b.key
                for node, b, _, _ in seen.app.front.active_bindings.values()
                if not b.id
                and type(node).__module__.startswith("newapi.tui")
                and any(own is b or getattr(own, "key", None) == b.key for own in type(node).__dict__["BINDINGS"])
            ]
            assert not nameless, name


async def test_export_and_copy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    async with watching(tmp_path, "logs") as seen:
        await seen.press("E")
        await seen.told("Written to")
        await seen.press("y")
        await seen.told("Copied as TOML")
        assert 'request_id = "' in seen.app.clipboard
    (file,) = tmp_path.glob("newapi-logs-*.csv")  # noqa: ASYNC240  (a test waits for nobody)
    assert file.read_text().startswith("time,status,model,token,channel")


async def test_low_bandwidth_is_ascii(tmp_path: Path) -> None:
    async with watching(tmp_path, options=Options(low_bandwidth=True)) as seen:
        body = "\n".join(strip.text for strip in seen.app.screen._compositor.render_strips())
        assert not [sign for sign in body if "⠀" <= sign <= "⣿" or "▀" <= sign <= "▟" or "─" <= sign <= "╿"]


def test_settings(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    assert settings.read() == settings.Settings()
    settings.path().parent.mkdir()
    settings.path().write_text('theme = "nord"\n[keys]\n"app.quit" = "q,ctrl+c"\n')
    assert settings.read().keys == {"app.quit": "q,ctrl+c"}
    settings.path().write_text("colour = 1\n")
    with pytest.raises(ConfigError):
        settings.read()


def test_over_ssh_fewer_frames_are_sent() -> None:
    there, here = {"SSH_TTY": "/dev/pts/1"}, dict[str, str]()
    prepare(there)
    prepare(here)
    assert int(there["TEXTUAL_FPS"]) < int(here["TEXTUAL_FPS"])
    assert there["TEXTUAL_ANIMATIONS"] == here["TEXTUAL_ANIMATIONS"] == "none"
    said = {"TEXTUAL_FPS": "60"}
    prepare(said)
    assert said["TEXTUAL_FPS"] == "60"


def test_help_of_the_command_loads_no_textual() -> None:
    code = "import sys; from newapi.cli.app import main; main(['tui', '--help']); sys.exit('textual' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, env=os.environ.copy(), check=False)
    assert done.returncode == 0, done.stderr
