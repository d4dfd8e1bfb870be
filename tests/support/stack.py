"""The whole gateway on real ports, in this process: a mock upstream, a configuration applied, the server."""

from __future__ import annotations

import asyncio
import socket
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import uvicorn

from newapi.mock.app import Behaviour, MockApp
from newapi.ops.apply import apply
from newapi.ops.local import open_local
from newapi.server.app import create_app
from newapi.server.runtime import Runtime

KEY = "sk-stack" + "x" * 40


@contextmanager
def on_a_port(app: Any, *, lifespan: str = "off") -> Iterator[str]:
    """Serve an ASGI application in a thread; yields its URL."""
    sock = socket.socket()
    sock.bind(("127.0.0.1", 0))
    sock.listen(2048)
    config = uvicorn.Config(
        app,
        loop="uvloop",
        http="httptools",
        ws="none",
        lifespan=lifespan,
        log_level="error",
        access_log=False,  # type: ignore[arg-type]
    )
    server = uvicorn.Server(config)
    started = threading.Event()

    async def run() -> None:
        startup = server.startup

        async def begun(sockets: list[socket.socket] | None = None) -> None:
            await startup(sockets)
            started.set()

        server.startup = begun  # type: ignore[method-assign]
        await server.serve(sockets=[sock])

    def target() -> None:
        with asyncio.Runner(loop_factory=config.get_loop_factory()) as runner:
            runner.run(run())

    thread = threading.Thread(target=target, daemon=True)
    thread.start()
    started.wait(10)
    try:
        yield f"http://127.0.0.1:{sock.getsockname()[1]}"
    finally:
        server.should_exit = True
        thread.join(10)
        sock.close()


class Stack:
    """What a test talks to."""

    def __init__(self, url: str, mock: MockApp, mock_url: str, runtime: Runtime, config: Path) -> None:
        self.url = url
        self.mock = mock
        self.mock_url = mock_url
        self.runtime = runtime
        self.config = config

    def rows(self) -> list[Any]:
        """Return the log rows so far, oldest first, once everything settled has been written."""
        from newapi.store.ledger import RecordFilter, query_records

        self.runtime.ledger.flush()
        return list(reversed(query_records(self.runtime.local.db, RecordFilter(limit=10_000))))


@contextmanager
def stack(directory: Path, text: str, behaviour: Behaviour | None = None) -> Iterator[Stack]:
    """Run everything with the configuration `text`, in which `MOCK_URL` stands for the mock's URL."""
    with ExitStack() as exits:
        mock = MockApp(behaviour)
        mock_url = exits.enter_context(on_a_port(mock))
        config = directory / "config.toml"
        config.write_text(text.replace("MOCK_URL", mock_url))
        local = open_local(config)
        apply(local, local.config, who="test", source="test")
        runtime = Runtime(local, directory / "journal")
        url = exits.enter_context(on_a_port(create_app(runtime), lifespan="on"))
        yield Stack(url, mock, mock_url, runtime, config)
