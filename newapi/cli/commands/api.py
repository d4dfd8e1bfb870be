from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from newapi.cli.commands._options import ConfigFile, DryRun, Form
from newapi.cli.commands._remote import Server, TokenFile
from newapi.cli.output import Output

if TYPE_CHECKING:
    from newapi.base.secret import Secret

_METHODS = ("GET", "POST", "PUT", "PATCH", "DELETE")
_TOKEN = "NEWAPI_ACCESS_TOKEN"


def api(
    method: Annotated[str, typer.Argument(help="GET, POST, PUT, PATCH or DELETE.")],
    path: Annotated[str, typer.Argument(help="`/api/user/self`, or `user/self`, with its query.")],
    data: Annotated[str | None, typer.Option("--data", "-d", metavar="JSON", help="The body; - is stdin.")] = None,
    server: Server = None,
    token_file: TokenFile = None,
    timeout: Annotated[str, typer.Option("--timeout", help="How long it may take.")] = "30s",
    dry_run: DryRun = False,
    config: ConfigFile = None,
    output: Form = Output.JSON,
) -> None:
    """Ask the management API of the running server; its answer is printed as it is, JSON.

    The credential is a user's access token: --token-file, or NEWAPI_ACCESS_TOKEN in the environment. With -o table,
    csv, ndjson, toml or name it shows the data of the answer.

    Examples:
        newapi api GET /api/user/self
        newapi api POST channel/ -d - < channel.json
        newapi api GET 'log/?p=1&page_size=50' -o ndjson
    """
    from newapi.cli.commands._options import read, seconds
    from newapi.cli.commands._remote import server_of
    from newapi.cli.output import note
    from newapi.ops.remote import call, check

    method, path = method.upper(), _path(path)
    if method not in _METHODS:
        raise typer.BadParameter(f"{method} is none of {', '.join(_METHODS)}", param_hint="METHOD")
    body = _body(data, token_file)
    where = server_of(server, config)
    limit = read("--timeout", timeout, seconds) or 0.0
    if dry_run:
        note(f"Would send {method} {path} to {where}{f', {len(body)} bytes' if body is not None else ''}.")
        return
    answer = call(where, method, path, _token(token_file), body, timeout=limit)
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


def _token(token_file: str | None) -> Secret:
    import os

    from newapi.base.secret import Secret
    from newapi.cli.commands._remote import credential
    from newapi.ops.remote import NotSignedIn

    if token_file is not None:
        return credential(token_file)
    if value := os.environ.get(_TOKEN, "").strip():
        return Secret(value)
    raise NotSignedIn(
        "The management API wants an access token", hint=f"--token-file FILE, or {_TOKEN} in the environment"
    )


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
