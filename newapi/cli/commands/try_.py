from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from newapi.cli.commands._gateway import ContextName, ServerUrl, Where
from newapi.cli.commands._options import ConfigFile, DryRun, Form
from newapi.cli.output import Output

if TYPE_CHECKING:
    from newapi.ops.trial import Trial, Tried


class Entry(StrEnum):
    """`--as`."""

    CHAT = "chat"
    MESSAGES = "messages"
    GEMINI = "gemini"
    RESPONSES = "responses"


def try_(
    model: Annotated[str, typer.Argument(help="As a caller names it.")],
    prompt: Annotated[str, typer.Argument(help="What to ask; - is standard input.")] = "Say hello in one sentence.",
    entry: Annotated[Entry, typer.Option("--as", help="The format to ask in.")] = Entry.CHAT,
    stream: Annotated[bool, typer.Option("--stream", "-s", help="Print the answer as it comes.")] = False,
    image: Annotated[list[Path] | None, typer.Option("--image", help="A picture to show; repeatable.")] = None,
    max_tokens: Annotated[int, typer.Option("--max-tokens", help="Of the answer.", min=1)] = 4096,
    timings: Annotated[bool, typer.Option("--timings", help="Say how long it took, on standard error.")] = False,
    group: Annotated[str, typer.Option("--group", help="Of the temporary token.")] = "default",
    server: ServerUrl = None,
    context: ContextName = None,
    token_file: Annotated[
        str | None, typer.Option("--token-file", metavar="FILE", help="A token's key; - is standard input.")
    ] = None,
    timeout: Annotated[str, typer.Option("--timeout", help="How long it may be silent.")] = "300s",
    dry_run: DryRun = False,
    config: ConfigFile = None,
    output: Form = Output.TABLE,
) -> None:
    """Send one request through the running gateway and print the answer.

    Without --token-file it makes a temporary token of root there, and deletes it afterwards: another server wants the
    context's access token for that, or NEWAPI_ACCESS_TOKEN in the environment.

    Examples:
        newapi try gpt-4o-mini
        newapi try claude-sonnet-4-5 'Why is the sky blue?' --as messages --stream --timings
        newapi try gemini-2.5-flash 'What is this?' --as gemini --image photo.jpg
        git diff | newapi try gpt-4o - --server https://ai.example.com --token-file ~/.newapi-key
    """
    from newapi.cli.commands._options import read, seconds
    from newapi.cli.commands._remote import credential
    from newapi.cli.output import note, say, show
    from newapi.ops.trial import Trial, ask, temporary_token, written

    trial = Trial(
        model=model,
        prompt=_prompt(prompt, token_file),
        entry=entry.value,
        stream=stream,
        images=tuple(_read(path) for path in image or ()),
        max_output=max_tokens,
    )
    limit = read("--timeout", timeout, seconds) or 0.0
    at = Where(config, server, context)
    where = at.address()
    if dry_run:
        call = written(trial)
        note(f"Would send POST {call.path} to {where}:")
        say(call.body.decode())
        return
    printer = _Printer(quiet=output is not Output.TABLE)
    try:
        if token_file:
            tried = ask(where, credential(token_file), trial, printer.say, timeout=limit)
        else:
            with temporary_token(at.gateway(), group) as key:
                tried = ask(where, key, trial, printer.say, timeout=limit, patient=True)
    finally:
        printer.end()
    if output is not Output.TABLE:
        show(tried, output)
    if timings:
        note(_timings(tried, trial))


class _Printer:
    """Writes an answer as it comes: its text to standard output, its reasoning, for people, to standard error."""

    def __init__(self, *, quiet: bool) -> None:
        self._quiet = quiet
        self._last = ""
        self._ended = True

    def say(self, kind: str, text: str) -> None:
        import sys

        from newapi.cli.output import write

        if self._quiet:
            return
        if kind == "text":
            if self._last == "reasoning":
                sys.stderr.write("\n")
            write(text)
            self._ended = text.endswith("\n")
        else:
            sys.stderr.write(text)
            sys.stderr.flush()
        self._last = kind

    def end(self) -> None:
        from newapi.cli.output import write

        if not self._quiet and not self._ended:
            write("\n")


def _prompt(prompt: str, token_file: str | None) -> str:
    import sys

    from newapi.cli.output import WrongUsage

    if prompt != "-":
        return prompt
    if token_file == "-":
        raise WrongUsage("Standard input is one thing: the prompt, or the credential")
    return sys.stdin.read()


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise typer.BadParameter(f"{path} cannot be read: {error.strerror}", param_hint="--image") from None


def _timings(tried: Tried, trial: Trial) -> str:
    parts = [f"head {tried.head_ms} ms"]
    if tried.first_ms:
        parts.append(f"first token {tried.first_ms} ms")
    parts.append(f"all {tried.total_ms} ms")
    seconds = (tried.total_ms - tried.first_ms) / 1000
    tokens = f"{tried.prompt_tokens} tokens in, {tried.completion_tokens} out"
    if trial.stream and seconds > 0:
        tokens += f" ({tried.completion_tokens / seconds:.0f}/s)"
    parts += [tokens, tried.finish, f"newapi trace {tried.request_id}"]
    return ", ".join(part for part in parts if part)
