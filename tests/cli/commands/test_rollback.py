from __future__ import annotations

from pathlib import Path

import pytest

from newapi.ops.local import open_local
from newapi.store import snapshot
from tests.cli.commands.conftest import CONFIG, Run


@pytest.fixture
def twice(run: Run, config: Path) -> Run:
    """Two generations; the second has another ratio."""
    run("apply", "--yes", "--source", "first")
    config.write_text(CONFIG.replace("ratio = 0.8", "ratio = 0.5"))
    run("apply", "--yes")
    return run


def test_back_to_the_one_before(twice: Run, config: Path) -> None:
    done = twice("rollback", "--yes")
    assert done.code == 0
    assert "    ratio 0.5 -> 0.8" in done.err
    stored = snapshot.load(open_local(config).db)
    assert (str(stored.groups["vip"].ratio), stored.generation) == ("0.8", 3)


def test_back_to_where_it_is(twice: Run) -> None:
    done = twice("rollback", "2", "--yes")
    assert done.code == 0
    assert "Nothing to do" in done.err


def test_it_asks(twice: Run) -> None:
    assert twice("rollback").code == 7
    assert twice("rollback", "-n").code == 0


def test_a_generation_that_does_not_exist(twice: Run) -> None:
    done = twice("rollback", "9", "--yes")
    assert done.code == 5
    assert "there are 1 to 2" in done.err


def test_nothing_to_go_back_to(run: Run) -> None:
    assert run("rollback", "--yes").code == 5
