from __future__ import annotations

from typing import Annotated, Any

import typer

from newapi.cli.commands._gateway import HERE, Where
from newapi.cli.commands._options import DryRun, Form, dollars, read, read_all, split
from newapi.cli.output import Output


def set(
    name: Annotated[str, typer.Argument(help="Its name, or its id.")],
    rename: Annotated[str | None, typer.Option("--name", help="Its new name.")] = None,
    group: Annotated[str | None, typer.Option("--group", help="Its group.")] = None,
    quota: Annotated[
        str | None, typer.Option("--quota", help="What it may spend in all: `$10`; what it spent stays spent.")
    ] = None,
    unlimited: Annotated[bool, typer.Option("--unlimited", help="It may spend what its owner has.")] = False,
    expires: Annotated[str | None, typer.Option("--expires", help="From now: `30d`; a date; or never.")] = None,
    models: Annotated[list[str] | None, typer.Option("--models", help="Names and globs; all for all.")] = None,
    allow_ip: Annotated[list[str] | None, typer.Option("--allow-ip", help="Address or network; any for any.")] = None,
    budget: Annotated[list[str] | None, typer.Option("--budget", help="`day=$2`; none for none.")] = None,
    requests_per_minute: Annotated[
        int | None, typer.Option("--requests-per-minute", help="0 is no limit.", min=0)
    ] = None,
    tokens_per_minute: Annotated[int | None, typer.Option("--tokens-per-minute", help="0 is no limit.", min=0)] = None,
    concurrency: Annotated[
        int | None, typer.Option("--concurrency", help="Requests at the same time; 0 is no limit.", min=0)
    ] = None,
    enabled: Annotated[bool | None, typer.Option("--enable/--disable", help="Disabled: it is refused.")] = None,
    dry_run: DryRun = False,
    at: Where = HERE,
    output: Form = Output.TABLE,
) -> None:
    """Change a token; what is not said stays.

    Examples:
        newapi token set ci --quota '$20' --expires 90d
        newapi token set ci --models 'gpt-4o*,o3' --allow-ip 10.0.0.0/8
        newapi token set ci --disable
    """
    from newapi.cli.commands.token._view import row
    from newapi.cli.output import WrongUsage, note, show
    from newapi.ops import typed
    from newapi.ops.operations.tokens import ChangeToken, TokenChanges

    if unlimited and quota is not None:
        raise WrongUsage("--unlimited and --quota are two ways to say one thing")
    fields: dict[str, Any] = {}
    if group is not None:
        fields["group"] = group
    if unlimited or quota is not None:
        fields |= {"quota": read("--quota", quota, dollars), "unlimited": unlimited}
    if expires is not None:
        fields["expires"] = None if expires == "never" else read("--expires", expires, typed.moment)
    if models is not None:
        fields["models"] = () if split(models) == ("all",) else split(models)
    if allow_ip is not None:
        fields["allow_ips"] = (
            () if split(allow_ip) == ("any",) else tuple(read_all("--allow-ip", allow_ip, typed.network))
        )
    if budget is not None:
        fields["budget"] = {} if split(budget) == ("none",) else dict(read_all("--budget", budget, typed.budget))
    limits = {
        "requests_per_minute": requests_per_minute,
        "tokens_per_minute": tokens_per_minute,
        "concurrency": concurrency,
        "enabled": enabled,
    }
    fields |= {name: value for name, value in limits.items() if value is not None}
    if not fields and not rename:
        raise WrongUsage("Say what is to change", hint="newapi token set --help")
    there = at.gateway()
    token = there.token(name)
    if token.managed:
        note("The configuration declares it: the next apply makes it what the file says.")
    if dry_run:
        note(f"Would change {', '.join([*fields, *(['name'] if rename else [])])} of token {token.name}.")
        return
    token = there.do(ChangeToken(name, TokenChanges(**fields), rename))
    show(row(token) if output is Output.TABLE else token, output)
