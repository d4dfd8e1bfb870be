from __future__ import annotations

import io
from collections.abc import Iterator
from pathlib import Path

import pytest

from newapi.ops import users
from newapi.ops.local import open_local
from tests.cli.commands.conftest import CONFIG, Run
from tests.support.stack import Stack, stack


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("UPSTREAM_KEY", "sk-upstream")
        with stack(tmp_path_factory.mktemp("api"), CONFIG) as it:
            yield it


@pytest.fixture
def api(run: Run, running: Stack, monkeypatch: pytest.MonkeyPatch) -> Run:
    db = open_local(running.config).db
    token = users.new_access_token(db, users.get(db, "root").id, who="test").reveal()
    monkeypatch.setenv("NEWAPI_ACCESS_TOKEN", token)
    monkeypatch.setenv("NEWAPI_SERVER", running.url)
    return run


@pytest.mark.parametrize("path", ["/api/user/self", "user/self", "api/user/self"])
def test_an_answer_as_it_is(api: Run, path: str) -> None:
    done = api("api", "get", path)
    assert done.code == 0, done.err
    answer = done.json()
    assert isinstance(answer["data"], dict)
    assert (answer["success"], answer["data"]["username"]) == (True, "root")
    assert done.out.startswith("{\n  ")


def test_the_data_of_an_answer(api: Run) -> None:
    assert api("api", "GET", "channel/?p=1", "-o", "name").out == "main\n"
    assert api("api", "GET", "group/", "-o", "name").out == "default\nvip\n"
    assert "username\troot\n" in api("api", "GET", "user/self", "-o", "table").out


def test_a_body(api: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO('{"name": "made", "unlimited_quota": true, "expired_time": -1}'))
    done = api("api", "POST", "token/", "-d", "-")
    assert (done.code, done.json()["success"]) == (0, True), done.err
    assert "made" in api("api", "GET", "token/?p=1", "-o", "name").out
    assert api("api", "POST", "token/", "-d", "{}", "-n").err.startswith("Would send POST /api/token/ to http://")


def test_a_token_from_a_file(api: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NEWAPI_ACCESS_TOKEN", "wrong")
    denied = api("api", "GET", "user/self")
    assert denied.code == 4
    assert "invalid access token" in denied.err
    monkeypatch.delenv("NEWAPI_ACCESS_TOKEN")
    done = api("api", "GET", "user/self", "-o", "json")
    assert (done.code, done.out) == (4, "")
    assert "NEWAPI_ACCESS_TOKEN" in done.err
    empty = tmp_path / "token"
    empty.write_text("\n")
    assert api("api", "GET", "user/self", "--token-file", str(empty)).code == 2
    assert api("api", "GET", "user/self", "--token-file", str(tmp_path / "none")).code == 2


@pytest.mark.parametrize(
    ("argv", "code"),
    [
        (("LOOK", "user/self"), 2),
        (("GET", "https://elsewhere.test/api/user/self"), 2),
        (("GET", "../v1/models"), 2),
        (("POST", "token/", "-d", "{"), 2),
        (("GET", "no/such/thing"), 5),
        (("GET", "channel/999"), 1),
        (("GET", "user/self", "--server", "http://127.0.0.1:1"), 1),
    ],
)
def test_exit_codes(api: Run, argv: tuple[str, ...], code: int) -> None:
    done = api("api", *argv)
    assert done.code == code, done.err
    assert done.err
