"""The names of what a gateway has, for a shell that completes them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from itertools import pairwise
from os import environ
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from newapi.ops.gateway import Gateway


def names(kind: str, words: Sequence[str]) -> list[str]:
    """Return the names there are, nothing where the gateway does not answer: nobody looks at an error then.

    Args:
        kind: `channel`, `context`, `group`, `model`, `token` or `user`.
        words: The command line so far: it may say which gateway.
    """
    from newapi.base.errors import NewapiError
    from newapi.cli.commands._gateway import Where
    from newapi.ops import contexts

    try:
        if kind == "context":
            return [contexts.LOCAL, *contexts.read().contexts]
        said = {**_words(words), **{k: v for k, v in pairwise(words) if k.startswith("-")}}
        config = said.get("--config") or said.get("-c") or environ.get("NEWAPI_CONFIG")
        there = Where(
            Path(config) if config else None,
            server=said.get("--server") or environ.get("NEWAPI_SERVER"),
            context=said.get("--context") or environ.get("NEWAPI_CONTEXT"),
        ).gateway()
        return sorted(set(_of(kind, there)))
    except NewapiError:
        return []


def _words(words: Iterable[str]) -> Mapping[str, str]:
    """Return what is written as `--option=value`."""
    return {name: value for name, sign, value in (word.partition("=") for word in words) if sign}


def _of(kind: str, there: Gateway) -> Iterable[str]:
    from newapi.ops.operations.reading import ListGroups, ListModels
    from newapi.ops.operations.users import ListUsers
    from newapi.store.users import UserFilter

    match kind:
        case "channel":
            return (channel.name for channel in there.channels())
        case "group":
            return (group.name for group in there.do(ListGroups()))
        case "model":
            return (model.name for model in there.do(ListModels()))
        case "token":
            return (token.name for token in there.tokens())
        case _:
            return (user.name for user in there.do(ListUsers(UserFilter(deleted=False))))
