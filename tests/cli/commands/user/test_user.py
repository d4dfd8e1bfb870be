"""`newapi user …`."""

from __future__ import annotations

import io

import pytest

from newapi.base.secret import Secret
from newapi.cli.output import ExitCode
from newapi.ops import users
from newapi.ops.local import Local
from newapi.ops.users import WrongPassword
from tests.cli.commands.conftest import Run

PASSWORD = "correct horse"


@pytest.fixture(autouse=True)
def _cheap_passwords(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("newapi.ops.sessions._LOG_N", 2)


@pytest.fixture
def typed(monkeypatch: pytest.MonkeyPatch) -> io.StringIO:
    """Standard input with a password and a line that is nobody's business."""
    stdin = io.StringIO(f"{PASSWORD}\nsomething else\n")
    monkeypatch.setattr("sys.stdin", stdin)
    return stdin


@pytest.mark.usefixtures("typed")
def test_root_gets_its_password(run: Run, local: Local) -> None:
    done = run("user", "create", "root", "--role", "root", "--password-stdin")
    assert done.code == ExitCode.OK, done.err
    assert users.sign_in(local.db, "root", Secret(PASSWORD)).user.role == "root"
    assert PASSWORD not in done.out + done.err


@pytest.mark.usefixtures("typed")
def test_root_gets_it_once(run: Run) -> None:
    run("user", "create", "root", "--role", "root", "--password-stdin")
    assert run("user", "create", "root", "--role", "root", "--password-stdin").code == ExitCode.CONFLICT


def test_made_shown_listed(run: Run) -> None:
    made = run("user", "create", "ann", "--quota", "$10", "--email", "ann@example.com", "-o", "json").json()
    assert (made["name"], made["quota"], made["group"], made["has_password"]) == ("ann", 5_000_000, "default", False)
    assert run("user", "get", "ann", "-o", "json").json() == made
    assert run("user", "get", str(made["id"]), "-o", "json").json() == made
    assert run("user", "list", "-o", "name").out == "root\nann\n"
    assert run("user", "list", "--match", "an", "-o", "name").out == "ann\n"
    assert "\tann\tuser\tdefault\tenabled\t$10.00\t" in run("user", "list").out


def test_changed(run: Run, local: Local) -> None:
    run("user", "create", "ann")
    shown = run("user", "set", "ann", "--role", "admin", "--disable", "--remark", "on leave", "-o", "json").json()
    assert (shown["role"], shown["state"], shown["remark"]) == ("admin", "disabled", "on leave")
    assert run("user", "set", "ann", "--enable", "-n").code == ExitCode.OK
    assert users.get(local.db, "ann").state == "disabled"
    assert run("user", "set", "ann", "--enable", "-o", "json").json()["state"] == "enabled"
    assert run("user", "set", "root", "--disable").code == ExitCode.DENIED
    assert run("user", "set", "ann", "--group", "nowhere").code == ExitCode.NOT_FOUND


def test_more_less_and_that_much(run: Run) -> None:
    run("user", "create", "ann", "--quota", "$1")
    for argv, left in (
        (["$2.50"], 1_750_000),
        (["$0.50", "--subtract"], 1_500_000),
        (["$7", "--override"], 3_500_000),
        (["7", "--override"], 3_500_000),
    ):
        assert run("user", "topup", "ann", *argv, "-o", "json").json()["quota"] == left
    assert run("user", "topup", "ann", "$8", "--subtract").code == ExitCode.FAILED
    assert run("user", "topup", "ann", "much").code == ExitCode.USAGE


def test_a_new_password(run: Run, local: Local, typed: io.StringIO) -> None:
    run("user", "create", "ann")
    assert run("user", "passwd", "ann").code == ExitCode.UNCONFIRMED
    assert run("user", "passwd", "ann", "--password-stdin").code == ExitCode.OK
    assert users.sign_in(local.db, "ann", Secret(PASSWORD)).user.name == "ann"
    typed.seek(0, io.SEEK_END)
    assert run("user", "passwd", "ann", "--password-stdin").code == ExitCode.USAGE


@pytest.mark.usefixtures("typed")
def test_deleted(run: Run, local: Local) -> None:
    run("user", "create", "ann", "--password-stdin")
    assert run("user", "delete", "ann", "--no-input").code == ExitCode.UNCONFIRMED
    assert run("user", "delete", "ann", "--yes").code == ExitCode.OK
    with pytest.raises(WrongPassword):
        users.sign_in(local.db, "ann", Secret(PASSWORD))
    assert run("user", "list", "--deleted", "-o", "name").out == "ann\n"
    assert run("user", "create", "ann").code == ExitCode.CONFLICT
    assert run("user", "delete", "nobody", "--yes").code == ExitCode.NOT_FOUND
    run("user", "create", "bob")
    assert run("user", "delete", "bob", "--purge", "--yes").code == ExitCode.OK
    assert run("user", "create", "bob").code == ExitCode.OK


def test_signing_out_everywhere(run: Run, local: Local) -> None:
    assert run("user", "create", "ann").code == 0
    id = users.get(local.db, "ann").id
    assert run("user", "logout", "ann", "-n").err == "Would sign ann out everywhere.\n"
    assert users.session_epoch(local.db, id) == 0
    assert run("user", "logout", "ann").err == "ann is signed out everywhere.\n"
    assert users.session_epoch(local.db, id) == 1
    assert run("user", "logout", "anna").code == ExitCode.NOT_FOUND
