from __future__ import annotations

import pytest

from tests.cli.commands.conftest import Run


@pytest.mark.parametrize(
    ("shell", "line"),
    [
        ("bash", "complete -o default -F _newapi_completion newapi"),
        ("zsh", "compdef _newapi_completion newapi"),
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


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ("newapi sec", "secret\n"),
        ("newapi secret ", "delete\nlist\nset\n"),
        ("newapi secret set x --in d", ""),
        ("newapi secret set x --dr", "--dry-run\n"),
        ("newapi completion b", "bash\n"),
    ],
)
def test_what_may_come_next(run: Run, monkeypatch: pytest.MonkeyPatch, words: str, said: str) -> None:
    monkeypatch.setenv("_NEWAPI_COMPLETE", "complete_bash")
    monkeypatch.setenv("COMP_WORDS", words)
    monkeypatch.setenv("COMP_CWORD", str(len(words.split(" ")) - 1))
    done = run()
    assert (done.code, done.out) == (0, said or "database\n")
