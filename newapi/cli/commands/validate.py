from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from collections.abc import Sequence

    from newapi.base.errors import Problem
    from newapi.config.load import Loaded


class Format(StrEnum):
    """How problems are told."""

    TEXT = "text"
    JSON = "json"
    GITHUB = "github"


def validate(
    files: Annotated[
        list[Path] | None,
        typer.Argument(metavar="FILE", help="Configurations; `-` is standard input. Default: the one in use."),
    ] = None,
    config: Annotated[
        Path | None, typer.Option("--config", "-c", help="The configuration, where no FILE is given.", metavar="FILE")
    ] = None,
    format: Annotated[
        Format, typer.Option("--format", "-f", help="For people, for programs, or as GitHub's annotations.")
    ] = Format.TEXT,
    online: Annotated[
        bool, typer.Option("--online", help="Resolve references too, and ask each channel for its models.")
    ] = False,
) -> None:
    """Check a configuration: its shape and the sense of it, every problem at once.

    Leaves with 0 when it is valid, with 2 when it is not, with 8 when only --online finds something. Nothing is
    applied; without --online no reference is resolved and nobody is asked.

    Examples:
        newapi validate
        newapi validate config.toml staging.toml
        newapi validate --format github config.toml
        newapi validate --online
        newapi export | newapi validate -
    """
    from newapi.base.errors import ConfigError
    from newapi.cli.output import ExitCode, WrongUsage, fail, note, say
    from newapi.config.load import STDIN, find, load
    from newapi.config.render import as_github, as_json

    if online and STDIN in (files or ()):
        raise WrongUsage("--online wants a file: what a reference is relative to, and which database has secrets")
    problems: list[Problem] = []
    shape = False
    for file in files or [find(config)]:
        try:
            loaded = load(file)
        except ConfigError as error:
            problems += error.problems
            shape = True
        else:
            if online:
                problems += _online(loaded)
            if format is Format.TEXT:
                more = f" ({len(loaded.files)} files)" if len(loaded.files) > 1 else ""
                note(f"{'standard input' if str(file) == '-' else file}{more} is valid")
    if format is Format.JSON:
        say(as_json(problems))
    elif format is Format.GITHUB and problems:
        say(as_github(problems))
    elif problems:
        fail(ConfigError(problems))
        note(f"\n{len(problems)} {'problem' if len(problems) == 1 else 'problems'}")
    if problems:
        raise typer.Exit(ExitCode.USAGE if shape else ExitCode.CHECK_FAILED)


def _online(loaded: Loaded) -> Sequence[Problem]:
    """Return what only the world outside says of a configuration."""
    from newapi.cli.output import note
    from newapi.cli.progress import progress
    from newapi.ops.local import open_local
    from newapi.ops.online import check_online

    with progress("Asking upstreams"):
        found = check_online(open_local(loaded.path))
    for told in found.notes:
        note(f"note: {told}")
    return found.problems
