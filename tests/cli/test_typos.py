"""What a misspelt command line is answered, and with which exit code: `typos.txt`, a transcript.

    NEWAPI_UPDATE_GOLDEN=1 pytest tests/cli/test_typos.py

writes the answers anew. A new case is a new line that begins with `$ newapi`.
"""

from __future__ import annotations

import os
import shlex
from collections.abc import Iterator
from pathlib import Path
from unittest import mock

import pytest

from newapi.__main__ import main
from tests.support.process import inside

TYPOS = Path(__file__).parent / "typos.txt"
PROMPT = "$ newapi "
CONFIG = """\
[server]
listen = "127.0.0.1:1"
database = "sqlite:///gateway.db"
[groups.vip]
[mail]
host = "mail.example.com"
[notices.ops]
via = "email"
to = ["ops@example.com"]
[channels.openai]
type = "openai"
key = "env:UPSTREAM_KEY"
models = ["gpt-4o"]
tag = "prod"
[channels.claude]
type = "anthropic"
key = "env:UPSTREAM_KEY"
models = ["claude-*"]
[tokens.ci]
quota = "$10"
key = "env:CI_TOKEN"
"""
CASES = [block.partition("\n")[0] for block in TYPOS.read_text().split(PROMPT)[1:]]


@pytest.fixture(scope="module")
def env(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    home = tmp_path_factory.mktemp("typos")
    env = {"XDG_CONFIG_HOME": str(home), "NO_COLOR": "1", "COLUMNS": "80"}
    env |= {"UPSTREAM_KEY": "sk-upstream", "CI_TOKEN": "sk-" + "c" * 48}
    before = Path.cwd()
    os.chdir(home)
    with mock.patch.dict(os.environ, env):
        Path("config.toml").write_text(CONFIG)
        Path("one-api.db").touch()
        assert inside("apply", "--yes", env=env).code == 0
        assert inside("secret", "set", "spare", "--in", "database", env=env, stdin="sk-secret\n").code == 0
        yield env
    os.chdir(before)


def _answer(line: str, env: dict[str, str]) -> str:
    ran = inside(*shlex.split(line), env=env)
    return f"{PROMPT}{line}\n{ran.out}{ran.err}[{ran.code}]\n"


@pytest.fixture(scope="module")
def answers(env: dict[str, str]) -> dict[str, str]:
    """The answers that are known, by the command line; those of now where they are to be written."""
    if os.environ.get("NEWAPI_UPDATE_GOLDEN"):
        TYPOS.write_text("\n".join(_answer(line, env) for line in CASES))
    blocks = TYPOS.read_text().split(PROMPT)[1:]
    return {block.partition("\n")[0]: f"{PROMPT}{block}".rstrip("\n") + "\n" for block in blocks}


@pytest.mark.parametrize("line", CASES)
def test_what_was_meant_is_said(line: str, env: dict[str, str], answers: dict[str, str]) -> None:
    assert _answer(line, env) == answers[line]


def test_help_is_asked_for_with_a_word_too(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    told: list[str] = []
    for words in (["help", "channel", "list"], ["channel", "list", "--help"]):
        monkeypatch.setattr("sys.argv", ["newapi", *words])
        with pytest.raises(SystemExit, match="0"):
            main()
        told.append(capsys.readouterr().out)
    assert told[0] == told[1] != ""
