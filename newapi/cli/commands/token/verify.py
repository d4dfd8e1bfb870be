from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from newapi.cli.commands._gateway import HERE, Where
from newapi.cli.commands._options import Form
from newapi.cli.output import Output

if TYPE_CHECKING:
    from newapi.ops.verify import Verified


def verify(
    name: Annotated[str, typer.Argument(help="- reads a key from standard input; or a token's name, or its id.")],
    model: Annotated[str, typer.Option("--model", help="May it ask for this?")] = "",
    ip: Annotated[str, typer.Option("--ip", help="From this address?")] = "",
    at: Where = HERE,
    output: Form = Output.TABLE,
) -> None:
    """Say who a key is and, where it is refused, why: every reason. Leaves with 8 when it is.

    A key is not an argument: those are seen by everyone on the machine.

    Examples:
        printf '%s' "$KEY" | newapi token verify -
        newapi token verify - --model gpt-4o --ip 10.1.2.3 < key.txt
        newapi token verify ci -o json
    """
    from msgspec.structs import replace

    from newapi.cli.commands._options import read
    from newapi.cli.commands._remote import credential
    from newapi.cli.output import ExitCode, WrongUsage, note, show
    from newapi.ops.operations.tokens import VerifyToken

    if name.startswith("sk-"):
        raise WrongUsage("A key is read from standard input", hint="printf '%s' \"$KEY\" | newapi token verify -")
    address = read("--ip", ip or None, _address) or ""
    there = at.gateway()
    asked = VerifyToken(credential("-")) if name == "-" else VerifyToken(name=name)
    found = there.do(replace(asked, model=model, ip=address))
    show(_row(found) if output is Output.TABLE else found, output)
    for reason in found.reasons:
        note(f"refused: {reason}")
    if not found.ok:
        raise typer.Exit(ExitCode.CHECK_FAILED)


def _address(text: str) -> str:
    import ipaddress

    try:
        return str(ipaddress.ip_address(text))
    except ValueError:
        raise ValueError(f"{text!r} is no address") from None


def _row(found: Verified) -> dict[str, Any]:
    from newapi.base.units import usd
    from newapi.cli.commands._options import when

    if not found.token:
        return {"ok": False}
    return {
        "ok": found.ok,
        "token": found.token,
        "user": found.user,
        "group": found.group,
        "ratio": found.ratio,
        "left": "unlimited" if found.remaining is None else usd(found.remaining),
        "expires": when(found.expires_at) or "never",
        "models": ", ".join(found.models) or "all",
        **({"pinned_channel": found.pinned_channel} if found.pinned_channel else {}),
    }
