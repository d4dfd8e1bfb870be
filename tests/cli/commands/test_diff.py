from __future__ import annotations

import io
from pathlib import Path

import pytest

from newapi.ops.local import open_local
from newapi.store import snapshot
from tests.cli.commands.conftest import CONFIG, Run


def test_the_plan_is_data(run: Run, config: Path) -> None:
    done = run("diff")
    assert done.code == 0
    assert '+ channels.main\n    type   = "openai"\n    key    = (reference)' in done.out
    assert done.err == "Plan: 4 to add, 0 to change, 0 to delete.\n"
    assert snapshot.load(open_local(config).db).channels == ()


def test_one_line_an_object(run: Run) -> None:
    assert run("diff", "--summary").out.splitlines() == [
        "+ groups.vip",
        "+ models.my-model",
        "+ channels.main",
        "+ tokens.ci",
    ]


def test_differences_have_an_exit_code(run: Run) -> None:
    assert run("diff", "--exit-code").code == 3
    run("apply", "--yes")
    done = run("diff", "--exit-code")
    assert (done.code, done.out, done.err) == (0, "", "No differences.\n")


def test_as_json(run: Run, config: Path) -> None:
    run("apply", "--yes")
    config.write_text(CONFIG.replace('"$10"', '"$20"').replace("env:UPSTREAM_KEY", "env:OTHER"))
    items = run("diff", "-o", "json").json()["items"]
    assert items == [
        {
            "kind": "channels",
            "name": "main",
            "action": "update",
            "fields": [{"key": "key", "before": "(reference)", "after": "(another reference)"}],
        },
        {
            "kind": "tokens",
            "name": "ci",
            "action": "update",
            "fields": [{"key": "quota", "before": "10", "after": "20"}],
        },
    ]


def test_from_standard_input(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO("[groups.vip]\nratio = 0.5\n"))
    assert run("diff", "-", "--summary").out == "+ groups.vip\n"


def test_a_file_that_is_not_valid(run: Run, config: Path) -> None:
    config.write_text(CONFIG.replace('type = "openai"', "typ = 'openai'"))
    assert run("diff").code == 2


def test_two_files_are_one_too_many(run: Run) -> None:
    assert run("diff", "a.toml", "b.toml").code == 2
