from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.conftest import Ran

New = Callable[..., Ran]
UNTIDY = "[server]\nlisten='127.0.0.1:1'\n"
TIDY = '[server]\nlisten = "127.0.0.1:1"\n'


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "config.toml"
    path.write_text(UNTIDY)
    path.chmod(0o640)
    return path


def test_a_file_is_rewritten(newapi: New, file: Path) -> None:
    assert newapi("fmt", file) == (0, f"{file}\n", "")
    assert (file.read_text(), file.stat().st_mode & 0o777) == (TIDY, 0o640)
    assert [p.name for p in file.parent.iterdir()] == ["config.toml"]
    assert newapi("fmt", file) == (0, "", "")
    assert newapi("fmt", "--check", file) == (0, "", "")


@pytest.mark.parametrize(("flag", "code"), [("--check", 3), ("--dry-run", 0)])
def test_nothing_is_changed(newapi: New, file: Path, flag: str, code: int) -> None:
    assert newapi("fmt", flag, file) == (code, f"{file}\n", "")
    assert file.read_text() == UNTIDY


def test_a_diff(newapi: New, file: Path) -> None:
    done = newapi("fmt", "--diff", "--check", file)
    assert done.code == 3
    assert done.out == (
        f"--- {file}\n+++ {file} (formatted)\n@@ -1,2 +1,2 @@\n"
        " [server]\n-listen='127.0.0.1:1'\n+listen = \"127.0.0.1:1\"\n"
    )
    assert file.read_text() == UNTIDY


def test_a_diff_shows_no_secret(newapi: New, file: Path) -> None:
    file.write_text("key='sk-proj-1234567890abcdefghij1234567890abcdefghij'\n")
    assert "1234567890" not in newapi("fmt", "--diff", file).out


def test_standard_input(newapi: New) -> None:
    assert newapi("fmt", "-", stdin=UNTIDY) == (0, TIDY, "")
    assert newapi("fmt", "-", "--check", stdin=UNTIDY).code == 3


def test_what_is_not_toml(newapi: New, file: Path) -> None:
    file.write_text("a = \n")
    done = newapi("fmt", file)
    assert done.code == 2
    assert f"{file}:1:5" in done.err
    assert file.read_text() == "a = \n"


def test_a_link_stays_one(newapi: New, file: Path) -> None:
    link = file.with_name("link.toml")
    link.symlink_to(file)
    newapi("fmt", link)
    assert link.is_symlink()
    assert file.read_text() == TIDY
