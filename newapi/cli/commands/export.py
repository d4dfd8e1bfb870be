from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from newapi.cli.commands._gateway import HERE, Where
from newapi.cli.commands._options import NoInput, Only, Yes

if TYPE_CHECKING:
    from newapi.ops.gateway import Gateway


def export(
    at: Where = HERE,
    only: Only = None,
    split: Annotated[
        Path | None,
        typer.Option("--split", metavar="DIR", help="Into a file for each kind, and one that includes them."),
    ] = None,
    yes: Yes = False,
    no_input: NoInput = False,
) -> None:
    """Write the database as a configuration file: references, never secrets.

    Examples:
        newapi export > config.toml
        newapi export --only channels
        newapi export --split gateway/ && newapi diff gateway/config.toml
        newapi export | newapi diff -
    """
    from newapi.cli.output import WrongUsage, write

    there = at.gateway()
    if split is None:
        write(there.export(only or ()))
        return
    if only:
        raise WrongUsage("--split writes everything, --only a part")
    _split(there, split, yes=yes, no_input=no_input)


def _split(there: Gateway, directory: Path, *, yes: bool, no_input: bool) -> None:
    from newapi.base.errors import NewapiError
    from newapi.cli.output import confirm, say
    from newapi.ops.plan import KINDS, SECTIONS

    parts = {f"{kind}.toml": there.export((kind,)) for kind in KINDS}
    parts = {name: text for name, text in parts.items() if text.strip() != "version = 1"}
    included = ", ".join(f'"{name}"' for name in parts)
    sections = there.export(tuple(SECTIONS)).partition("\n")[2]
    parts["config.toml"] = f"version = 1\ninclude = [{included}]\n{sections}"
    try:
        directory.mkdir(parents=True, exist_ok=True)
        if known := [str(directory / name) for name in parts if (directory / name).exists()]:
            confirm(f"Replace {', '.join(known)}?", yes=yes, no_input=no_input)
        for name, text in parts.items():
            (directory / name).write_text(text, encoding="utf-8")
            say(str(directory / name))
    except OSError as error:
        raise NewapiError(f"{error.filename}: {(error.strerror or 'cannot be written').lower()}") from error
