"""What `apply` and `rollback` do alike: show the plan, ask, apply, hand over the keys of new tokens."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, TextIO

from newapi.base.errors import NewapiError
from newapi.cli.commands._plan import show_plan
from newapi.cli.output import Output, confirm, note, show
from newapi.cli.progress import progress

if TYPE_CHECKING:
    from newapi.ops.apply import Applied, NewToken
    from newapi.ops.plan import Plan


def apply_shown(
    made: Plan,
    do: Callable[[], Applied],
    *,
    yes: bool,
    dry_run: bool,
    no_input: bool,
    write_tokens: Path | None,
    output: Output,
    check: Callable[[Plan], None] | None = None,
) -> None:
    """Show what would change, `check` it, ask, let `do` apply it; the keys of new tokens are written or shown."""
    from newapi.ops.plan_text import total

    if not made.changes and (dry_run or not made.adopted):
        note("Nothing to do: the database is what the file says.")
        return
    show_plan(made.changes, sys.stderr)
    if made.changes:
        note(f"Plan: {total(made)}.")
    if check is not None:
        check(made)
    if dry_run:
        note("Nothing was done: this was a dry run.")
        return
    if made.changes:
        confirm("Apply this?", yes=yes, no_input=no_input)
    with _keys_file(write_tokens) as file:
        with progress("Applying", output):
            done = do()
        _hand_over(done.new_tokens, file, output)
        if file is not None and done.new_tokens:
            note(f"New tokens: {len(done.new_tokens)}; their keys are in {write_tokens}.")
    if done.adopted:
        note(f"{len(done.adopted)} made by commands now belong to the file.")
    if done.changes:
        note(f"Applied: generation {done.generation}.")


@contextmanager
def _keys_file(path: Path | None) -> Iterator[TextIO | None]:
    """Open the file for new keys before anything is applied: a key that cannot be written would be lost."""
    if path is None:
        yield None
        return
    try:
        file = os.fdopen(os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600), "a", encoding="utf-8")
        path.chmod(0o600)
    except OSError as error:
        raise NewapiError(f"{path} cannot be written: {error.strerror}; nothing was applied") from error
    with file:
        yield file


def _hand_over(tokens: Sequence[NewToken], file: TextIO | None, output: Output) -> None:
    from newapi.ops.toml import key, value_of

    if not tokens:
        return
    if file is None:
        show([{"name": t.name, "key": t.key.reveal()} for t in tokens], output)
        note("These keys are not shown again.")
        return
    for token in tokens:
        file.write(f"{key(token.name)} = {value_of('', token.key.reveal())}\n")
