"""Channels made, changed, deleted and switched by command; their keys are never shown."""

from __future__ import annotations

import io
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from newapi.ops import channels
from newapi.ops.local import Local
from tests.cli.commands.conftest import Run

KEY = "sk-canary-of-a-channel"


def stdin(monkeypatch: pytest.MonkeyPatch, text: str) -> None:
    monkeypatch.setattr(sys, "stdin", io.StringIO(text))


def get(run: Run, name: str) -> Any:
    return run("channel", "get", name, "-o", "json").json()


@pytest.fixture
def main(run: Run) -> str:
    """A channel that no file declares."""
    made = run(
        "channel",
        "create",
        "c1",
        "--type",
        "openai",
        "--key",
        "env:A",
        "--models",
        "m*,o3",
        "--set",
        'drop_fields=["store"]',
    )
    assert made.code == 0, made.err
    return "c1"


def test_made_from_flags_and_settings(run: Run, main: str) -> None:
    found = get(run, main)
    assert (found["type"], found["models"], found["key"], found["drop_fields"]) == (
        "openai",
        ["m*", "o3"],
        "env:A",
        ["store"],
    )
    assert (found["state"], found["managed"]) == ("enabled", "")
    assert run("channel", "create", "c1", "--type", "openai", "--key", "env:A", "--models", "m").code == 6


def test_a_key_comes_from_standard_input_and_is_kept_encrypted(
    run: Run, local: Local, monkeypatch: pytest.MonkeyPatch
) -> None:
    stdin(monkeypatch, f"{KEY}\n{KEY}2\n")
    made = run("channel", "create", "pool", "--type", "deepseek", "--key-stdin", "--models", "d", "-o", "json")
    assert made.code == 0, made.err
    assert KEY not in made.out + made.err
    view = channels.get(local.db, "pool")
    assert [local.resolve(reference).reveal() for reference in view.references] == [KEY, f"{KEY}2"]


@pytest.mark.parametrize(
    ("argv", "said"),
    [
        (["--key", KEY], "never an argument"),
        ([], "needs a key"),
        (["--key", "env:A", "--key-stdin"], "needs a key"),
        (["--key", "env:A", "--set", "weigth=1"], "did you mean `weight`"),
        (["--key", "env:A", "--set", "weight"], "says nothing"),
        (["--key", "env:A", "--set", "weight.x=1"], "weight has no keys"),
        (["--key", "env:A", "--groups", "vipp"], "vipp"),
    ],
)
def test_what_cannot_be_made(run: Run, argv: list[str], said: str) -> None:
    done = run("channel", "create", "x", "--type", "openai", "--models", "m", "--weight", "1", *argv)
    assert done.code == 2, done.err
    assert said in done.err
    assert run("channel", "get", "x").code == 5


def test_an_unknown_type_is_told(run: Run) -> None:
    done = run("channel", "create", "x", "--type", "opnai", "--models", "m", "--key", "env:A")
    assert (done.code, "openai" in done.err) == (2, True)


def test_settings_are_changed_and_taken_back(run: Run, main: str) -> None:
    done = run(
        "channel", "set", main, "priority=7", "tag=prod", "model_mapping.o3=o3-mini", "drop_fields=", "-o", "json"
    )
    assert done.code == 0, done.err
    found = get(run, main)
    assert (found["priority"], found["tag"], found["model_mapping"], found["drop_fields"]) == (
        7,
        "prod",
        {"o3": "o3-mini"},
        [],
    )
    assert run("channel", "set", main, "--name", "c2").code == 0
    assert get(run, "c2")["priority"] == 7
    assert "says so already" in run("channel", "set", "c2", "priority=7").err
    assert run("channel", "set", "c2").code == 2
    assert run("channel", "set", "c2", "priority=high").code == 2
    assert "Would change priority" in run("channel", "set", "c2", "priority=8", "--dry-run").err
    assert get(run, "c2")["priority"] == 7
    assert run("channel", "set", "c2", "enabled=false").code == 0
    assert get(run, "c2")["state"] == "disabled"


def test_another_key(run: Run, main: str, local: Local, monkeypatch: pytest.MonkeyPatch) -> None:
    stdin(monkeypatch, KEY)
    done = run("channel", "set", main, "--key-stdin", "-o", "json")
    assert (done.code, KEY in done.out + done.err) == (0, False)
    (reference,) = channels.get(local.db, main).references
    assert local.resolve(reference).reveal() == KEY
    stdin(monkeypatch, "\n")
    assert run("channel", "set", main, "--key-stdin").code == 2


@pytest.fixture
def editor(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An editor that does what is written into this file."""
    script = tmp_path / "editor"
    script.write_text("#!/bin/sh\n")
    script.chmod(0o755)
    monkeypatch.setenv("EDITOR", str(script))
    monkeypatch.delenv("VISUAL", raising=False)
    return script


def test_edited(run: Run, main: str, editor: Path) -> None:
    assert "Nothing was changed" in run("channel", "edit", main).err
    editor.write_text('#!/bin/sh\nsed -i "s/^key = .*/&\\npriority = 3/" "$1"\n')
    done = run("channel", "edit", main)
    assert (done.code, done.err) == (0, "Changed priority of channel c1.\n")
    assert get(run, main)["priority"] == 3
    editor.write_text('#!/bin/sh\necho "weigth = 1" >> "$1"\n')
    wrong = run("channel", "edit", main)
    assert (wrong.code, "did you mean `weight`" in wrong.err) == (7, True)
    editor.write_text("#!/bin/sh\nexit 3\n")
    assert "left with 3" in run("channel", "edit", main).err
    assert run("channel", "edit", main, "--no-input").code == 7
    assert get(run, main)["priority"] == 3


def test_changed_meanwhile_is_a_conflict(run: Run, main: str, editor: Path, local: Local) -> None:
    editor.write_text(
        f'#!/bin/sh\n{sys.executable} -m newapi channel set {main} priority=9 && echo "priority = 3" >> "$1"\n'
    )
    assert run("channel", "edit", main).code == 6
    assert get(run, main)["priority"] == 9


def test_deleted(run: Run, main: str) -> None:
    assert run("channel", "delete", main, "--dry-run").err == "Would delete c1.\n"
    assert run("channel", "delete", main).code == 7
    assert run("channel", "delete", main, "--yes").err == "Deleted 1 of 1.\n"
    assert run("channel", "get", main).code == 5


def test_keys_are_listed_and_switched(run: Run, local: Local, monkeypatch: pytest.MonkeyPatch) -> None:
    stdin(monkeypatch, f"{KEY}1\n{KEY}2\n")
    assert run("channel", "create", "pool", "--type", "openai", "--key-stdin", "--models", "m").code == 0
    run("channel", "keys", "pool", "--disable", "1", "--reason", "leaked")
    rows: Any = run("channel", "keys", "pool", "-o", "json").json()["items"]
    assert [(row["key"], row["state"], row["reason"]) for row in rows] == [
        (0, "enabled", ""),
        (1, "disabled", "leaked"),
    ]
    run("channel", "keys", "pool", "--enable", "1")
    stdin(monkeypatch, f"{KEY}2\n{KEY}3\n")
    added = run("channel", "keys", "pool", "--add", "-o", "json")
    assert KEY not in added.out + added.err
    assert [local.resolve(r).reveal() for r in channels.get(local.db, "pool").references] == [
        f"{KEY}{n}" for n in (1, 2, 3)
    ]
    assert run("channel", "keys", "pool", "--delete", "0", "--delete", "2").code == 0
    assert [local.resolve(r).reveal() for r in channels.get(local.db, "pool").references] == [f"{KEY}2"]
    assert run("channel", "keys", "pool", "--delete", "0").code == 1
    assert run("channel", "keys", "pool", "--disable", "7").code == 5
    assert run("channel", "keys", "pool", "--disable", "0", "--enable", "0").code == 2


def test_a_channel_comes_back_by_itself(run: Run, main: str, local: Local) -> None:
    done = run("channel", "disable", main, "--for", "2h", "--reason", "quota")
    assert done.err.startswith("Disabled 1 of 1 until ")
    view = channels.get(local.db, main)
    assert abs(view.disabled_until - time.time() - 7200) < 60
    assert "quota, until " in run("channel", "list").out
    assert channels.bring_back(local.db) == 0
    assert channels.bring_back(local.db, now=view.disabled_until + 1) == 1
    assert get(run, main)["state"] == "enabled"
    assert channels.get(local.db, main).disabled_until == 0
    run("channel", "disable", main, "--for", "2h")
    run("channel", "disable", main)
    assert channels.bring_back(local.db, now=view.disabled_until + 9e9) == 0
    assert run("channel", "disable", main, "--for", "soon").code == 2


def test_balances(run: Run, main: str, monkeypatch: pytest.MonkeyPatch) -> None:
    assert run("channel", "balance").code == 2
    with monkeypatch.context() as patched:
        patched.setattr("newapi.ops.channel_probe.balance", lambda local, view: 12.5)
        assert run("channel", "balance", main).out == "c1\t$12.50\t\n"
        assert run("channel", "balance", "--all").out == "c1\t$12.50\t\n"
    run("channel", "create", "x", "--type", "anthropic", "--key", "env:A", "--models", "m")
    told = run("channel", "balance", "x", "-o", "json")
    assert told.code == 8
    items: Any = told.json()["items"]
    assert items[0]["usd"] is None
    assert "balance" in items[0]["error"]
