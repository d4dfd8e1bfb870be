"""Where a command acts: a server that is named, else this machine's server, else the database itself."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from newapi.cli.commands._options import account
from newapi.cli.commands._remote import TokenFile

if TYPE_CHECKING:
    from newapi.base.secret import Secret
    from newapi.ops.gateway import Gateway

__all__ = ["ContextName", "ServerUrl", "TokenFile", "gateway"]

ServerUrl = Annotated[
    str | None,
    typer.Option("--server", envvar="NEWAPI_SERVER", metavar="URL", help="Act on this server: its URL, or unix:/path."),
]
ContextName = Annotated[
    str | None,
    typer.Option("--context", envvar="NEWAPI_CONTEXT", metavar="NAME", help="Act on a saved one; `local` is this one."),
]
_TOKEN = "NEWAPI_ACCESS_TOKEN"


def gateway(
    config: Path | None = None,
    *,
    server: str | None = None,
    context: str | None = None,
    token_file: str | None = None,
) -> Gateway:
    """Return what a command acts on.

    Args:
        config: The configuration of this machine's gateway.
        server: A server, as for `newapi.ops.remote.connected`.
        context: The name of a saved one; without it the one that `newapi context use` chose.
        token_file: Holds an access token; `-` is standard input.

    Raises:
        WrongUsage: Two places are said.
        NotSignedIn: A server wants an access token, and there is none.
    """
    from newapi.cli.output import WrongUsage
    from newapi.ops import contexts

    if server and context:
        raise WrongUsage("--server and --context both say where to act")
    if server:
        return _behind(server, _token(server, token_file))
    known = contexts.read()
    name = context or known.current
    if name != contexts.LOCAL:
        found = known.get(name)
        token = None if token_file or os.environ.get(_TOKEN) else contexts.token_of(found)
        return _behind(found.server, token or _token(found.server, token_file))
    return _here(config)


def _here(config: Path | None) -> Gateway:
    from newapi.config.load import load_server
    from newapi.ops.gateway import LocalGateway
    from newapi.ops.listening import answers
    from newapi.ops.local import admin_socket, open_local

    loaded = load_server(config)
    socket = admin_socket(loaded.config.server, loaded.path)
    if socket is not None and socket.exists() and answers(socket):
        return _behind(f"unix:{socket}", None)
    return LocalGateway(open_local(config, server_only=True), account())


def _behind(server: str, token: Secret | None) -> Gateway:
    from newapi.ops.remote_gateway import RemoteGateway

    return RemoteGateway(server, token, account())


def _token(server: str, token_file: str | None) -> Secret | None:
    from newapi.base.secret import Secret
    from newapi.cli.commands._remote import credential
    from newapi.ops.remote import NotSignedIn

    if token_file is not None:
        return credential(token_file)
    if value := os.environ.get(_TOKEN, "").strip():
        return Secret(value)
    if server.startswith("unix:"):
        return None
    raise NotSignedIn(f"{server} wants an access token", hint=f"--token-file FILE, or {_TOKEN} in the environment")
