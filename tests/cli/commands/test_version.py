from __future__ import annotations

from newapi import __version__
from newapi.store.migrations import steps
from tests.cli.commands.conftest import Run


def test_version(run: Run) -> None:
    assert run("version").out.splitlines()[:2] == [f"newapi\t{__version__}", f"schema\t{steps()[-1][0]}"]
    assert run("version", "-o", "json").json()["newapi"] == __version__
