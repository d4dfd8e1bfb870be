from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from newapi.cli.commands._options import ConfigFile, DryRun, Form
from newapi.cli.commands._remote import TokenFile
from newapi.cli.output import Output

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from newapi.ops.connect import Settings

_STAND_IN = "$NEWAPI_KEY"


def connect(
    client: Annotated[
        str, typer.Argument(help="claude-code, codex, gemini-cli, …; without one, they are listed.")
    ] = "",
    write: Annotated[bool, typer.Option("--write", help="Into the client's own files; those before are kept.")] = False,
    model: Annotated[str, typer.Option("--model", "-m", help="The model to use; default: one that suits it.")] = "",
    token: Annotated[str, typer.Option("--token", help="With the key of this token, by name or id.")] = "",
    token_file: TokenFile = None,
    server: Annotated[
        str | None, typer.Option("--server", envvar="NEWAPI_SERVER", help="The gateway's URL, as the client sees it.")
    ] = None,
    dry_run: DryRun = False,
    config: ConfigFile = None,
    output: Form = Output.TABLE,
) -> None:
    """Print the settings with which a client uses this gateway, or write them into its files.

    Without a key the settings say $NEWAPI_KEY. With one they hold it: mind where they are printed.

    Examples:
        newapi connect
        newapi connect claude-code --token ci
        newapi connect codex --token ci --model gpt-5 --write
        eval "$(newapi connect openai --token ci)"
    """
    from newapi.cli.output import WrongUsage, say, show
    from newapi.ops.connect import CLIENTS, Target, best_model, find, settings
    from newapi.ops.health import base_url
    from newapi.ops.local import open_local
    from newapi.ops.models import list_models
    from newapi.ops.tokens import key_of

    if not client:
        show([{"name": name, "what": known.about} for name, known in CLIENTS.items()], output)
        return
    find(client)
    if token and token_file:
        raise WrongUsage("--token and --token-file are two ways to say one thing")
    if write and not token and not token_file:
        raise WrongUsage("To write settings, a key is needed", hint="--token NAME, or --token-file FILE")
    local = open_local(config, server_only=True)
    server_spec = local.config.server
    url = base_url(server or server_spec.public_url or server_spec.listen)
    key = key_of(local, token).reveal() if token else _key(token_file)
    chosen = model or best_model(client, [m.name for m in list_models(local.db, token=token)])
    if not chosen:
        raise WrongUsage("No channel serves a model yet", hint="--model NAME")
    made = settings(client, Target(url, key, chosen))
    if write:
        _write(made, dry_run=dry_run, output=output)
    elif output is Output.TABLE:
        for line in _text(made):
            say(line)
    else:
        show(made, output)


def _key(token_file: str | None) -> str:
    from newapi.cli.commands._remote import credential

    return credential(token_file).reveal() if token_file else _STAND_IN


def _text(made: Settings) -> Iterator[str]:
    """Yield the lines for people; where a client has nothing but variables, a shell may run them."""
    from newapi.ops.connect import content, shell

    for edit in made.files:
        yield f"# {edit.path}"
        yield content(edit).rstrip("\n")
    if made.files and made.env:
        yield "# or, but for what only the file says, in the environment" if _in_files(made) else "# in the environment"
    yield from shell(made.env)
    for command in made.commands:
        yield f"# then: {command}" if made.env and not made.files else command
    for line in made.notes:
        yield f"# {line}" if made.env or made.files else line


def _in_files(made: Settings) -> bool:
    """Say whether the client's files say what the variables would."""
    from newapi.ops.connect import content

    return any(value in content(edit) for value in made.env.values() for edit in made.files)


def _write(made: Settings, *, dry_run: bool, output: Output) -> None:
    import time
    from pathlib import Path

    from newapi.cli.output import WrongUsage, note, show
    from newapi.ops.connect import located, shell, write

    if not made.files:
        raise WrongUsage(
            f"{made.client} has no file of its own for this", hint=f"newapi connect {made.client} prints what to do"
        )
    home: Path = Path.home()
    if dry_run:
        for edit in made.files:
            note(f"Would write {located(edit, home)}.")
        return
    stamp = time.strftime("%Y%m%d-%H%M%S")
    written = [write(edit, home, stamp) for edit in made.files]
    if output is not Output.TABLE:
        show(written, output)
    for file in written:
        kept = f"; the one before is {file.backup}" if file.backup else ""
        note(f"Wrote {file.path}{kept}." if file.changed else f"{file.path} says so already.")
    if made.env and not _in_files(made):
        note("It reads the key from the environment:")
        for line in shell(made.env):
            note(f"  {line}")
