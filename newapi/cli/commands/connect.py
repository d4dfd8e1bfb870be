from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from newapi.cli.commands._gateway import ContextName, ServerUrl, Where
from newapi.cli.commands._options import ConfigFile, DryRun, Form
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
    token_file: Annotated[
        str | None, typer.Option("--token-file", metavar="FILE", help="With the key in there; - is standard input.")
    ] = None,
    url: Annotated[
        str, typer.Option("--url", help="The gateway's URL as the client sees it; default: --server, or `public_url`.")
    ] = "",
    server: ServerUrl = None,
    context: ContextName = None,
    dry_run: DryRun = False,
    config: ConfigFile = None,
    output: Form = Output.TABLE,
) -> None:
    """Print the settings with which a client uses this gateway, or write them into its files.

    Without a key the settings say $NEWAPI_KEY. With one they hold it: mind where they are printed. Which models there
    are, and the key of --token, the gateway is asked: another server wants the context's access token for that.

    Examples:
        newapi connect
        newapi connect claude-code --token ci
        newapi connect codex --token ci --model gpt-5 --write
        eval "$(newapi connect openai --token ci)"
        newapi connect claude-code --context prod --token ci
    """
    from newapi.cli.output import WrongUsage, say, show
    from newapi.ops.connect import CLIENTS, Target, best_model, find, settings
    from newapi.ops.operations.reading import ListModels
    from newapi.ops.operations.tokens import RevealToken

    if not client:
        show([{"name": name, "what": known.about} for name, known in CLIENTS.items()], output)
        return
    find(client)
    if token and token_file:
        raise WrongUsage("--token and --token-file are two ways to say one thing")
    if write and not token and not token_file:
        raise WrongUsage("To write settings, a key is needed", hint="--token NAME, or --token-file FILE")
    at = Where(config, server, context)
    key = at.gateway().do(RevealToken(token)).reveal() if token else _key(token_file)
    served = [] if model else [m.name for m in at.gateway().do(ListModels(token))]
    chosen = model or best_model(client, served)
    if not chosen:
        raise WrongUsage("No channel serves a model yet", hint="--model NAME")
    made = settings(client, Target(url.rstrip("/") or _url(at), key, chosen, tuple(served)))
    if write:
        _write(made, dry_run=dry_run, output=output)
    elif output is Output.TABLE:
        for line in _text(made):
            say(line)
    else:
        show(made, output)


def _url(at: Where) -> str:
    """Return the gateway's URL: the server's that is named, or what the gateway says of itself."""
    from urllib.parse import urlsplit

    from newapi.cli.output import WrongUsage
    from newapi.ops.health import base_url
    from newapi.ops.operations.whole import ShowAddress

    named = at.address() if at.elsewhere() else ""
    if named and not named.startswith(("unix:", "ssh:")):
        return base_url(named)
    found = base_url(at.gateway().do(ShowAddress()))
    if named.startswith("ssh:") and urlsplit(found).hostname in ("127.0.0.1", "localhost", "::1"):
        raise WrongUsage(f"{named} says of itself {found}, which is not there from here", hint="--url https://…")
    return found


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
