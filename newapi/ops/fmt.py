"""Configuration files in the canonical layout."""

from __future__ import annotations

import difflib
import os
from pathlib import Path

from newapi.base.errors import NewapiError
from newapi.config.findings import mask
from newapi.config.layout import canonical
from newapi.config.load import check_syntax, read_text


def laid_out(path: Path) -> tuple[str, str]:
    """Return what a file says, and the same in the canonical layout; `-` is standard input.

    Raises:
        ConfigError: It cannot be read, or is not TOML.
    """
    text = read_text(path)
    check_syntax(path, text)
    return text, canonical(text)


def difference(path: Path, before: str, after: str) -> str:
    """Return a unified diff; what looks like a secret is hidden, "" where nothing differs."""
    lines = difflib.unified_diff(
        before.splitlines(keepends=True), after.splitlines(keepends=True), str(path), f"{path} (formatted)"
    )
    return mask("".join(line if line.endswith("\n") else f"{line}\n" for line in lines))


def rewrite(path: Path, text: str) -> None:
    """Replace what a file says at once; it keeps its mode, and a link stays one.

    Raises:
        NewapiError: It cannot be written.
    """
    real = path.resolve()
    draft = real.with_name(f".{real.name}.{os.getpid()}.tmp")
    try:
        mode = real.stat().st_mode & 0o7777
        descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
        with os.fdopen(descriptor, "w", encoding="utf-8", newline="\n") as file:
            file.write(text)
        draft.chmod(mode)
        draft.replace(real)
    except OSError as error:
        draft.unlink(missing_ok=True)
        raise NewapiError(f"{path} cannot be written: {(error.strerror or 'failed').lower()}") from error
