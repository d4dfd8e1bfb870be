from __future__ import annotations

from typing import Annotated

import typer

from newapi.cli.commands._gateway import HERE, Where
from newapi.cli.commands._options import DryRun, Form, dollars, read, read_all, split
from newapi.cli.output import Output


def create(
    name: Annotated[str, typer.Argument(help="What it is called.")],
    group: Annotated[str, typer.Option("--group", help="Its group.")] = "default",
    user: Annotated[str, typer.Option("--user", help="Its owner.")] = "root",
    quota: Annotated[str | None, typer.Option("--quota", help="What it may spend: `$10`.")] = None,
    unlimited: Annotated[bool, typer.Option("--unlimited", help="It may spend what its owner has.")] = False,
    expires: Annotated[str | None, typer.Option("--expires", help="From now: `30d`; or a date.")] = None,
    models: Annotated[list[str] | None, typer.Option("--models", help="Names and globs: `gpt-4o*,o3`.")] = None,
    allow_ip: Annotated[list[str] | None, typer.Option("--allow-ip", help="Address or network; repeatable.")] = None,
    budget: Annotated[list[str] | None, typer.Option("--budget", help="`day=$2`; repeatable.")] = None,
    requests_per_minute: Annotated[int, typer.Option("--requests-per-minute", help="0 is no limit.", min=0)] = 0,
    tokens_per_minute: Annotated[int, typer.Option("--tokens-per-minute", help="0 is no limit.", min=0)] = 0,
    concurrency: Annotated[
        int, typer.Option("--concurrency", help="Requests at the same time; 0 is no limit.", min=0)
    ] = 0,
    key: Annotated[str, typer.Option("--key", help="A reference to the key it is to have: `env:NAME`.")] = "",
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="Write the key and nothing else.")] = False,
    dry_run: DryRun = False,
    at: Where = HERE,
    output: Form = Output.TABLE,
) -> None:
    """Make a token and show its key, once.

    Examples:
        newapi token create ci --quota '$10' --expires 30d
        newapi token create ann --unlimited --models 'gpt-4o*' --allow-ip 10.0.0.0/8
        KEY=$(newapi token create ci --unlimited -q)
    """
    import msgspec

    from newapi.cli.commands.token._view import row
    from newapi.cli.output import note, say, show
    from newapi.config.schema import TokenSpec
    from newapi.ops import typed

    if unlimited == (quota is not None):
        raise typer.BadParameter("say how much it may spend: --quota '$10', or --unlimited", param_hint="--quota")
    spec = TokenSpec(
        group=group,
        user=user,
        quota=read("--quota", quota, dollars),
        unlimited=unlimited,
        expires=read("--expires", expires, typed.moment),
        models=split(models),
        allow_ips=tuple(read_all("--allow-ip", allow_ip, typed.network)),
        budget=dict(read_all("--budget", budget, typed.budget)),
        requests_per_minute=requests_per_minute,
        tokens_per_minute=tokens_per_minute,
        concurrency=concurrency,
        key=key,
    )
    there = at.gateway()
    if dry_run:
        note(f"Would make token {name} of {user} in group {group}.")
        return
    token, secret = there.create_token(name, spec)
    if quiet:
        say(secret.reveal())
        return
    full = {**(row(token) if output is Output.TABLE else msgspec.structs.asdict(token)), "key": secret.reveal()}
    show(full, output)
    note("The key is not shown again.")
