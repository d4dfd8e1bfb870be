"""The bar of long work, on a terminal of its own."""

from __future__ import annotations

import os
import pty
from collections.abc import Callable, Iterator
from io import StringIO
from types import SimpleNamespace

import pytest

from newapi.base.progress import each, tell
from newapi.cli import progress as module
from newapi.cli.output import Output
from newapi.cli.progress import progress


@pytest.fixture
def terminal(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[str], str]]:
    """Standard error is a terminal; returns what reads it until it shows a text."""
    master, slave = pty.openpty()
    for name in ("CI", "NO_COLOR", "FORCE_COLOR"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.setenv("COLUMNS", "100")
    monkeypatch.setattr(module, "DELAY_SECONDS", 0)

    def shown(until: str) -> str:
        seen = ""
        while until not in seen:
            seen += os.read(master, 4096).decode(errors="replace")
        return seen

    with open(slave, "w") as stream:  # noqa: PTH123  (a descriptor)
        # Not in `sys` itself: pytest puts its own there again before each test.
        monkeypatch.setattr(module, "sys", SimpleNamespace(stderr=stream))
        yield shown
    os.close(master)


def test_it_shows_what_is_done_and_goes_away(terminal: Callable[[str], str]) -> None:
    with progress("Beginning"):
        assert "Beginning" in terminal("Beginning")
        for number in each("Counting", range(1, 4000), 3999):
            if number == 3000:
                terminal("Counting")
                assert "2,999 of 3,999" in terminal("2,999 of 3,999")
        tell("Ending")
        terminal("Ending")
    print("done", file=module.sys.stderr, flush=True)
    rest = terminal("done")
    assert "\x1b[2K" in rest, "its line is empty again"
    assert "\x1b[?25h" in rest, "the cursor is back"


def test_short_work_shows_nothing(terminal: Callable[[str], str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "DELAY_SECONDS", 60)
    with progress("Applying"):
        tell("Counting", 1, 2)
    print("done", file=module.sys.stderr, flush=True)
    assert terminal("done").rstrip() == "done"


@pytest.mark.parametrize("name", ["CI", "NO_COLOR"])
def test_nobody_wants_it(name: str, terminal: Callable[[str], str], monkeypatch: pytest.MonkeyPatch) -> None:
    with progress("Applying", Output.JSON):
        pass
    monkeypatch.setenv(name, "1")
    with progress("Applying"):
        pass
    print("done", file=module.sys.stderr, flush=True)
    assert terminal("done").rstrip() == "done"


def test_it_is_for_a_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setattr(module, "DELAY_SECONDS", 0)
    monkeypatch.setattr(module, "sys", SimpleNamespace(stderr=(stream := StringIO())))
    with progress("Applying"):
        tell("Counting", 1, 2)
    assert stream.getvalue() == ""


def test_it_is_gone_where_work_fails(terminal: Callable[[str], str]) -> None:
    def fail() -> None:
        with progress("Applying"):
            terminal("Applying")
            raise ValueError

    with pytest.raises(ValueError):  # noqa: PT011
        fail()
    print("done", file=module.sys.stderr, flush=True)
    assert "\x1b[?25h" in terminal("done"), "the cursor is back"
