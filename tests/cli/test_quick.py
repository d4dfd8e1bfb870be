"""What is answered before anything is imported is what would be answered after."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from newapi.cli import prepared
from newapi.cli.quick import HELP, answer
from tests.cli.test_app import NAMES

GROUPS = sorted({name[0] for name in NAMES if len(name) > 1})
ALONE = [group for group in GROUPS if [group, "show"] in [list(name) for name in NAMES]]


def test_help_is_that_of_the_commands() -> None:
    made = prepared.files()
    there = {path.name: path.read_text(encoding="utf-8") for path in Path(HELP).iterdir()}
    stale = sorted(name for name in {*made, *there} if made.get(name) != there.get(name))
    assert stale == [], "python -m newapi.cli.manual man/"


def test_writing_removes_what_is_gone(tmp_path: Path) -> None:
    (tmp_path / "newapi.gone.txt").write_text("")
    assert "newapi.gone.txt" in prepared.write(tmp_path)
    assert not (tmp_path / "newapi.gone.txt").exists()
    assert prepared.write(tmp_path) == []


@pytest.mark.parametrize("columns", [80, 200])
@pytest.mark.parametrize(
    "argv",
    [
        ["--help"],
        ["-h"],
        ["--no-color", "--help"],
        ["--version"],
        ["-V"],
        ["token", "--help"],
        ["token", "create", "--help"],
        ["token", "create", "--no-color", "-h"],
        ["import", "-h"],
        [],
        ["token"],
        ["chanel", "lst"],
        ["zzz", "--help"],
        ["token", "crate"],
        ["token", "crate", "-o", "json"],
    ],
    ids=" ".join,
)
def test_the_same_is_said(
    newapi: Callable[..., Any],
    argv: list[str],
    columns: int,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("COLUMNS", str(columns))
    slow = newapi(*argv)
    code = answer(argv)
    assert code is None or (code, *capsys.readouterr()) == tuple(slow)
    assert code is not None or "zzz" in argv or "-o" in argv


@pytest.mark.parametrize(
    "argv",
    [
        ["version"],
        ["token", "create", "ci", "--help"],
        ["token.create", "--help"],
        ["../help/newapi", "--help"],
        ["token-create", "--help"],
        ["-o", "--help"],
        ["completion", "csh"],
        ["token", "list", "extra"],
    ],
    ids=" ".join,
)
def test_what_it_leaves_to_the_commands(argv: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    code = answer(argv)
    out, err = capsys.readouterr()
    assert (code, out) == (None, "") or (code == 2 and err.startswith("error: No such command"))


def test_a_narrow_terminal_gets_help_of_its_width(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "60")
    assert answer(["--help"]) is None


@pytest.mark.parametrize("group", ALONE)
def test_a_group_that_shows_is_no_wrong_usage(group: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert answer([group]) is None
    assert capsys.readouterr() == ("", "")


@pytest.mark.parametrize("group", [g for g in GROUPS if g not in ALONE])
def test_a_group_without_a_command_is_wrong_usage(group: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert answer([group]) == 2
    assert capsys.readouterr().err.startswith(f"Usage: newapi {group} ")


@pytest.mark.parametrize("argv", [["--version"], ["--help"], ["token", "create", "--help"], ["token"], [""]], ids=str)
def test_nothing_is_imported_for_it(argv: list[str]) -> None:
    completes = {"_NEWAPI_COMPLETE": "bash"} if argv == [""] else {}
    code = (
        "import sys; before = set(sys.modules); sys.argv = ['newapi', *sys.argv[1:]]\n"
        "from newapi.__main__ import main\n"
        "try: main()\n"
        "except SystemExit: pass\n"
        "print('LOADED', *sorted(set(sys.modules) - before), file=sys.stderr)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, *argv],
        capture_output=True,
        text=True,
        check=True,
        env={**os.environ, **completes},
    )
    loaded = set(done.stderr.rpartition("LOADED ")[2].split())
    assert loaded - {"__future__"} == {"newapi", "newapi.__main__", "newapi.cli", "newapi.cli.quick"}


def test_a_broken_pipe_is_quiet() -> None:
    reader, writer = os.pipe()
    os.close(reader)
    with os.fdopen(writer, "w") as pipe:
        done = subprocess.run(
            [sys.executable, "-m", "newapi", "--help"], check=False, stdout=pipe, stderr=subprocess.PIPE, text=True
        )
    assert (done.returncode, done.stderr) == (0, "")
