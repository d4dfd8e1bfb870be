from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from newapi.cli.quick import answer
from tests.cli.commands.conftest import Run

SHELLS = ("bash", "zsh", "fish", "powershell")


@pytest.mark.parametrize(
    ("shell", "line"),
    [
        ("bash", "complete -o default -F _newapi_completion newapi"),
        ("zsh", "compdef _newapi newapi"),
        ("fish", "complete --command newapi"),
        ("powershell", "Register-ArgumentCompleter"),
    ],
)
def test_scripts(run: Run, shell: str, line: str) -> None:
    done = run("completion", shell)
    assert (done.code, done.err) == (0, "")
    assert line in done.out
    assert "_NEWAPI_COMPLETE" in done.out


def test_another_shell_is_wrong_usage(run: Run) -> None:
    assert run("completion", "csh").code == 2


def completed(shell: str, words: list[str], monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> str:
    monkeypatch.setenv("_NEWAPI_COMPLETE", shell)
    assert answer(words) == 0
    return capfd.readouterr().out


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["sec"], ["secret"]),
        (["secret", ""], ["delete", "list", "set"]),
        (["--no-color", "secret", "s"], ["set"]),
        (["secret", "set", "x", "--in", "d"], ["database"]),
        (["secret", "set", "x", "--dr"], ["--dry-run"]),
        (["secret", "set", "--in=d"], ["--in=database"]),
        (["secret", "set", "--in", "=", "d"], ["database"]),
        (["secret", "set", "--in", "="], ["keyring", "database"]),
        (["completion", "b"], ["bash"]),
        (["completion", "bash", ""], []),
        (["completion", "-"], ["--no-color", "--help", "-h"]),
        (["token", "set", "ci", "--e"], ["--expires", "--enable"]),
        (["nothing", ""], ["api"]),
        (["usage", "--by", ""], []),
        (["usage", "--pl"], ["--plot"]),
        (["validate", ""], []),
        ([], ["api"]),
    ],
)
def test_what_may_come_next(
    words: list[str], said: list[str], monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    found = completed("bash", words, monkeypatch, capfd).splitlines()
    assert (found[:1] if said == ["api"] else found) == said


@pytest.mark.parametrize(
    ("shell", "said"),
    [
        ("bash", "token\ntrace\n"),
        ("zsh", "token:Tokens\\: what callers show to be let in\n"),
        ("fish", "token\tTokens: what callers show to be let in\n"),
        ("powershell", "token\ntrace\n"),
    ],
)
def test_what_a_shell_shows_beside_it(
    shell: str, said: str, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    out = completed(shell, ["t"], monkeypatch, capfd)
    assert said.replace("\\:", ":") in out.replace("\\:", ":")


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["channel", "get", ""], ["main"]),
        (["channel", "disable", "main", "m"], ["main"]),
        (["logs", "--channel", "m"], ["main"]),
        (["token", "get", ""], ["ci"]),
        (["user", "get", "r"], ["root"]),
        (["group", "get", ""], ["default", "vip"]),
        (["token", "create", "c"], []),
        (["token", "create", "x", "--group", "v"], ["vip"]),
        (["route", "my"], ["my-model"]),
        (["context", "use", ""], ["local"]),
        (["channel", "get", "--config", "/nowhere/config.toml", ""], []),
        (["channel", "list", "--server", "127.0.0.1:1", "--tag", ""], []),
    ],
)
def test_names_are_asked_for(
    run: Run, words: list[str], said: list[str], monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    assert run("apply", "--yes").code == 0
    assert completed("bash", words, monkeypatch, capfd).splitlines() == said


def test_bash_gets_what_comes_after_its_colon(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("newapi.cli.names.names", lambda kind, words: ["qwen:7b", "qwen:72b", "other"])
    assert completed("bash", ["route", "qwen", ":", "7"], monkeypatch, capfd) == "7b\n72b\n"
    assert completed("bash", ["route", "qwen", ":"], monkeypatch, capfd) == "7b\n72b\n"
    assert completed("bash", ["route", "qwen:7"], monkeypatch, capfd) == "qwen:7b\nqwen:72b\n"
    assert completed("zsh", ["route", "qwen:7"], monkeypatch, capfd) == "qwen\\:7b\nqwen\\:72b\n"


def test_powershell_hands_the_word_over_beside(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("_NEWAPI_COMPLETE_WORD", "se")
    assert completed("powershell", ["secret"], monkeypatch, capfd) == "set\n"


@pytest.mark.skipif(shutil.which("bash") is None, reason="bash is not installed")
def test_bash_itself(run: Run, tmp_path: Path) -> None:
    program = tmp_path / "newapi"
    program.write_text(f'#!/bin/sh\nexec {sys.executable} -m newapi "$@"\n')
    program.chmod(0o755)
    script = run("completion", "bash").out
    script += 'COMP_WORDS=(newapi secret set x --in "") COMP_CWORD=5\n_newapi_completion newapi\n'
    script += "printf '%s\\n' \"${COMPREPLY[@]}\"\ncomplete -p newapi\n"
    done = subprocess.run(
        ["bash", "--norc", "-c", script],
        env={**os.environ, "PATH": f"{tmp_path}{os.pathsep}{os.environ['PATH']}"},
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout == "keyring\ndatabase\ncomplete -o default -F _newapi_completion newapi\n"
