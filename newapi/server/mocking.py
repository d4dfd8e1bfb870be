"""`newapi mock`: the mock upstream as a process."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable

import uvicorn

from newapi.mock.app import Behaviour, MockApp
from newapi.server.serve import listen


def run(address: str, behaviour: Behaviour, say: Callable[[str], None]) -> None:
    """Serve the mock on `address` until SIGTERM or SIGINT.

    Raises:
        CannotListen: The address is taken.
    """
    sock = listen(address)
    config = uvicorn.Config(
        MockApp(behaviour),
        loop="uvloop",
        http="httptools",
        ws="none",
        lifespan="off",
        log_level="critical",
        access_log=False,
    )
    host, port = sock.getsockname()[:2]
    say(f"the mock upstream serves http://{host}:{port} in all four formats")
    with (
        contextlib.closing(sock),
        contextlib.suppress(KeyboardInterrupt),
        asyncio.Runner(loop_factory=config.get_loop_factory()) as runner,
    ):
        runner.run(uvicorn.Server(config).serve(sockets=[sock]))
