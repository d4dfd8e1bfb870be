"""A plan on the terminal, and the reading of what it is made of."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, TextIO

from newapi.cli.output import decorated, note, say

if TYPE_CHECKING:
    from newapi.ops.gateway import Wanted
    from newapi.ops.plan import Change

_COLOURS = {"+": "\x1b[32m", "~": "\x1b[33m", "-": "\x1b[31m"}


def wanted(files: Sequence[str] | None, config: Path | None) -> tuple[Path | None, Wanted]:
    """Return the file that says which gateway of this machine is to be changed, and what it is to be.

    The first file that is given says both; standard input says only what it is to be. Others are read as if the first
    one included them.
    """
    from newapi.cli.output import WrongUsage
    from newapi.config.load import STDIN, load
    from newapi.ops.gateway import Wanted

    paths: list[Path | None] = [Path(file) for file in files or ()] or [config]
    first, others = paths[0], [path for path in paths[1:] if path is not None]
    if len({first, *others}) < len(others) + 1:
        raise WrongUsage("A file is named twice")
    path = config if first == STDIN else first
    return path, Wanted.of(load(first, also=others))


def show_plan(changes: Sequence[Change], stream: TextIO, *, summary: bool = False) -> None:
    """Write the lines of a plan to standard output or standard error, coloured on a terminal."""
    from newapi.ops.plan_text import lines

    write: Callable[[str], None] = say if stream is sys.stdout else note
    coloured = decorated(stream)
    for sign, text in lines(changes, summary=summary):
        write(f"{_COLOURS[sign]}{text}\x1b[0m" if coloured else text)
