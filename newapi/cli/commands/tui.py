from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from newapi.cli.commands._gateway import HERE, Where

if TYPE_CHECKING:
    from collections.abc import Callable

    from newapi.tui.source import Source


def tui(
    read_only: Annotated[bool, typer.Option("--read-only", help="Only look: nothing can be changed.")] = False,
    low_bandwidth: Annotated[
        bool, typer.Option("--low-bandwidth", help="Draw every two seconds, in ASCII, without sparklines.")
    ] = False,
    theme: Annotated[
        str | None, typer.Option("--theme", help="Colours: `ansi-dark`, `nord`, `textual-light`, …")
    ] = None,
    record: Annotated[
        Path | None, typer.Option("--record", metavar="FILE", help="Write what is told into a file as well.")
    ] = None,
    replay: Annotated[
        Path | None, typer.Option("--replay", metavar="FILE", help="Show a recording instead of a gateway.")
    ] = None,
    speed: Annotated[float, typer.Option("--speed", help="How many times as fast; 0 is all at once.", min=0)] = 1.0,
    serve: Annotated[
        str | None, typer.Option("--serve", metavar="HOST:PORT", help="Show it in browsers of this machine.")
    ] = None,
    at: Where = HERE,
) -> None:
    """Show the gateway, live: what comes in, what it costs, how the channels do; and act on it.

    It shows this machine's server, a saved context's, or without a server what the database holds. `?` tells the keys.

    Examples:
        newapi tui
        newapi tui --context prod --read-only
        newapi tui --record incident.ndjson
        newapi tui --replay incident.ndjson --speed 10
    """
    import os
    from contextlib import ExitStack

    from newapi.tui import prepare
    from newapi.tui.settings import read

    if record is not None and replay is not None:
        raise typer.BadParameter("a recording is not recorded again", param_hint="--record")
    if serve is not None:
        _serve(serve)
        return
    settings = read()
    low_bandwidth = low_bandwidth or settings.low_bandwidth
    prepare(os.environ, low_bandwidth=low_bandwidth)

    from newapi.cli.output import WrongUsage
    from newapi.ops import contexts
    from newapi.tui.app import Options, Tui
    from newapi.tui.source import recording

    if replay is not None:
        connect, name = _replaying(replay, speed), replay.name
    else:
        _reach(at)
        connect = _connecting(at)
        name = at.server or at.context or contexts.read().current
    with ExitStack() as exits:
        try:
            recorder = exits.enter_context(recording(record))
        except OSError as error:
            hint = "a recording is written into a new file"
            raise WrongUsage(f"Nothing can be recorded in {record}: {error.strerror}", hint=hint) from None
        options = Options(
            read_only=read_only,
            low_bandwidth=low_bandwidth,
            theme=theme or settings.theme,
            keys=settings.keys,
            record=recorder,
        )
        Tui(connect, name, options).run(mouse=settings.mouse)


def _reach(at: Where) -> None:
    """Go through ssh first, which may ask for a password, where that is the way; it may not while this is shown."""
    from newapi.ops import tunnel

    if at.elsewhere():
        tunnel.reached(at.address())
    tunnel.ask_nothing()


def _connecting(at: Where) -> Callable[[str], Source]:
    """Return what leads to a gateway: the server that is named for as long as nobody chooses a context."""
    from newapi.ops import contexts
    from newapi.tui.source import of_gateway

    def connect(name: str) -> Source:
        if name == at.server:
            return of_gateway(name, at._replace(context=None).gateway(), None)
        found = at._replace(server=None, context=name).gateway()
        if name != contexts.LOCAL:
            return of_gateway(name, found, None)
        return of_gateway(name, found, _file(at.config), at.runs)

    return connect


def _file(config: Path | None) -> Path | None:
    from newapi.base.errors import NewapiError
    from newapi.config.load import load_server

    try:
        return load_server(config).path
    except NewapiError:  # there is a server, but not its file
        return None


def _replaying(file: Path, speed: float) -> Callable[[str], Source]:
    from newapi.cli.output import WrongUsage
    from newapi.tui.source import replayed

    if not file.is_file():
        raise WrongUsage(f"There is no recording {file}", hint="`newapi tui --record FILE` writes one")
    return lambda _: replayed(file, speed=speed)


def _serve(address: str) -> None:
    """Serve the dashboard, with the other options as they were said, to browsers of this machine."""
    import ipaddress
    import shlex
    import sys

    from newapi.cli.output import WrongUsage

    host, _, port = address.rpartition(":")
    host = host.strip("[]")
    try:
        local = host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        local = False
    if not port.isdecimal() or not local:
        raise WrongUsage(
            f"{address} is no address of this machine alone: whoever reaches it could act as you",
            hint="as in `--serve 127.0.0.1:8000`, and `ssh -L` to it from elsewhere",
        )
    try:
        from textual_serve.server import Server
    except ImportError:
        raise WrongUsage("Browsers are served by textual-serve", hint="pip install 'newapi[web]'") from None
    words = [word for word in sys.argv[1:] if word != address and word not in ("--serve", f"--serve={address}")]
    Server(shlex.join([sys.executable, "-m", "newapi", *words]), host=host, port=int(port), title="newapi").serve()
