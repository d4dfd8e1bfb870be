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
    from newapi.config.load import Loaded
    from newapi.ops.gateway import Gateway

__all__ = ["ContextName", "ServerUrl", "TokenFile", "elsewhere", "gateway", "running", "runs"]

ServerUrl = Annotated[
    str | None,
    typer.Option(
        "--server",
        envvar="NEWAPI_SERVER",
        metavar="URL",
        help="Act on this server: its URL, unix:/path, or ssh://host.",
    ),
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
    place = _elsewhere(server, context, token_file)
    if place is not None:
        return _behind(*place)
    from newapi.config.load import load_server
    from newapi.ops.gateway import LocalGateway
    from newapi.ops.local import open_local

    if socket := _socket(load_server(config)):
        return _behind(socket, None)
    return LocalGateway(open_local(config, server_only=True), account())


def running(
    config: Path | None = None,
    *,
    server: str | None = None,
    context: str | None = None,
    token_file: str | None = None,
) -> tuple[str, Secret | None]:
    """Return the server that a command acts on, and the access token for it; None for the admin socket.

    Args:
        config: The configuration of this machine's server.
        server: As for `gateway`.
        context: As for `gateway`.
        token_file: As for `gateway`.

    Raises:
        Unreachable: None runs here.
        WrongUsage: Two places are said.
        NotSignedIn: A server wants an access token, and there is none.
    """
    place = _elsewhere(server, context, token_file)
    if place is not None:
        return place
    from newapi.config.load import load_server
    from newapi.ops.remote import Unreachable

    loaded = load_server(config)
    if socket := _socket(loaded):
        return socket, None
    raise Unreachable(f"the server of {loaded.path}", "nothing listens on its admin socket, or it is not ours to open")


def _elsewhere(server: str | None, context: str | None, token_file: str | None) -> tuple[str, Secret | None] | None:
    """Return the server that is named, by its address or by a context, and the access token; None when none is."""
    from newapi.cli.output import WrongUsage
    from newapi.ops import contexts

    if server and context:
        raise WrongUsage("--server and --context both say where to act")
    if server:
        return server, _token(server, token_file)
    known = contexts.read()
    name = context or known.current
    if name == contexts.LOCAL:
        return None
    found = known.get(name)
    token = None if token_file or os.environ.get(_TOKEN) else contexts.token_of(found)
    return found.server, token or _token(found.server, token_file)


def elsewhere(server: str | None, context: str | None) -> bool:
    """Say whether a command acts on a gateway that is not this machine's: not on its keyring, nor by its file."""
    from newapi.ops import contexts

    return bool(server) or (context or contexts.read().current) != contexts.LOCAL


def runs(config: Path | None = None) -> bool:
    """Say whether this machine's server answers. May raise what reading its configuration raises."""
    from newapi.config.load import load_server

    return _socket(load_server(config)) is not None


def _socket(loaded: Loaded) -> str | None:
    """Return the admin socket of the server that runs here, None when none does."""
    from newapi.ops.listening import answers
    from newapi.ops.local import admin_socket

    socket = admin_socket(loaded.config.server, loaded.path)
    return f"unix:{socket}" if socket is not None and socket.exists() and answers(socket) else None


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
    if server.startswith(("unix:", "ssh:")):
        return None
    raise NotSignedIn(f"{server} wants an access token", hint=f"--token-file FILE, or {_TOKEN} in the environment")
