from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest
from textual.app import App
from textual.widgets import Input, Static

from newapi.tui.widgets.ask import Ask, Field, Tell


def amount(text: str) -> None:
    if text and not text.startswith("$"):
        raise ValueError(f"{text!r} is no amount: write '$10'")


def command(answers: Mapping[str, str]) -> str:
    quota = f" --quota '{answers['quota']}'" if answers["quota"] else ""
    return f"newapi token create {answers['name'] or 'NAME'}{quota}"


FORM: dict[str, Any] = {"fields": [Field("name", "Name", "ci"), Field("quota", "Quota", hint="no limit", check=amount)]}


async def left_with(dialog: Ask, *keys: str) -> list[dict[str, str] | None]:
    app: App[None] = App()
    found: list[dict[str, str] | None] = []
    async with app.run_test() as pilot:
        app.push_screen(dialog, found.append)
        await pilot.pause()
        await pilot.press(*keys)
        await pilot.pause()
    return found


def said(dialog: Ask | Tell) -> str:
    return "\n".join(str(line.render()) for line in dialog.query(Static) if line.display)


@pytest.mark.parametrize(
    ("keys", "found"),
    [(["y"], [{}]), (["enter"], [{}]), (["n"], [None]), (["escape"], [None]), (["q"], [None]), (["x"], [])],
)
async def test_yes_and_no(keys: list[str], found: list[dict[str, str] | None]) -> None:
    assert await left_with(Ask("Disable channel main?", "newapi channel disable main"), *keys) == found


async def test_it_shows_what_happens_and_the_command() -> None:
    app: App[None] = App()
    async with app.run_test() as pilot:
        dialog = Ask("Disable [main]?", "newapi channel disable '[main]'", what=["3 are under way", (("x", "warn"),)])
        app.push_screen(dialog)
        await pilot.pause()
        assert said(dialog).split("\n")[:3] == ["3 are under way", "x", "$ newapi channel disable '[main]'"]


async def test_a_form_shows_the_command_of_what_is_typed() -> None:
    app: App[None] = App()
    found: list[dict[str, str] | None] = []
    async with app.run_test() as pilot:
        dialog = Ask("New token", command, **FORM)
        app.push_screen(dialog, found.append)
        await pilot.pause()
        assert "$ newapi token create ci\n" in said(dialog)
        await pilot.press("end", "y", "tab", "5")
        assert "$ newapi token create ciy --quota '5'\n" in said(dialog), "a letter is a letter in a form"
        await pilot.press("enter")
        assert "'5' is no amount: write '$10'" in said(dialog)
        assert isinstance(app.focused, Input)
        assert app.focused.id == "ask-quota"
        await pilot.press("home", "$")
        assert "no amount" not in said(dialog)
        await pilot.press("enter")
        await pilot.pause()
    assert found == [{"name": "ciy", "quota": "$5"}]


async def test_a_form_is_left_without_an_answer() -> None:
    assert await left_with(Ask("New token", command, **FORM), "n", "escape") == [None]


async def test_ctrl_s_sends_a_form() -> None:
    assert await left_with(Ask("New token", command, **FORM), "ctrl+s") == [{"name": "ci", "quota": ""}]


async def test_what_cannot_be_undone_wants_to_be_typed() -> None:
    assert await left_with(Ask("Delete ci?", "newapi token delete ci", typed="ci"), "enter", "c", "enter", "y") == []
    assert await left_with(Ask("Delete ci?", "newapi token delete ci", typed="ci"), "c", "i", "enter") == [{}]


async def test_what_is_told_may_be_copied_and_shown_as_a_code() -> None:
    app: App[None] = App()
    copied: list[str] = []
    app.copy_to_clipboard = copied.append  # type: ignore[method-assign]
    async with app.run_test(size=(80, 24)) as pilot:
        told = Tell("Token ci", ["Its key:", (("sk-1", "accent"),)], copy="sk-1", code=True)
        app.push_screen(told)
        await pilot.pause()
        assert said(told).startswith("Its key:\nsk-1\n")
        await pilot.press("c")
        assert copied == ["sk-1"]
        await pilot.press("r")
        await pilot.pause()
        code = told.query_one("#tell-qr", Static)
        assert code.display
        assert code.region.height >= 10
        assert app.size.region.contains_region(code.region), "all of it is seen"
        await pilot.press("r", "escape")
        assert app.screen is not told


async def test_nothing_to_copy() -> None:
    app: App[None] = App()
    copied: list[str] = []
    app.copy_to_clipboard = copied.append  # type: ignore[method-assign]
    async with app.run_test() as pilot:
        app.push_screen(Tell("Done", [f"line {n}" for n in range(60)]))
        await pilot.pause()
        await pilot.press("c", "r", "j", "down", "pagedown", "k")
        assert not copied
        await pilot.press("enter")
        assert not isinstance(app.screen, Tell)
