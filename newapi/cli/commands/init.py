from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from newapi.cli.commands._options import DryRun, NoInput, Yes

if TYPE_CHECKING:
    from newapi.ops.starter import Deployment


def init(
    directory: Annotated[Path, typer.Argument(metavar="DIR", help="Where; it is made when it is not there.")] = Path(),
    with_: Annotated[
        list[str] | None, typer.Option("--with", help="compose, systemd, kubernetes; repeatable, or with commas.")
    ] = None,
    yes: Yes = False,
    dry_run: DryRun = False,
    no_input: NoInput = False,
) -> None:
    """Write a first configuration for the keys found in the environment; print the names of the files.

    Known are OPENAI_API_KEY, ANTHROPIC_API_KEY, GEMINI_API_KEY, DEEPSEEK_API_KEY and others of that form. The file
    refers to them; their values are not written. A file that is there is replaced only after a yes.

    Examples:
        newapi init
        newapi init gateway --with compose
        newapi init --with systemd,kubernetes --dry-run
    """
    import os

    from newapi.base.errors import NewapiError
    from newapi.cli.commands._options import read_all
    from newapi.cli.output import confirm, note, say
    from newapi.ops.starter import files, found, ignored

    keys = found(os.environ)
    texts = files(keys, read_all("--with", with_, _deployment))
    try:
        ignore = directory / ".gitignore"
        before = ignore.read_text(encoding="utf-8") if ignore.exists() else ""
        made = {directory / name: text for name, text in texts.items()}
        there = [str(path) for path in made if path.exists()]
        if there and not dry_run:
            confirm(f"Replace {', '.join(there)}?", yes=yes, no_input=no_input)
        if (after := ignored(before)) != before:
            made[ignore] = after
        for path, text in made.items():
            if not dry_run:
                directory.mkdir(parents=True, exist_ok=True)
                path.write_text(text, encoding="utf-8")
            say(str(path))
    except OSError as error:
        raise NewapiError(f"{error.filename}: {(error.strerror or 'cannot be written').lower()}") from error
    note(f"Keys found: {', '.join(known.variable for known in keys) or 'none'}.")
    note("Next: newapi validate, newapi apply, newapi serve.")


def _deployment(text: str) -> Deployment:
    from newapi.cli.mistakes import none_of

    if text in ("compose", "systemd", "kubernetes"):
        return text
    raise ValueError(none_of(text, ("compose", "systemd", "kubernetes")))
