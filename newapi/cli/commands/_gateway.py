"""Where a command acts: a server that is named, else this machine's server, else the database itself."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Annotated, NamedTuple

import typer

from newapi.cli.commands._options import ConfigFile, account
from newapi.cli.commands._remote import TokenFile

if TYPE_CHECKING:
    from pathlib import Path

    from newapi.base.secret import Secret
    from newapi.config.load import Loaded
    from newapi.ops.contexts import Context
    from newapi.ops.gateway import Gateway
    from newapi.ops.local import Local

__all__ = ["HERE", "ContextName", "ServerUrl", "TokenFile", "Where", "here", "mind", "said"]

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
"""The variable with an access token."""


class Where(NamedTuple):
    """Where a command acts, as its options say: a command that has a parameter `at: Where = HERE` has these options.

    Attributes:
        config: The configuration of this machine's gateway.
        server: A server, as for `newapi.ops.remote.connected`.
        context: The name of a saved one; without it the one that `newapi context use` chose.
        token_file: Holds an access token; `-` is standard input.
    """

    config: ConfigFile = None
    server: ServerUrl = None
    context: ContextName = None
    token_file: TokenFile = None

    def gateway(self) -> Gateway:
        """Return what a command acts on.

        Raises:
            WrongUsage: Two places are said.
            NotSignedIn: A server wants an access token, and there is none.
        """
        if (place := self._place()) is not None:
            return _behind(*place)
        from newapi.ops.gateway import LocalGateway
        from newapi.ops.local import opened

        loaded = self._loaded()
        if socket := _socket(loaded):
            return _behind(socket, None)
        return LocalGateway(opened(loaded), account())

    def running(self) -> tuple[str, Secret | None]:
        """Return the server that a command acts on, and the access token for it; None for the admin socket.

        Raises:
            Unreachable: None runs here.
            WrongUsage: Two places are said.
            NotSignedIn: A server wants an access token, and there is none.
        """
        if (place := self._place()) is not None:
            return place
        from newapi.ops.remote import Unreachable

        loaded = self._loaded()
        if socket := _socket(loaded):
            return socket, None
        why = "nothing listens on its admin socket, or it is not ours to open"
        raise Unreachable(f"the server of {loaded.path}", why)

    def address(self) -> str:
        """Return where the server answers everybody: the one that is named, or what this machine's listens on.

        Raises:
            WrongUsage: Two places are said.
        """
        return self._named()[0] or self._loaded().config.server.listen

    def elsewhere(self) -> bool:
        """Say whether a command acts on a gateway that is not this machine's: not on its keyring, nor by its file."""
        from newapi.ops import contexts

        return bool(self.server) or (self.context or contexts.read().current) != contexts.LOCAL

    def runs(self) -> bool:
        """Say whether this machine's server answers. May raise what reading its configuration raises."""
        return _socket(self._loaded()) is not None

    def _loaded(self) -> Loaded:
        from newapi.config.load import load_server

        return load_server(self.config)

    def _named(self) -> tuple[str, Context | None]:
        """Return the server that is named, "" when none is, and the context that names it."""
        from newapi.cli.output import WrongUsage
        from newapi.ops import contexts

        if self.server and self.context:
            raise WrongUsage("--server and --context both say where to act")
        if self.server:
            return self.server, None
        known = contexts.read()
        name = self.context or known.current
        if name == contexts.LOCAL:
            return "", None
        found = known.get(name)
        return found.server, found

    def _place(self) -> tuple[str, Secret | None] | None:
        """Return the server that is named, by its address or by a context, and the access token; None when none is."""
        from newapi.ops import contexts

        server, context = self._named()
        if not server:
            return None
        if context is None or self.token_file or os.environ.get(_TOKEN):
            return server, _token(server, self.token_file)
        return server, contexts.token_of(context) or _token(server, None)


HERE = Where()
"""This machine's gateway, or the one of the context that is in use."""


def here(config: Path | None, *, migrate: bool = True) -> Local:
    """Return this machine's gateway, for a command that acts nowhere else, and say so where others act elsewhere."""
    from newapi.ops.local import open_local

    mind(config)
    return open_local(config, server_only=True, migrate=migrate)


def mind(config: Path | None) -> None:
    """Say that a command acts on this machine's gateway, where others act elsewhere."""
    from newapi.cli.output import note

    at = Where(config, os.environ.get("NEWAPI_SERVER"), os.environ.get("NEWAPI_CONTEXT"))
    if at.elsewhere():
        note("This acts on this machine's gateway, whatever server or context the other commands act on.")


def _socket(loaded: Loaded) -> str | None:
    """Return the admin socket of the server that runs here, None when none does."""
    from newapi.ops.listening import answers
    from newapi.ops.local import admin_socket

    socket = admin_socket(loaded.config.server, loaded.path)
    return f"unix:{socket}" if socket is not None and socket.exists() and answers(socket) else None


def _behind(server: str, token: Secret | None) -> Gateway:
    from newapi.ops.remote_gateway import RemoteGateway

    return RemoteGateway(server, token, account())


def said(token_file: str | None) -> Secret | None:
    """Return the access token that is said: in a file, or in the environment; None when none is."""
    from newapi.base.secret import Secret
    from newapi.cli.commands._remote import credential

    if token_file is not None:
        return credential(token_file)
    value = os.environ.get(_TOKEN, "").strip()
    return Secret(value) if value else None


def _token(server: str, token_file: str | None) -> Secret | None:
    from newapi.ops.remote import NotSignedIn

    token = said(token_file)
    if token is not None or server.startswith(("unix:", "ssh:")):
        return token
    raise NotSignedIn(f"{server} wants an access token", hint=f"--token-file FILE, or {_TOKEN} in the environment")
