from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer


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
) -> None:
    """Check a configuration: its shape and the sense of it, every problem at once.

    Leaves with 0 when it is valid, with 2 when it is not. Nothing is applied, and no reference is resolved.

    Examples:
        newapi validate
        newapi validate config.toml staging.toml
        newapi validate --format github config.toml
        newapi export | newapi validate -
    """
    from newapi.base.errors import ConfigError, Problem
    from newapi.cli.output import ExitCode, fail, note, say
    from newapi.config.load import find, load
    from newapi.config.render import as_github, as_json

    problems: list[Problem] = []
    for file in files or [find(config)]:
        try:
            loaded = load(file)
        except ConfigError as error:
            problems += error.problems
        else:
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
    raise typer.Exit(ExitCode.USAGE if problems else ExitCode.OK)
