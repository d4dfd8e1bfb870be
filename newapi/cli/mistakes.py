"""What is said of a command line that makes no sense: what was probably meant."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from newapi.base.nearest import did_you_mean, nearest
from newapi.cli.output import WrongUsage

_ELSEWHERE = ("--server", "--context", "--token-file")
"""What says where to act: the options of `Where`."""
_SETTING = "KEY=VALUE"
_CHOICE = re.compile(r"Value error, '(.*)' is not one of (.*)\.", re.DOTALL)


def no_such_command(word: str, known: Sequence[str], group: str) -> WrongUsage:
    """Return what is said of a command that there is not: the nearest of those that `group` has."""
    near = nearest(word, known)
    message = f"No such command {word!r}." + (f" Did you mean {near!r}?" if near else "")
    return WrongUsage(message, hint=f"{group} --help")


def wrong_usage(error: Any) -> WrongUsage:
    """Return what is said of a command line that Typer refused."""
    context = getattr(error, "ctx", None)
    hint = f"{context.command_path} --help" if context else ""
    if context and hasattr(error, "possibilities"):
        params, option = context.command.get_params(context), error.option_name
        if option in _ELSEWHERE and any("--config" in param.opts for param in params):
            message = f"`{context.command_path}` acts on this machine's gateway alone: there is no {option} for it"
            return WrongUsage(message, hint="it has to be run where that gateway is")
        return WrongUsage(error.message + _option(option, params), hint=hint)
    message = str(error.format_message())
    if choice := _CHOICE.search(message):
        known = [name.strip("'") for name in choice[2].split(", ")]
        message = message[: choice.start()] + none_of(choice[1], known)
    return WrongUsage(message, hint=hint)


def none_of(text: str, known: Sequence[str], what: str = "") -> str:
    """Return what is said of a value that is none of those that there are; `what` names one of them."""
    is_none = f"is no {what}: write one of" if what else "is none of"
    return f"{text!r} {is_none} {', '.join(known)}{did_you_mean(text, known)}"


def _option(name: str, params: Sequence[Any]) -> str:
    """Return what was probably meant by an option that there is not."""
    word = name.strip("-")
    known = [text.strip("-") for p in params for text in (*p.opts, *p.secondary_opts) if text.startswith("--")]
    if near := nearest(word, known):
        return f". Did you mean --{near}?"
    if any(str(p.metavar).startswith(_SETTING) for p in params):
        return f". Settings are written without dashes: {word}=VALUE"
    return ""
