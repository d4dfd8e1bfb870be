"""The credential for a running server."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from newapi.base.secret import Secret

TokenFile = Annotated[
    str | None,
    typer.Option("--token-file", metavar="FILE", help="Read the credential from there; - is standard input."),
]


def credential(token_file: str) -> Secret:
    """Return the first line of a file, or of standard input.

    Raises:
        WrongUsage: It cannot be read, or is empty.
    """
    import sys
    from pathlib import Path

    from newapi.base.secret import Secret
    from newapi.cli.output import WrongUsage

    try:
        text = sys.stdin.readline() if token_file == "-" else Path(token_file).read_text()
    except (OSError, UnicodeDecodeError) as error:
        raise WrongUsage(f"The credential in {token_file} cannot be read: {error}") from None
    line = text.strip().partition("\n")[0].strip()
    if not line:
        where = "Standard input" if token_file == "-" else token_file
        raise WrongUsage(f"{where} has no credential", hint="its first line is the key, and nothing else")
    return Secret(line)
