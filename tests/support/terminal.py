"""A real terminal: a program in tmux, what stands on its screen, keys that are typed."""

from __future__ import annotations

import os
import shlex
import subprocess
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar

from tests.support.keeper import need

T = TypeVar("T")

LEFT = "it left with"
"""What the terminal says when the program is over, and the code it left with."""


class Terminal:
    """One program in a terminal."""

    def __init__(self, tmux: Sequence[str]) -> None:
        self._tmux = tmux

    def _run(self, *words: str) -> str:
        done = subprocess.run([*self._tmux, *words], capture_output=True, text=True, timeout=30, check=True)
        return done.stdout

    def screen(self) -> str:
        """Return what stands there."""
        return self._run("capture-pane", "-p")

    def colours(self) -> str:
        """Return what stands there, with its escape sequences."""
        return self._run("capture-pane", "-p", "-e")

    def press(self, *keys: str) -> None:
        """Press keys, as tmux calls them: `a`, `Enter`, `Escape`."""
        self._run("send-keys", *keys)

    def type(self, text: str) -> None:
        """Type text."""
        self._run("send-keys", "-l", text)

    def modes(self) -> dict[str, int]:
        """Return what the terminal was told to be: whether the other screen is shown, the cursor, and mice are told."""
        names = ("alternate_on", "cursor_flag", "mouse_any_flag", "mouse_sgr_flag")
        told = self._run("display-message", "-p", " ".join(f"#{{{name}}}" for name in names))
        return dict(zip(names, map(int, told.split()), strict=True))

    def until(self, seen: Callable[[str], T | None], seconds: float = 30) -> T:
        """Wait until `seen` holds of the screen, and return what it returned."""
        deadline = time.monotonic() + seconds
        while True:
            screen = self.screen()
            if found := seen(screen):
                return found
            assert time.monotonic() < deadline, f"it was never seen; at last there was\n{screen}"
            time.sleep(0.02)

    def shows(self, *texts: str) -> str:
        """Wait until all these stand there, and return the screen."""
        return self.until(lambda screen: screen if all(text in screen for text in texts) else "")


@contextmanager
def terminal(
    *argv: str, directory: Path, env: dict[str, str] | None = None, size: tuple[int, int] = (120, 40)
) -> Iterator[Terminal]:
    """Run a program in a terminal of its own, which is there, and says `LEFT`, after the program is over.

    Args:
        argv: The program.
        directory: Where tmux has its socket, and the program its working directory.
        env: What the environment has besides.
        size: Columns and lines.

    Skips the test where there is no tmux, or fails it where services are required.
    """
    program = need("tmux")
    # Of colours the tests' own environment wants none; the terminal has them.
    told = {**os.environ, "LC_ALL": "C.UTF-8", "TERM": "xterm-256color", **(env or {})}
    for name in ("NO_COLOR", "TMUX", "COLUMNS", "LINES"):
        told.pop(name, None)
    tmux = [program, "-u", "-S", str(directory / "tmux"), "-f", "/dev/null"]
    columns, lines = map(str, size)
    script = f"{shlex.join(argv)}; echo {shlex.quote(LEFT)} $?; exec cat"
    subprocess.run(
        [*tmux, "new-session", "-d", "-x", columns, "-y", lines, "-c", str(directory), "sh", "-c", script],
        env=told,
        check=True,
        timeout=30,
    )
    try:
        yield Terminal(tmux)
    finally:
        subprocess.run([*tmux, "kill-server"], check=True, timeout=30)
