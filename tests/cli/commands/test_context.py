from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import keyring
import pytest

from newapi.cli.app import main
from newapi.ops import contexts
from tests.cli.commands.conftest import Run
from tests.support.memory_keyring import MemoryKeyring

TOKEN = "a-token-that-nobody-sees"


@pytest.fixture(autouse=True)
def _own_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "home"))
    for name in ("NEWAPI_ACCESS_TOKEN", "NEWAPI_SERVER", "NEWAPI_CONTEXT"):
        monkeypatch.delenv(name, raising=False)
    before = keyring.get_keyring()
    keyring.set_keyring(MemoryKeyring())
    MemoryKeyring.entries.clear()
    yield
    keyring.set_keyring(before)


@pytest.fixture
def token_file(tmp_path: Path) -> str:
    path = tmp_path / "token"
    path.write_text(f"{TOKEN}\n")
    return str(path)


def rows(run: Run) -> dict[str, tuple[str, str, bool]]:
    items = run("context", "list", "-o", "json").json()["items"]
    assert isinstance(items, list)
    return {row["name"]: (row["server"], row["token"], row["current"]) for row in items}


def test_a_context_is_saved_used_and_forgotten(run: Run, token_file: str) -> None:
    assert run("context", "add", "prod", "https://gw.test", "--token-file", token_file).code == 0
    assert run("context", "add", "ci 2", "http://gw2.test:81", "--token-ref", "env:CI_TOKEN").code == 0
    assert rows(run) == {
        "local": ("", "", True),
        "prod": ("https://gw.test", "keyring:context/prod", False),
        "ci 2": ("http://gw2.test:81", "env:CI_TOKEN", False),
    }
    assert MemoryKeyring.entries == {("newapi", "context/prod"): TOKEN}
    assert TOKEN not in contexts.path().read_text()
    assert run("context", "use", "prod").code == 0
    assert rows(run)["prod"][2]
    assert run("context", "remove", "prod", "--yes").code == 0
    assert rows(run) == {"local": ("", "", True), "ci 2": ("http://gw2.test:81", "env:CI_TOKEN", False)}
    assert MemoryKeyring.entries == {}


@pytest.mark.parametrize(
    ("argv", "code", "said"),
    [
        (("add", "local", "https://x.test"), 6, "already"),
        (("add", "prod", "https://x.test"), 6, "already"),
        (("add", "new", "ftp://x.test"), 2, "no server"),
        (("add", "new", "nowhere"), 2, "no server"),
        (("add", "new", "unix:"), 2, "no server"),
        (("add", "new", "https://x.test", "--token-ref", TOKEN), 2, "no reference"),
        (("add", "new", "https://x.test", "--token-ref", "env:X", "--token-file", "-"), 2, "both"),
        (("use", "prud"), 5, "did you mean 'prod'?"),
        (("use", "prud", "--dry-run"), 5, "did you mean 'prod'?"),
        (("remove", "prud"), 5, "did you mean 'prod'?"),
        (("remove", "prod"), 7, "--yes"),
    ],
)
def test_what_is_refused_changes_nothing(run: Run, argv: tuple[str, ...], code: int, said: str) -> None:
    run("context", "add", "prod", "https://gw.test")
    before = contexts.path().read_text()
    done = run("context", *argv)
    assert done.code == code
    assert said in done.err
    assert TOKEN not in done.err
    assert contexts.path().read_text() == before


@pytest.mark.parametrize("argv", [("add", "x", "host:1"), ("use", "prod"), ("remove", "prod")])
def test_a_dry_run_changes_nothing(run: Run, argv: tuple[str, ...]) -> None:
    run("context", "add", "prod", "unix:/run/newapi.sock")
    before = contexts.path().read_text()
    assert run("context", *argv, "--dry-run").code == 0
    assert contexts.path().read_text() == before


def test_a_file_that_somebody_broke_is_told(run: Run) -> None:
    contexts.path().parent.mkdir(parents=True)
    contexts.path().write_text("current = 3")
    done = run("whoami")
    assert done.code == 2
    assert "contexts.toml" in done.err


def test_the_current_context_is_where_commands_act(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    assert run("whoami", "-o", "json").json()["where"] != "unix:/no/such"
    run("context", "add", "gone", "unix:/no/such")
    run("context", "use", "gone")
    done = run("token", "list")
    assert done.code == 1
    assert "unix:/no/such does not answer" in done.err
    assert run("token", "list", "--context", "local").code == 0
    both = run("token", "list", "--server", "x.test:1", "--context", "gone")
    assert (both.code, "both" in both.err) == (2, True)


def test_a_server_wants_a_token(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    done = run("whoami", "--server", "https://gw.test")
    assert (done.code, "--token-file" in done.err) == (4, True)
    run("context", "add", "prod", "https://gw.test", "--token-ref", "env:NOT_SET")
    assert int(main(["whoami", "--context", "prod"])) == 1


def test_what_acts_here_alone_says_so_where_others_act_elsewhere(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file, said = str(tmp_path / "copy.db"), "This acts on this machine's gateway, whatever"
    assert said not in run("db", "backup", file).err
    assert run("context", "add", "prod", "https://gw.test", "--token-ref", "env:X").code == 0
    assert run("context", "use", "prod").code == 0
    done = run("db", "backup", file, "--yes")
    assert (done.code, said in done.err) == (0, True)
    monkeypatch.setenv("NEWAPI_CONTEXT", "local")
    assert said not in run("db", "backup", file, "--yes").err
    monkeypatch.setenv("NEWAPI_SERVER", "https://gw.test")
    assert said in run("doctor", "--offline").err
