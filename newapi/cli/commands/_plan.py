"""A plan on the terminal, and the reading of what it is made of."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, TextIO

from newapi.cli.output import decorated, note, say

if TYPE_CHECKING:
    from newapi.config.schema import Config
    from newapi.ops.local import Local
    from newapi.ops.plan import Change

_COLOURS = {"+": "\x1b[32m", "~": "\x1b[33m", "-": "\x1b[31m"}


def wanted(files: Sequence[str] | None, config: Path | None) -> tuple[Local, Config]:
    """Return the gateway that is to be changed, and the configuration it is to have.

    The file that is given says both; standard input says only what it is to have.
    """
    import typer
    from msgspec.structs import replace

    from newapi.config.load import STDIN, load
    from newapi.ops.local import open_local

    if files and len(files) > 1:
        raise typer.BadParameter("one file is read, which may include others", param_hint="FILE")
    if files and files[0] == "-":
        local = open_local(config, server_only=True)
        loaded = load(STDIN)
        return replace(local, config=loaded.config, places=loaded.places), loaded.config
    local = open_local(Path(files[0]) if files else config)
    return local, local.config


def show_plan(changes: Sequence[Change], stream: TextIO, *, summary: bool = False) -> None:
    """Write the lines of a plan to standard output or standard error, coloured on a terminal."""
    from newapi.ops.plan_text import lines

    write: Callable[[str], None] = say if stream is sys.stdout else note
    coloured = decorated(stream)
    for sign, text in lines(changes, summary=summary):
        write(f"{_COLOURS[sign]}{text}\x1b[0m" if coloured else text)
