"""The command that a dialog shows is one that there is, with options that it takes."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import Any

import pytest

from newapi.cli.app import Group
from tests.tui.screens.gateway import dashboard


def parsed(words: list[str]) -> str:
    """Take a command line apart as `newapi` does, without running it; return the command's path."""
    command: Any = Group.at(Group.folder, Group.package)
    context = None
    assert words[0] == "newapi"
    name, rest = words[0], words[1:]
    while isinstance(command, Group):
        context = command.context_class(command, info_name=name, parent=context)
        name, command, rest = command.resolve_command(context, rest)
    return command.make_context(name, rest, parent=context).command_path


@pytest.mark.parametrize(
    ("screen", "keys", "command"),
    [
        ("channels", ["d", *"2h", "tab", *"why"], "newapi channel disable"),
        ("channels", ["space", "space", "u"], "newapi channel enable"),
        ("channels", ["B"], "newapi channel enable"),
        ("channels", ["plus"], "newapi channel set"),
        ("channels", ["left_square_bracket"], "newapi channel set"),
        ("channels", ["K", "d"], "newapi channel keys"),
        ("channels", ["K", "u"], "newapi channel keys"),
        (
            "tokens",
            ["n", "a", "tab", "tab", "5", "tab", "tab", *"30d", "tab", "o", "tab", *"day=2"],
            "newapi token create",
        ),
        ("tokens", ["n", "a"], "newapi token create"),
        ("tokens", ["o"], "newapi token rotate"),
        ("tokens", ["d"], "newapi token set"),
        ("tokens", ["u"], "newapi token set"),
        ("tokens", ["L", "9", "tab", *"week=2", "tab", "1", "tab", "2", "tab", "3", "tab", *"9d"], "newapi token set"),
        ("tokens", ["L", *["tab"] * 6, "x", "tab", *"::1"], "newapi token set"),
        ("tokens", ["ctrl+d"], "newapi token delete"),
        ("users", ["dollar_sign", "5"], "newapi user topup"),
        ("users", ["dollar_sign", "minus", "5"], "newapi user topup"),
        ("users", ["d"], "newapi user set"),
        ("users", ["u"], "newapi user set"),
        ("users", ["R", "down", "enter"], "newapi user set"),
        ("users", ["o", "x"], "newapi user set"),
        ("models", ["Q", "tab", "5", "tab", "6", "tab", "tab", *"vip"], "newapi model price"),
    ],
)
async def test_what_a_dialog_shows_is_a_command(tmp_path: Path, screen: str, keys: list[str], command: str) -> None:
    async with dashboard(tmp_path, screen) as seen:
        await seen.press(*({"=": "equals_sign", ":": "colon"}.get(key, key) for key in keys))
        await seen.until(lambda: "$ newapi" in seen.dialog)
        shown = next(line for line in seen.dialog.split("\n") if line.startswith("$ newapi"))
        assert parsed(shlex.split(shown.removeprefix("$ "))) == command


def test_the_others_are_commands() -> None:
    for shown in ("newapi apply /etc/newapi/config.toml", "newapi rollback 3", "newapi channel edit main"):
        assert parsed(shown.split()).startswith("newapi ")
