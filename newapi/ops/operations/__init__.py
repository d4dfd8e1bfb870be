"""What is asked of a gateway, each an object: it is run here, or sent to a server that runs it there.

An operation is a struct with a method `run(local, who)`, which calls the function of `ops/` that does the work; what
that returns is the answer. `Gateway.do` takes one. So a command knows nothing of where it acts, and one that is listed
in `operations.every` is a route of the management API too: `POST /api/manage/run/<its name>`, the struct as JSON.
"""

from __future__ import annotations

import re
import typing
from typing import Any, Protocol, TypeVar

import msgspec

from newapi.base.secret import Secret
from newapi.ops.local import Local

T = TypeVar("T")
T_co = TypeVar("T_co", covariant=True)


class Operation(Protocol[T_co]):
    """Something to do, or to find out; raises what the function of `ops/` raises."""

    def run(self, local: Local, who: str) -> T_co:
        """Do it here; `who` does it, for the audit log."""
        ...


def name_of(operation: type[Operation[Any]]) -> str:
    """Return what an operation is called: `ChangeToken` is `change-token`."""
    return re.sub(r"(?<=[a-z])(?=[A-Z])", "-", operation.__name__).lower()


def seconds_of(operation: type[Operation[Any]]) -> float | None:
    """Return how long an answer may take, None where it takes no longer than others."""
    return getattr(operation, "SECONDS", None)


def answer_of(operation: type[Operation[T]]) -> Any:
    """Return the type of an operation's answer."""
    return typing.get_type_hints(operation.run)["return"]


def encoded(value: Any) -> bytes:
    """Return an operation, or an answer, as JSON: for the one it is sent to, so with the secrets in it."""
    return msgspec.json.encode(value, enc_hook=_reveal)


def plain(value: Any) -> Any:
    """Return an answer as plain values that can be written as JSON: with the secrets in it."""
    return msgspec.to_builtins(value, enc_hook=_reveal)


def converted(value: Any, type: type[T]) -> T:
    """Return what was JSON as `type`.

    Raises:
        msgspec.ValidationError: It is none.
    """
    return msgspec.convert(value, type, str_keys=True, dec_hook=_hide)


def schema_of(type: Any) -> dict[str, Any]:
    """Return the JSON Schema of what JSON has no type for.

    Raises:
        NotImplementedError: It is nothing that is sent.
    """
    if type is not Secret:
        raise NotImplementedError
    return {"type": "string", "format": "password"}


def _reveal(value: Any) -> Any:
    if isinstance(value, Secret):
        return value.reveal()
    raise NotImplementedError


def _hide(type: type[Any], value: Any) -> Any:
    if type is Secret and isinstance(value, str):
        return Secret(value)
    raise NotImplementedError
