from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from newapi.cli.commands._gateway import HERE, Where, said
from newapi.cli.commands._options import DryRun, Form
from newapi.cli.output import Output

if TYPE_CHECKING:
    from newapi.base.secret import Secret

_METHODS = ("GET", "POST", "PUT", "PATCH", "DELETE")


def api(
    method: Annotated[str, typer.Argument(help="GET, POST, PUT, PATCH or DELETE.")],
    path: Annotated[str, typer.Argument(help="`/api/user/self`, or `user/self`, with its query.")],
    data: Annotated[str | None, typer.Option("--data", "-d", metavar="JSON", help="The body; - is stdin.")] = None,
    timeout: Annotated[str, typer.Option("--timeout", help="How long it may take.")] = "30s",
    dry_run: DryRun = False,
    at: Where = HERE,
    output: Form = Output.JSON,
) -> None:
    """Ask the management API of the running server; its answer is printed as it is, JSON.

    The credential is a user's access token: the context's, --token-file, or NEWAPI_ACCESS_TOKEN in the environment.
    Without one this machine's server is asked through its admin socket, as root. With -o table, csv, ndjson, toml or
    name it shows the data of the answer.

    Examples:
        newapi api GET /api/user/self
        newapi api POST channel/ -d - < channel.json
        newapi api GET 'log/?p=1&page_size=50' -o ndjson --context prod
    """
    from newapi.cli.commands._options import read, seconds
    from newapi.cli.mistakes import none_of
    from newapi.cli.output import note
    from newapi.ops.remote import call, check

    method, path = method.upper(), _path(path)
    if method not in _METHODS:
        raise typer.BadParameter(none_of(method, _METHODS), param_hint="METHOD")
    body = _body(data, at.token_file)
    limit = read("--timeout", timeout, seconds) or 0.0
    where, token = _place(at)
    if dry_run:
        note(f"Would send {method} {path} to {where}{f', {len(body)} bytes' if body is not None else ''}.")
        return
    answer = call(where, method, path, token, body, timeout=limit)
    _show(answer.body, output)
    check(answer)


def _path(path: str) -> str:
    from newapi.cli.output import WrongUsage

    if "://" in path or ".." in path.partition("?")[0].split("/"):
        raise WrongUsage(
            f"{path} is no path of the management API", hint="newapi api GET /api/status; --server says where"
        )
    bare = path.removeprefix("/")
    return f"/{bare}" if bare.startswith("api/") else f"/api/{bare}"


def _body(data: str | None, token_file: str | None) -> bytes | None:
    import sys

    import msgspec

    from newapi.cli.output import WrongUsage

    if data is None:
        return None
    piped = data in ("-", "@-")
    if piped and token_file == "-":
        raise WrongUsage("Standard input is one thing: the body, or the credential")
    text: str = sys.stdin.read() if piped else data
    try:
        msgspec.json.decode(text, type=msgspec.Raw)
    except msgspec.DecodeError as error:
        raise typer.BadParameter(f"this is no JSON: {error}", param_hint="--data") from None
    return text.encode()


def _place(at: Where) -> tuple[str, Secret | None]:
    """Return the server and the credential: a token that is given is shown to this machine's server, too."""
    if not at.elsewhere() and (token := said(at.token_file)) is not None:
        return at.address(), token
    return at.running()


def _show(body: Any, output: Output) -> None:
    import msgspec

    from newapi.cli.output import say, show

    if isinstance(body, str):
        say(body)
        return
    if output is Output.JSON:
        say(msgspec.json.format(msgspec.json.encode(body), indent=2).decode())
        return
    data = body.get("data", body) if isinstance(body, dict) else body
    if isinstance(data, dict) and isinstance(data.get("items"), list):
        data = data["items"]
    if isinstance(data, dict) or (isinstance(data, list) and all(isinstance(item, dict) for item in data)):
        show(data, output)
    elif isinstance(data, list):
        show([{"name": item} for item in data], output)
    elif data is not None:
        say(data if isinstance(data, str) else msgspec.json.encode(data).decode())
