from __future__ import annotations

from pathlib import Path

import pytest

from newapi.ops.local import open_local
from newapi.store import snapshot
from newapi.store.keys import hash_key
from tests.cli.commands.conftest import Run

FLAGS = (
    *("--group", "vip", "--quota", "$10", "--expires", "30d", "--models", "gpt-4o*,o3", "--models", "claude*"),
    *("--allow-ip", "10.0.0.0/8", "--allow-ip", "::1", "--budget", "day=$2", "--budget", "month=$40"),
)


def test_the_key_alone(run: Run, config: Path) -> None:
    assert run("apply", "--yes", "--only", "groups").code == 0
    done = run("token", "create", "ci", *FLAGS, "-q")
    assert (done.code, done.err) == (0, "")
    key = done.out.removesuffix("\n")
    (token,) = snapshot.load(open_local(config).db).tokens
    assert token.key_hash == hash_key(key)
    assert (token.group, token.remaining, token.spec.models) == ("vip", 5_000_000, ("gpt-4o*", "o3", "claude*"))
    assert token.spec.allow_ips == ("10.0.0.0/8", "::1")
    assert {k: str(v) for k, v in token.spec.budget.items()} == {"day": "2", "month": "40"}


def test_all_about_a_new_token(run: Run) -> None:
    done = run("token", "create", "ci", "--unlimited", "-o", "json")
    told = done.json()
    assert (told["name"], told["unlimited"], told["state"]) == ("ci", True, "enabled")
    assert str(told["key"]).startswith("sk-")
    assert "not shown again" in done.err


def test_a_key_of_ones_own(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MINE", "sk-" + "m" * 48)
    assert run("token", "create", "ci", "--unlimited", "--key", "env:MINE", "-q").out == "sk-" + "m" * 48 + "\n"
    assert run("token", "create", "other", "--unlimited", "--key", "env:MINE").code == 6


@pytest.mark.parametrize(
    ("flags", "code"),
    [
        ((), 2),
        (("--quota", "$1", "--unlimited"), 2),
        (("--quota", "much"), 2),
        (("--unlimited", "--expires", "soon"), 2),
        (("--unlimited", "--expires", "2030-13-01"), 2),
        (("--unlimited", "--allow-ip", "home"), 2),
        (("--unlimited", "--budget", "year=$1"), 2),
        (("--unlimited", "--user", "nobody"), 5),
        (("--unlimited", "--expires", "2030-12-31"), 0),
        (("--unlimited", "--dry-run"), 0),
    ],
)
def test_exit_codes_of_create(run: Run, flags: tuple[str, ...], code: int) -> None:
    done = run("token", "create", "ci", *flags)
    assert done.code == code, done.err
    if code:
        assert done.out == ""


def test_a_dry_run_makes_nothing(run: Run) -> None:
    run("token", "create", "ci", "--unlimited", "-n")
    assert run("token", "list").out == ""


def test_a_name_that_exists(run: Run) -> None:
    run("token", "create", "ci", "--unlimited")
    assert run("token", "create", "ci", "--unlimited").code == 6


def test_listing(run: Run) -> None:
    run("token", "create", "a", "--quota", "$1.50")
    run("token", "create", "b", "--unlimited", "--expires", "30d")
    rows = [line.split("\t") for line in run("token", "list").out.splitlines()]
    assert [(r[0], r[1], r[3], r[4], r[9]) for r in rows] == [
        ("a", "root", "enabled", "$1.50", "command"),
        ("b", "root", "enabled", "unlimited", "command"),
    ]
    assert run("token", "list", "-o", "name").out == "a\nb\n"
    assert run("token", "list", "--user", "root", "-o", "name").out == "a\nb\n"
    assert run("token", "list", "--user", "nobody").code == 5


def test_one_of_them(run: Run) -> None:
    key = run("token", "create", "a", "--quota", "$1", "-q").out.strip()
    done = run("token", "get", "a", "-o", "json")
    assert (done.json()["remaining"], done.json()["key_hint"]) == (500_000, key[-4:])
    assert key not in done.out
    assert run("token", "get", "1", "-o", "name").out == "a\n"
    missing = run("token", "get", "b")
    assert missing.code == 5


def test_deleting(run: Run) -> None:
    run("token", "create", "a", "--quota", "$1")
    assert run("token", "delete", "a").code == 7
    assert run("token", "delete", "a", "-n").code == 0
    assert run("token", "list", "-o", "name").out == "a\n"
    done = run("token", "delete", "a", "--yes")
    assert (done.code, done.out) == (0, "")
    assert run("token", "list").out == ""
    assert run("token", "delete", "a", "--yes").code == 5


def test_deleting_what_the_file_declares_is_told(run: Run) -> None:
    run("apply", "--yes")
    assert "the next apply makes it again" in run("token", "delete", "ci", "--yes").err
