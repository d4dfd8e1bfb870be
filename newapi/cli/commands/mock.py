from __future__ import annotations

from typing import Annotated

import typer


def mock(
    port: Annotated[int, typer.Option("--port", help="Port on loopback; 0 takes a free one.")] = 8765,
    latency: Annotated[float, typer.Option("--latency", help="Seconds before every answer.", min=0)] = 0.0,
    fail: Annotated[str, typer.Option("--fail", help="Share of requests that end with 500: `10%`.")] = "0%",
    tokens: Annotated[int, typer.Option("--tokens", help="Deltas of text of an answer.", min=0)] = 0,
) -> None:
    """Serve a mock upstream that speaks all four formats and is as strict as the real ones.

    Examples:
        newapi mock
        newapi mock --port 9000 --latency 0.2 --fail 10%
    """
    from newapi.cli.output import note
    from newapi.mock.app import Behaviour
    from newapi.server.mocking import run

    run(f"127.0.0.1:{port}", Behaviour(latency=latency, fail=_share(fail), tokens=tokens), note)


def _share(text: str) -> float:
    try:
        share = float(text.removesuffix("%")) / (100 if text.endswith("%") else 1)
    except ValueError:
        share = -1.0
    if not 0 <= share <= 1:
        raise typer.BadParameter(f"{text!r} is not a share: write 10% or 0.1", param_hint="--fail")
    return share
