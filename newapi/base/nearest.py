"""What somebody who misspelt a name probably meant."""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches


def nearest(name: str, known: Iterable[str]) -> str:
    """Return the one of `known` that `name` was probably meant to be, "" when none is near.

    Capitals, dashes and underscores do not count; a name's beginning (`val`), or a word of it (`url` of `base_url`), is
    near it where no other name has it.
    """
    plain: dict[str, str] = {}
    for there in sorted(known):
        plain.setdefault(_plain(there), there)
    wanted = _plain(name)
    if near := get_close_matches(wanted, plain, 1):
        return plain[near[0]]
    parts = [there for bare, there in plain.items() if bare.startswith(wanted) or wanted in bare.split("_")]
    return parts[0] if wanted and len(parts) == 1 else ""


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """Return the end of a message that there is no `name`: `; did you mean 'other'?`, "" when none is near."""
    near = nearest(name, known)
    return f"; did you mean {near!r}?" if near else ""


def _plain(name: str) -> str:
    return name.casefold().replace("-", "_")
