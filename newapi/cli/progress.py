"""A bar for work that takes its time: on a terminal, on standard error, and gone when the work is done."""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import Generator
from contextlib import contextmanager

from newapi.base.progress import watched
from newapi.cli.output import Output, decorated

DELAY_SECONDS = 1.0
"""Work that is done by then shows nothing."""
_EVERY_SECONDS = 0.1


@contextmanager
def progress(what: str, output: Output = Output.TABLE) -> Generator[None]:
    """Show how far the work within is, once it has taken `DELAY_SECONDS`.

    Args:
        what: What is done, until the work itself says more: `Applying`.
        output: Only a table is for people who watch.
    """
    if output is not Output.TABLE or os.environ.get("CI") or not (sys.stderr.isatty() and decorated(sys.stderr)):
        yield
        return
    bar = _Bar(what)
    try:
        with watched(bar.tell):
            yield
    finally:
        bar.stop()


class _Bar:
    """What is known of the work, and a thread that draws it from `DELAY_SECONDS` on, until it is done."""

    def __init__(self, what: str) -> None:
        self._now = (what, 0, 0)
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._draw, name="progress", daemon=True)
        self._thread.start()

    def tell(self, what: str, done: int, total: int) -> None:
        """Take note of how far it is."""
        self._now = (what, done, total)

    def stop(self) -> None:
        """Take it away again."""
        self._over.set()
        self._thread.join()

    def _draw(self) -> None:
        if self._over.wait(DELAY_SECONDS):
            return
        from rich.console import Console
        from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

        columns = (SpinnerColumn(), TextColumn("{task.description}"), BarColumn(), TextColumn("{task.fields[count]}"))
        console = Console(file=sys.stderr, highlight=False)
        with Progress(*columns, TimeElapsedColumn(), console=console, transient=True, auto_refresh=False) as shown:
            task = shown.add_task("", total=None, count="")
            while True:
                what, done, total = self._now
                count = f"{done:,} of {total:,}" if total else f"{done:,}" if done else ""
                shown.update(task, description=what, completed=done, total=total or None, count=count)
                shown.refresh()
                if self._over.wait(_EVERY_SECONDS):
                    return
