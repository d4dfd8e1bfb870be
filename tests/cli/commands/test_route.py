from __future__ import annotations

from pathlib import Path

import pytest

from newapi.cli.output import ExitCode
from tests.cli.commands.conftest import Run


@pytest.fixture
def ready(config: Path, run: Run) -> Run:
    more = '\n[channels.spare]\ntype = "openai"\nkey = "env:MISSING"\nmodels = ["my-model"]\n'
    config.write_text(config.read_text() + more)
    assert run("apply", "--yes").code == 0
    return run


def test_says_which_and_why_not(ready: Run) -> None:
    done = ready("route", "my-model")
    lines = [line.split("\t") for line in done.out.splitlines()]
    assert done.code == 0, done.err
    assert [(line[0], line[1], line[2]) for line in lines] == [("1", "main", "100%"), ("-", "spare", "")]
    assert "env:MISSING" in lines[1][-1]


def test_a_token_goes_where_its_group_goes(ready: Run) -> None:
    done = ready("route", "my-model", "--token", "ci", "-o", "json")
    found = done.json()
    assert (done.code, found["group"], found["problems"]) == (0, "vip", [])


@pytest.mark.parametrize(
    ("argv", "code", "words"),
    [
        (("other",), ExitCode.CHECK_FAILED, "other: it has no price"),
        (("my-model", "--group", "reds"), ExitCode.CHECK_FAILED, "there is no group 'reds'"),
        (("my-model", "--token", "nobody"), ExitCode.NOT_FOUND, "nobody"),
    ],
)
def test_what_would_be_refused(ready: Run, argv: tuple[str, ...], code: int, words: str) -> None:
    done = ready("route", *argv)
    assert done.code == code
    assert words in done.err
