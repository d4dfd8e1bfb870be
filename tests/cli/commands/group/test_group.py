from __future__ import annotations

import pytest

from tests.cli.commands.conftest import Run


@pytest.fixture
def ready(run: Run) -> Run:
    assert run("apply", "--yes").code == 0
    return run


def test_the_groups(ready: Run) -> None:
    assert ready("group", "list").out == "default\t1\tfalse\t1\t1\t0\t\nvip\t0.8\tfalse\t1\t0\t1\t\n"


def test_one_of_them(ready: Run) -> None:
    assert ready("group", "get", "vip", "-o", "json").json() == {
        "name": "vip",
        "ratio": "0.8",
        "ratio_for": {},
        "selectable": False,
        "requests_per_minute": 0,
        "tokens_per_minute": 0,
        "concurrency": 0,
        "remark": "",
        "channels": ["main"],
        "users": 0,
        "tokens": 1,
        "declared": True,
        "members": [],
    }
    assert ready("group", "get", "default", "-o", "json").json()["declared"] is False


def test_none_of_that_name(ready: Run) -> None:
    done = ready("group", "get", "vap")
    assert (done.code, done.out) == (5, "")
    assert "did you mean 'vip'?" in done.err
