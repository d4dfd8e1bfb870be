"""The pages in man/ are those that the program makes: `python -m newapi.cli.manual man/` makes them again."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from newapi.cli import manual
from newapi.config.read import fields_of
from newapi.config.schema import ChannelSpec
from newapi.formats import names as format_names
from tests.cli.commands.conftest import Run, config, run  # noqa: F401  (fixtures)

MAN = Path(__file__).parents[2] / "man"


@pytest.fixture(scope="module")
def pages() -> dict[str, str]:
    return manual.pages()


def test_the_pages_are_those_of_the_commands(pages: dict[str, str]) -> None:
    there = {path.name: path.read_text() for path in MAN.iterdir()}
    stale = sorted(name for name in {*pages, *there} if pages.get(name) != there.get(name))
    assert stale == [], "python -m newapi.cli.manual man/"


def test_every_key_and_format_has_its_place(pages: dict[str, str]) -> None:
    for key in fields_of(ChannelSpec):
        assert f"\\fB{key}\\fR (" in pages["newapi-config.5"]
    for name in format_names():
        assert f"\\fB{name}\\fR\n" in pages["newapi-formats.7"]


def test_a_page_says_what_help_says(pages: dict[str, str]) -> None:
    page = pages["newapi-secret-set.1"]
    assert "\\fB\\-\\-in <keyring|database>\\fR\n" in page
    assert "newapi secret set vertex \\-\\-in database < service\\-account.json\n" in page
    assert "\\fBnewapi\\-secret\\fR(1)" in page


def test_text_is_printed_as_it_is() -> None:
    assert manual.escaped(".a 'b' \\ `c` – ~") == r".a \(aqb\(aq \e \(gac\(ga \[u2013] \(ti".replace(".a", r"\&.a")


def test_writing_removes_what_is_gone(tmp_path: Path) -> None:
    gone = tmp_path / "newapi-gone.1"
    gone.write_text("")
    assert "newapi.1" in manual.write(tmp_path)
    assert not gone.exists()
    assert manual.write(tmp_path) == []


@pytest.mark.skipif(shutil.which("mandoc") is None, reason="mandoc is not installed")
def test_mandoc_has_nothing_to_say() -> None:
    files = sorted(map(str, MAN.iterdir()))
    done = subprocess.run(["mandoc", "-Tlint", "-W", "warning", *files], capture_output=True, text=True, check=False)
    assert done.stdout == ""
    assert done.returncode == 0


@pytest.mark.parametrize(
    ("words", "page"),
    [
        ((), "newapi.1"),
        (("secret", "set"), "newapi-secret-set.1"),
        (("config",), "newapi-config.1"),
        (("5", "config"), "newapi-config.5"),
        (("formats",), "newapi-formats.7"),
    ],
)
def test_which_page(run: Run, words: tuple[str, ...], page: str) -> None:  # noqa: F811
    assert run("man", "--path", *words).out == f"{MAN / page}\n"


def test_no_page(run: Run) -> None:  # noqa: F811
    done = run("man", "tokn", "create")
    assert done.code == 5
    assert "Did you mean 'token create'?" in done.err


def test_a_page_is_shown(run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:  # noqa: F811
    viewer = tmp_path / "man"
    viewer.write_text('#!/bin/sh\necho "shown $1"\n')
    viewer.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}{os.environ['PATH']}")
    assert run("man", "fmt").out == f"shown {MAN / 'newapi-fmt.1'}\n"


def test_nothing_to_show_it_with(run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:  # noqa: F811
    monkeypatch.setenv("PATH", str(tmp_path))
    assert run("man", "fmt").code == 1
