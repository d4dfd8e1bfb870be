"""Where a password comes from: standard input, or a prompt; never the command line."""

from __future__ import annotations

import sys

from newapi.base.secret import Secret
from newapi.cli.output import Unconfirmed, WrongUsage


def from_stdin() -> Secret:
    """Return the first line of standard input.

    Raises:
        WrongUsage: There is none.
    """
    line = sys.stdin.readline().removesuffix("\n").removesuffix("\r")
    if not line:
        raise WrongUsage(
            "Standard input has no password", hint="printf '%s' \"$PASSWORD\" | newapi user … --password-stdin"
        )
    return Secret(line)


def asked(question: str) -> Secret:
    """Return what somebody types once.

    Raises:
        Unconfirmed: There is nobody to ask.
    """
    import getpass

    if not sys.stdin.isatty():
        raise Unconfirmed("There is no terminal to ask for a password on: use --password-stdin")
    return Secret(getpass.getpass(question))


def from_prompt(name: str) -> Secret:
    """Return what somebody types twice.

    Raises:
        Unconfirmed: There is nobody to ask, or the two differ.
    """
    import getpass

    if not sys.stdin.isatty():
        raise Unconfirmed("There is no terminal to ask for a password on: use --password-stdin")
    first = getpass.getpass(f"Password of {name}: ")
    if getpass.getpass("Once more: ") != first:
        raise Unconfirmed("The two passwords differ: nothing was done")
    return Secret(first)
