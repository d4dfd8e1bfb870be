"""A text in the editor of whoever runs a command."""

from __future__ import annotations


def edited(text: str, name: str, *, no_input: bool = False) -> str:
    """Return what became of a text in `$VISUAL`, `$EDITOR` or vi.

    Args:
        text: As it is.
        name: What its file is called, for the editor.
        no_input: `--no-input`: there is nobody.

    Raises:
        Unconfirmed: There is no terminal.
        NewapiError: The editor cannot be run, or left with a failure.
    """
    import os
    import shlex
    import subprocess
    import sys
    import tempfile
    from pathlib import Path

    from newapi.base.errors import NewapiError
    from newapi.cli.output import Unconfirmed

    editor = os.environ.get("VISUAL") or os.environ.get("EDITOR") or "vi"
    if no_input or not (sys.stdin.isatty() or "EDITOR" in os.environ or "VISUAL" in os.environ):
        raise Unconfirmed("There is no terminal to edit on: newapi channel set changes single settings")
    with tempfile.TemporaryDirectory(prefix="newapi-") as directory:
        file = Path(directory) / name
        file.write_text(text, encoding="utf-8")
        try:
            left = subprocess.run([*shlex.split(editor), str(file)], check=False).returncode  # noqa: S603
        except (OSError, ValueError) as error:
            raise NewapiError(f"The editor {editor} cannot be run: {error}") from None
        if left:
            raise NewapiError(f"The editor {editor} left with {left}: nothing was changed")
        return file.read_text(encoding="utf-8")
