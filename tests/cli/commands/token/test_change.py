from __future__ import annotations

import io
import time
from pathlib import Path
from typing import Any

import pytest

from newapi.ops.local import open_local
from newapi.store import snapshot
from newapi.store.keys import hash_key
from newapi.store.ledger import UsageRecord, write_record
from newapi.store.models import Token, User
from tests.cli.commands.conftest import Run


@pytest.fixture
def ready(run: Run) -> Run:
    """Groups, a model, the declared token `ci`, and `own` with $10 of which $4 are spent."""
    assert run("apply", "--yes").code == 0
    assert run("token", "create", "own", "--quota", "$10").code == 0
    return run


@pytest.fixture
def key(ready: Run, config: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """The key of `own`, on standard input."""
    key = ready("token", "rotate", "own", "--yes", "-q").out.strip()
    monkeypatch.setattr("sys.stdin", io.StringIO(key + "\n"))
    return key


def columns(config: Path, name: str, **values: Any) -> None:
    with open_local(config).db.writing() as c:
        Token.update(**values).where(Token.name == name).execute(c)


def stored(config: Path, name: str) -> snapshot.StoredToken:
    return next(token for token in snapshot.load(open_local(config).db).tokens if token.name == name)


def test_everything_may_change(ready: Run, config: Path) -> None:
    flags = ["--name", "new", "--group", "vip", "--models", "a*,b", "--allow-ip", "::1", "--budget", "day=$2"]
    done = ready("token", "set", "own", *flags, "--disable", "--expires", "2030-12-31", "-o", "json")
    assert done.code == 0, done.err
    told = done.json()
    assert (told["name"], told["group"], told["state"]) == ("new", "vip", "disabled")
    assert (told["models"], told["allow_ips"], told["expires_at"]) == (["a*", "b"], ["::1"], 1_924_905_600)
    undo = ["--models", "all", "--allow-ip", "any", "--budget", "none", "--expires", "never", "--enable"]
    back = ready("token", "set", "new", *undo, "-o", "json").json()
    assert (back["models"], back["allow_ips"], back["expires_at"], back["state"]) == ([], [], 0, "enabled")
    assert stored(config, "new").spec.budget == {}


@pytest.mark.parametrize(
    ("flags", "remaining", "unlimited"),
    [
        (("--quota", "$20"), 8_000_000, False),
        (("--quota", "$3"), -500_000, False),
        (("--unlimited",), -2_000_000, True),
    ],
)
def test_what_was_spent_stays_spent(
    ready: Run, config: Path, flags: tuple[str, ...], remaining: int, unlimited: bool
) -> None:
    columns(config, "own", remaining_quota=3_000_000)
    assert ready("token", "set", "own", *flags).code == 0
    token = stored(config, "own")
    assert (token.remaining, token.unlimited) == (remaining, unlimited)


@pytest.mark.parametrize(
    ("flags", "code"),
    [
        ((), 2),
        (("--quota", "$1", "--unlimited"), 2),
        (("--quota", "much"), 2),
        (("--expires", "soon"), 2),
        (("--allow-ip", "home"), 2),
        (("--group", "reds"), 5),
        (("--name", "ci"), 6),
        (("--disable", "-n"), 0),
    ],
)
def test_exit_codes_of_set(ready: Run, config: Path, flags: tuple[str, ...], code: int) -> None:
    before = stored(config, "own")
    done = ready("token", "set", "own", *flags)
    assert done.code == code, done.err
    assert stored(config, "own") == before


def test_what_the_file_declares_is_told(ready: Run) -> None:
    assert "the next apply" in ready("token", "set", "ci", "--disable").err


def test_another_key(ready: Run, config: Path) -> None:
    before = stored(config, "own").key_hash
    assert ready("token", "rotate", "own").code == 7
    assert ready("token", "rotate", "own", "-n").code == 0
    assert stored(config, "own").key_hash == before
    done = ready("token", "rotate", "own", "--yes", "-q")
    assert (done.code, done.err) == (0, "")
    assert stored(config, "own").key_hash == hash_key(done.out.strip())


def test_another_key_of_ones_own(ready: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MINE", "sk-" + "m" * 48)
    assert ready("token", "rotate", "own", "--yes", "--key", "env:MINE", "-q").out == "sk-" + "m" * 48 + "\n"
    assert ready("token", "rotate", "ci", "--yes", "--key", "env:MINE").code == 6
    assert ready("token", "rotate", "ci", "--yes", "--key", "env:MISSING").code == 1
    assert ready("token", "rotate", "nobody", "--yes").code == 5


def test_what_a_token_used(ready: Run, config: Path) -> None:
    id, db = stored(config, "own").id, open_local(config).db
    for number, model, quota in ((1, "a", 1000), (2, "a", 500), (3, "b", 50_000)):
        write_record(
            db,
            UsageRecord(
                f"r{number}", time.time(), token_id=id, model=model, quota=quota, prompt_tokens=2, completion_tokens=1
            ),
        )
    done = ready("token", "usage", "own")
    assert done.out == "b\t1\t2\t1\t$0.10\na\t2\t4\t2\t$0.003\n"
    assert done.err == "Token own of root (enabled) used $0.00 in all; it may spend $10.00.\n"
    assert ready("token", "usage", "own", "-o", "json").json()["items"] == [
        {"model": "b", "requests": 1, "prompt_tokens": 2, "completion_tokens": 1, "quota": 50_000},
        {"model": "a", "requests": 2, "prompt_tokens": 4, "completion_tokens": 2, "quota": 1500},
    ]


def test_who_a_key_is(ready: Run, key: str) -> None:
    done = ready("token", "verify", "-", "--model", "my-model", "--ip", "10.0.0.1")
    assert (done.code, done.err) == (0, "")
    assert done.out == (
        "ok\ttrue\ntoken\town\nuser\troot\ngroup\tdefault\nratio\t1\nleft\t$10.00\nexpires\tnever\nmodels\tall\n"
    )
    assert key not in done.out


@pytest.mark.parametrize(
    ("values", "flags", "reason"),
    [
        ({"state": "disabled"}, (), "the token is disabled"),
        ({"expires_at": 1.0}, (), "the token has expired"),
        ({"remaining_quota": -5}, (), "the token has nothing left (-$0.00001)"),
        ({"group": "reds"}, (), "group reds does not exist"),
        ({"user_id": 99}, (), "its owner does not exist any more"),
        ({"spec": '{"allow_ips":["10.0.0.0/8"]}'}, ("--ip", "11.0.0.1"), "11.0.0.1 is not in its list of addresses"),
        ({"spec": '{"models":["gpt-*"]}'}, ("--model", "my-model"), "its list of models does not have my-model"),
        ({}, ("--model", "unheard"), "model unheard has no price"),
        ({}, ("--model", "gpt-4o"), "no channel of group default serves gpt-4o"),
    ],
)
def test_why_a_key_is_refused(
    ready: Run, config: Path, key: str, values: dict[str, Any], flags: tuple[str, ...], reason: str
) -> None:
    if values:
        columns(config, "own", **values)
    done = ready("token", "verify", "-", *flags, "-o", "json")
    assert done.code == 8
    found = done.json()
    assert (found["ok"], found["token"]) == (False, "own")
    assert isinstance(found["reasons"], list)
    assert reason in found["reasons"]
    assert f"refused: {reason}" in done.err


def test_an_owner_that_may_not(ready: Run, config: Path, key: str) -> None:
    with open_local(config).db.writing() as c:
        User.update(state="disabled", unlimited=False, quota=0).execute(c)
    assert ready("token", "verify", "-").err.splitlines() == [
        "refused: its owner root is disabled",
        "refused: its owner root has nothing left ($0.00)",
    ]


def test_a_pinned_channel(ready: Run, key: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO(f"{key}-1"))
    assert ready("token", "verify", "-").out.endswith("pinned_channel\t1\n")
    monkeypatch.setattr("sys.stdin", io.StringIO(f"{key}-77"))
    assert "there is no channel 77" in ready("token", "verify", "-").err


def test_a_key_that_nobody_has(ready: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO("hello"))
    done = ready("token", "verify", "-")
    assert (done.code, done.out) == (8, "ok\tfalse\n")
    assert "does not begin with sk-" in done.err


@pytest.mark.parametrize(
    ("argv", "code"), [(("sk-abc",), 2), (("nobody",), 5), (("own", "--ip", "home"), 2), (("own",), 0)]
)
def test_exit_codes_of_verify(ready: Run, argv: tuple[str, ...], code: int) -> None:
    assert ready("token", "verify", *argv).code == code
