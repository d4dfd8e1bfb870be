from __future__ import annotations

from typing import Annotated

import typer


def demo(
    once: Annotated[bool, typer.Option("--once", help="Leave after the requests.")] = False,
) -> None:
    """Show everything at once: a mock upstream, the example configuration, a request in each format, its bill.

    Then it serves until Ctrl-C, with the curl lines to try. Everything lies in a temporary directory.

    Examples:
        newapi demo
        newapi demo --once
    """
    import signal
    import tempfile
    from pathlib import Path

    from newapi.base.units import usd
    from newapi.cli.output import note, say
    from newapi.ops.demo import example, running

    # A terminal that is closed, or whoever ends this, ends the servers too; `nohup` is left to mean what it says.
    for ending in (signal.SIGTERM, signal.SIGHUP):
        if signal.getsignal(ending) is signal.SIG_DFL:
            signal.signal(ending, signal.default_int_handler)
    with (
        tempfile.TemporaryDirectory(prefix="newapi-demo-") as directory,
        running(Path(directory), example(), note) as it,
    ):
        for done in it.requests():
            say(f"{done.entry}{' (stream)' if done.stream else ''}: {done.model}")
            say(f"  answer  {done.answer}")
            say(f"  route   {done.entry} -> channel {done.channel} ({done.upstream})")
            tokens = f"{done.prompt_tokens} in, {done.completion_tokens} out"
            say(f"  bill    {tokens} = {done.quota} quota = {usd(done.quota)}")
        if once:
            return
        note(f"\nServing at {it.url} until Ctrl-C. Try:")
        for line in it.curls():
            say(line)
        note(f"or: NEWAPI_CONFIG={it.directory / 'config.toml'} newapi logs -f")
        signal.pause()
