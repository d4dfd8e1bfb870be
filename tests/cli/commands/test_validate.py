from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest

WRONG = '[channels.main]\ntype = "openai"\nmodels = ["gpt-4o"]\nwieght = 1\n'


@pytest.fixture(autouse=True)
def _here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("good.toml").write_text("version = 1\n")
    Path("wrong.toml").write_text(WRONG)
    Path("worse.toml").write_text("version = 2\n[limits]\nkeepalive = 1\n")


def test_valid(newapi: Callable[..., Any]) -> None:
    assert newapi("validate", "good.toml") == (0, "", "good.toml is valid\n")
    assert newapi("validate", "-", stdin="version = 1\n") == (0, "", "standard input is valid\n")
    Path("more.toml").write_text('include = ["good.toml"]\n')
    assert newapi("validate", "more.toml") == (0, "", "more.toml (2 files) is valid\n")


def test_not_valid(newapi: Callable[..., Any]) -> None:
    assert newapi("validate", "wrong.toml") == (
        2,
        "",
        "error: unknown key `wieght`\n"
        " --> wrong.toml:4:1\n"
        "  |\n"
        "4 | wieght = 1\n"
        "  | ^^^^^^\n"
        "  = help: did you mean `weight`?\n"
        "\n"
        "1 problem\n",
    )


def test_several_files(newapi: Callable[..., Any]) -> None:
    code, out, err = newapi("validate", "good.toml", "wrong.toml", "worse.toml")
    assert (code, out) == (2, "")
    assert err.startswith("good.toml is valid\nerror: ")
    assert [line for line in err.splitlines() if line.startswith(" -->")] == [
        " --> wrong.toml:4:1",
        " --> worse.toml:1:11",
        " --> worse.toml:3:13",
    ]
    assert err.endswith("\n3 problems\n")


def test_for_programs(newapi: Callable[..., Any]) -> None:
    code, out, err = newapi("validate", "worse.toml", "--format", "json")
    assert (code, err) == (2, "")
    assert [(p["line"], p["key"]) for p in msgspec.json.decode(out)["problems"]] == [
        (1, "version"),
        (3, "limits.keepalive"),
    ]
    assert newapi("validate", "good.toml", "--format", "json") == (0, '{"problems":[]}\n', "")


def test_for_github(newapi: Callable[..., Any]) -> None:
    assert newapi("validate", "wrong.toml", "--format", "github") == (
        2,
        "::error file=wrong.toml,line=4,col=1,title=newapi validate::unknown key `wieght`; did you mean `weight`?\n",
        "",
    )
    assert newapi("validate", "good.toml", "--format", "github") == (0, "", "")


def test_the_file_in_use(newapi: Callable[..., Any], monkeypatch: pytest.MonkeyPatch) -> None:
    code, _, err = newapi("validate")
    assert (code, err.splitlines()[0]) == (2, "error: there is no configuration")
    assert newapi("validate", "--config", "good.toml") == (0, "", "good.toml is valid\n")
    monkeypatch.setenv("NEWAPI_CONFIG", "good.toml")
    assert newapi("validate").code == 0
    assert newapi("validate", "wrong.toml").code == 2


def test_a_file_that_is_not_there(newapi: Callable[..., Any]) -> None:
    code, out, err = newapi("validate", "nope.toml", "good.toml")
    assert (code, out) == (2, "")
    assert "error: nope.toml: no such file or directory\n" in err
