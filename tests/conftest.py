"""Every test runs as if on a machine of its own: no home, no configuration, no keyring, no terminal."""

from __future__ import annotations

import io
import os
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

from tests.databases import KINDS, DatabaseServers


@pytest.fixture(scope="session")
def _home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("home")


@pytest.fixture(autouse=True)
def _isolated(monkeypatch: pytest.MonkeyPatch, _home: Path) -> None:
    for name in list(os.environ):
        if name.startswith(("NEWAPI_", "XDG_")) and name not in ("NEWAPI_TEST_DB", "NEWAPI_UPDATE_GOLDEN"):
            monkeypatch.delenv(name)
    for name in ("FORCE_COLOR", "CREDENTIALS_DIRECTORY"):
        monkeypatch.delenv(name, raising=False)
    for name, value in {
        "HOME": str(_home),
        "XDG_CONFIG_HOME": str(_home / "config"),
        "XDG_STATE_HOME": str(_home / "state"),
        "XDG_DATA_HOME": str(_home / "data"),
        "XDG_CACHE_HOME": str(_home / "cache"),
        "NO_COLOR": "1",
        "COLUMNS": "80",
        "PYTHON_KEYRING_BACKEND": "tests.support.memory_keyring.MemoryKeyring",
    }.items():
        monkeypatch.setenv(name, value)
    if module := sys.modules.get("tests.support.memory_keyring"):
        module.MemoryKeyring.entries.clear()


@pytest.fixture(scope="session")
def database_servers(tmp_path_factory: pytest.TempPathFactory) -> DatabaseServers:
    """The private database servers; each starts when it is first asked for."""
    return DatabaseServers(tmp_path_factory)


@pytest.fixture(params=KINDS)
def database_url(request: pytest.FixtureRequest, tmp_path: Path, database_servers: DatabaseServers) -> Iterator[str]:
    """The URL of an empty database: the test runs once on each kind."""
    with database_servers.url(request.param, tmp_path) as url:
        yield url


@pytest.fixture
def empty_database(tmp_path: Path, database_servers: DatabaseServers) -> Iterator[str]:
    """The URL of an empty database: SQLite, or of the kind that `NEWAPI_TEST_DB` names."""
    with database_servers.url(os.environ.get("NEWAPI_TEST_DB") or "sqlite", tmp_path) as url:
        yield url


class Ran(NamedTuple):
    """What a command line did."""

    code: int
    out: str
    err: str


@pytest.fixture
def newapi(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Callable[..., Ran]:
    """Run a command line in this process: `newapi("validate", "-", stdin="version = 1")`."""
    from newapi.cli.app import main

    def run(*argv: str | Path, stdin: str = "") -> Ran:
        monkeypatch.setattr(sys, "stdin", io.StringIO(stdin))
        capsys.readouterr()
        code = main([str(a) for a in argv])
        return Ran(code, *capsys.readouterr())

    return run
