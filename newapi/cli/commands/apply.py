from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from newapi.cli.commands._gateway import HERE, Where
from newapi.cli.commands._options import DryRun, Files, Form, NoInput, Only, Yes
from newapi.cli.output import Output

if TYPE_CHECKING:
    from newapi.ops.gateway import Gateway, Wanted
    from newapi.ops.plan import Plan


def apply(
    files: Files = None,
    at: Where = HERE,
    yes: Yes = False,
    dry_run: DryRun = False,
    no_input: NoInput = False,
    no_prune: Annotated[bool, typer.Option("--no-prune", help="Keep what the file no longer has.")] = False,
    only: Only = None,
    test: Annotated[
        bool, typer.Option("--test", help="Ask the channels that change first; leave with 8 when one fails.")
    ] = False,
    source: Annotated[str, typer.Option("--source", help="Where the file comes from, for the history.")] = "",
    write_tokens: Annotated[
        Path | None, typer.Option("--write-tokens", metavar="FILE", help="Write new tokens' keys there, mode 0600.")
    ] = None,
    output: Form = Output.TABLE,
) -> None:
    """Make the database what the file says: shows the plan, asks, applies it in one transaction.

    The keys of new tokens are shown once, on standard output.

    Examples:
        newapi apply
        newapi apply config.toml --yes --source "$(git rev-parse --short HEAD)"
        newapi apply --only channels/openai-main
        newapi apply base.toml channels.toml --test
    """
    from newapi.cli.commands._apply import apply_shown
    from newapi.cli.commands._plan import wanted
    from newapi.cli.progress import progress

    with progress("Reading the configuration", output):
        path, declared = wanted(files, at.config)
        there = at._replace(config=path).gateway()
    prune, chosen = not no_prune, only or ()
    with progress("Comparing", output):
        made = there.plan(declared, prune=prune, only=chosen)
    apply_shown(
        made,
        lambda: there.apply(declared, source=source, prune=prune, only=chosen, base=made.base),
        yes=yes,
        dry_run=dry_run,
        no_input=no_input,
        write_tokens=write_tokens,
        output=output,
        check=(lambda plan: _check(there, declared, plan)) if test else None,
    )


def _check(there: Gateway, wanted: Wanted, plan: Plan) -> None:
    """Ask the channels that are to be made or changed, as they are to be; leave where one fails."""
    from newapi.cli.output import ExitCode, note
    from newapi.cli.progress import progress
    from newapi.ops.operations.channels import ProbeDrafts

    names = [change.name for change in plan.changes if change.kind == "channels" and change.action != "delete"]
    specs = {name: spec for name in names if (spec := wanted.config.channels[name]).enabled}
    failed = False
    with progress("Asking channels"):
        answers = there.do(ProbeDrafts(specs)) if specs else []
    for tested in answers:
        failed = failed or bool(tested.error)
        told = f"failed: {tested.error}" if tested.error else f"answers, {tested.ms} ms"
        note(f"Channel {tested.channel} {told}")
    if failed:
        note("Nothing was applied: a channel that changes does not answer.")
        raise typer.Exit(ExitCode.CHECK_FAILED)
