"""Gateways elsewhere, by name: where each is, and where its access token is kept."""

from __future__ import annotations

import os
import tomllib
from pathlib import Path

import msgspec
from msgspec import Struct

from newapi import secrets
from newapi.base.errors import ConfigError, Conflict, NewapiError, NotFound, Problem
from newapi.base.nearest import did_you_mean
from newapi.base.secret import Secret

LOCAL = "local"
"""The name of this machine's gateway, which is always there."""


class Context(Struct, frozen=True, omit_defaults=True):
    """A gateway. `token` is a reference to an access token, or "" where the environment has it."""

    server: str
    token: str = ""


class Contexts(Struct, frozen=True):
    """All that are known, and the one that commands use when nothing is said."""

    current: str = LOCAL
    contexts: dict[str, Context] = {}

    def get(self, name: str) -> Context:
        """Return one.

        Raises:
            NotFound: There is none of that name.
        """
        if name not in self.contexts:
            error = NotFound(f"There is no context {name!r}{did_you_mean(name, [LOCAL, *self.contexts])}")
            error.hint = f"newapi context add {name} https://…"
            raise error
        return self.contexts[name]


def path() -> Path:
    """Return the file: `newapi/contexts.toml` among the user's configuration."""
    return Path(os.environ.get("XDG_CONFIG_HOME") or Path("~/.config").expanduser()) / "newapi" / "contexts.toml"


def read() -> Contexts:
    """Return what is saved.

    Raises:
        ConfigError: The file is not what `save` wrote.
    """
    file = path()
    try:
        return msgspec.convert(tomllib.loads(file.read_text()), Contexts)
    except FileNotFoundError:
        return Contexts()
    except (OSError, ValueError, msgspec.ValidationError) as error:
        raise ConfigError([Problem(f"the contexts cannot be read: {error}", file=str(file))]) from None


def add(name: str, server: str, *, token: Secret | None = None, reference: str = "") -> None:
    """Save a context.

    Args:
        name: What it is to be called.
        server: The URL of its server, `host:port`, or `unix:/path`.
        token: An access token; it goes into the keyring.
        reference: Where the token is, if it is kept elsewhere.

    Raises:
        Conflict: There is one of that name.
        NoSecret: There is no keyring.
    """
    known = read()
    if name in known.contexts or name == LOCAL:
        raise Conflict(f"There is a context {name!r} already")
    if token is not None:
        reference = f"keyring:{_entry(name)}"
        secrets.keep(_entry(name), token)
    _save(Contexts(known.current, {**known.contexts, name: Context(server, reference)}))


def put(name: str, server: str, token: Secret) -> None:
    """Save a context with its access token in the keyring, in the place of one of that name.

    Raises:
        Conflict: It is the name of this machine's gateway.
        NoSecret: There is no keyring.
    """
    if name == LOCAL:
        raise Conflict(f"{LOCAL!r} is this machine's gateway")
    known = read()
    secrets.keep(_entry(name), token)
    _save(Contexts(known.current, {**known.contexts, name: Context(server, f"keyring:{_entry(name)}")}))


def use(name: str) -> None:
    """Let commands use a context when nothing is said; `local` is this machine's gateway.

    Raises:
        NotFound: There is none of that name.
    """
    known = read()
    if name != LOCAL:
        known.get(name)
    _save(Contexts(name, known.contexts))


def remove(name: str) -> None:
    """Forget a context, and its token if it is in the keyring.

    Raises:
        NotFound: There is none of that name.
    """
    known = read()
    if known.get(name).token == f"keyring:{_entry(name)}":
        secrets.forget(_entry(name))
    left = {other: context for other, context in known.contexts.items() if other != name}
    _save(Contexts(LOCAL if known.current == name else known.current, left))


def token_of(context: Context) -> Secret | None:
    """Return a context's access token, None where it has none.

    Raises:
        NoSecret: It is not where it was said to be.
    """
    return secrets.resolve(context.token, base_dir=path().parent) if context.token else None


def _entry(name: str) -> str:
    return f"context/{name}"


def _save(contexts: Contexts) -> None:
    from newapi.ops.toml import key, value_of  # noqa: PLC0415  (every command reads contexts, and few save any)

    text = f"current = {value_of('', contexts.current)}\n"
    for name, context in contexts.contexts.items():
        text += f"\n[contexts.{key(name)}]\n"
        text += "".join(f"{k} = {value_of('', v)}\n" for k, v in msgspec.to_builtins(context).items())
    file = path()
    new = file.with_suffix(".new")
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        new.write_text(text)
        new.replace(file)
    except OSError as error:
        raise NewapiError(f"{file} cannot be written: {error.strerror}") from error
