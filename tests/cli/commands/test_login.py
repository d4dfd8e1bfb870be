"""Signing in and out; at a real server in tests/e2e."""

from __future__ import annotations

import io
import sys

import pytest

from newapi.base.errors import CallerError
from newapi.base.secret import Secret
from newapi.ops import contexts
from tests.cli.commands.conftest import Run


@pytest.fixture(autouse=True)
def server(monkeypatch: pytest.MonkeyPatch) -> None:
    """A server at which the token `right` is ann's."""

    def whose(server: str, token: Secret) -> str:
        if token.reveal() != "right":
            raise CallerError("Unauthorized", status=401, code="denied")
        return "ann"

    monkeypatch.setattr("newapi.ops.signing_in.whose", whose)


def stdin(monkeypatch: pytest.MonkeyPatch, text: str) -> None:
    monkeypatch.setattr(sys, "stdin", io.StringIO(text))


def test_in_and_out(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    stdin(monkeypatch, "right\n")
    done = run("login", "https://gw.test:8443", "--token-file", "-")
    assert (done.code, done.out) == (0, "")
    assert done.err.startswith("ann is signed in at https://gw.test:8443: commands act on context gw.test now")
    known = contexts.read()
    assert known.current == "gw.test"
    assert known.get("gw.test").token == "keyring:context/gw.test"
    assert "right" not in contexts.path().read_text()
    assert run("logout", "--dry-run").err == "Would sign out at https://gw.test:8443.\n"
    assert run("logout").err == "Signed out at https://gw.test:8443.\n"
    assert contexts.read() == contexts.Contexts()
    assert run("logout").code == 2


def test_a_wrong_token_is_not_kept(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    stdin(monkeypatch, "wrong\n")
    assert run("login", "https://gw.test", "--token-file", "-").code == 4
    assert contexts.read() == contexts.Contexts()


@pytest.mark.parametrize("argv", [[], ["--user", "ann", "--token-file", "-"]])
def test_one_way_to_sign_in(run: Run, argv: list[str]) -> None:
    assert run("login", "https://gw.test", *argv).code == 2


def test_a_password_is_asked_for_on_a_terminal_only(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    stdin(monkeypatch, "")
    assert run("login", "https://gw.test", "--user", "ann").code == 7
    assert run("login", "https://gw.test", "--user", "ann", "--dry-run").code == 0
