from __future__ import annotations

from typing import Annotated

import typer

from newapi.cli.commands._gateway import HERE, Where
from newapi.cli.commands._options import DryRun, Form, dollars, read, seconds
from newapi.cli.output import Output


def create(
    quota: Annotated[str, typer.Option("--quota", help="What each adds: `$10`.")],
    name: Annotated[str, typer.Argument(help="What they are for.")] = "code",
    count: Annotated[int, typer.Option("--count", help="How many, 100 at most.", min=1, max=100)] = 1,
    expires: Annotated[str | None, typer.Option("--expires", help="From now: `30d`.")] = None,
    dry_run: DryRun = False,
    at: Where = HERE,
    output: Form = Output.TABLE,
) -> None:
    """Make redemption codes and write them to standard output.

    Examples:
        newapi code create --quota '$10'
        newapi code create spring --quota '$10' --count 100 --expires 30d -o csv > codes.csv
    """
    import time

    from newapi.cli.output import note, show
    from newapi.ops.operations.kept import CreateCodes
    from newapi.ops.redemption import NewCodes
    from newapi.ops.users import quota_of

    amount = read("--quota", quota, dollars)
    age = read("--expires", expires, seconds)
    new = NewCodes(
        name=name,
        count=count,
        quota=quota_of(amount) if amount is not None else 0,
        expires_at=time.time() + age if age else 0,
    )
    there = at.gateway()
    if dry_run:
        note(f"Would make {count} of {quota}.")
        return
    made = there.do(CreateCodes(new))
    show([{"code": code.reveal(), "name": name, "quota": new.quota} for code in made], output, columns=("code",))
