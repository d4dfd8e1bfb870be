from __future__ import annotations

from pathlib import Path

import pytest

from newapi.cli.output import ExitCode
from tests.cli.commands.conftest import Run
from tests.support.process import refusing_port
from tests.support.receiver import receiver


def declare(config: Path, hook: str) -> None:
    text = f"""
[notices.chat]
via = "webhook"
url = "{hook}"
level = "error"
about = ["channel_tripped", "budget"]

[notices.phone]
via = "bark"
url = "env:BARK"
"""
    config.write_text(config.read_text() + text)


def test_who_is_told(config: Path, run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    declare(config, "https://chat.example.com/hook")
    monkeypatch.setenv("BARK", "https://example.com/CANARY/{{title}}/{{content}}")
    done = run("notice", "list")
    assert (done.code, done.out.splitlines()) == (
        0,
        [
            "chat\twebhook\thttps://chat.example.com/hook\tchannel_tripped, budget\terror",
            "phone\tbark\t(a reference)\tall\twarning",
        ],
    )
    assert run("notice", "list", "-o", "name").out == "chat\nphone\n"


def test_a_test_reaches_all_and_says_whom_it_did_not(config: Path, run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    with receiver() as (url, heard), refusing_port() as port:
        declare(config, url)
        monkeypatch.setenv("BARK", f"http://127.0.0.1:{port}/CANARY/{{{{content}}}}")
        done = run("notice", "test")
        assert done.code == ExitCode.CHECK_FAILED
        assert done.err.splitlines() == [
            "chat: told",
            "phone: bark of [notices.phone]: no connection to the upstream: ConnectError",
        ]
        assert run("notice", "test", "chat").code == 0
        assert len(heard) == 2
    assert b"A test of newapi" in heard[0].body


def test_nobody(run: Run) -> None:
    done = run("notice", "test")
    assert (done.code, done.err) == (0, "Nobody is told: the configuration has no [notices.*]\n")
    assert "There is no [notices.ops]" in run("notice", "test", "ops").err
