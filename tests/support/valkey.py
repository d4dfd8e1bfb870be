"""Valkey (or Redis) for tests: one server for all, and one that a test may kill."""

from __future__ import annotations

import os
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.support.keeper import Recipe, need, shared

OPTIONS = ["--bind", "127.0.0.1", "--save", "", "--appendonly", "no", "--daemonize", "no"]


def program() -> str:
    """Return the path of a server: Redis, or else Valkey."""
    try:
        return need("redis-server")
    except (pytest.skip.Exception, pytest.fail.Exception):
        return need("valkey-server")


def recipe() -> Recipe:
    """Return how it is started."""
    return Recipe([], [program(), "--port", "{port}", "--dir", "{dir}", *OPTIONS])


def empty(factory: pytest.TempPathFactory) -> str:
    """Return the URL of an empty database of the session's server: each of its processes has one."""
    import redis

    port = shared("valkey", recipe, factory).port
    number = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw"))
    with redis.Redis(host="127.0.0.1", port=port, db=number) as client:
        client.flushdb()
    return f"valkey://127.0.0.1:{port}/{number}"


class Server:
    """A server that a test stops and starts."""

    def __init__(self, directory: Path) -> None:
        with socket.socket() as s:
            s.bind(("127.0.0.1", 0))
            self.port = s.getsockname()[1]
        self.url = f"redis://127.0.0.1:{self.port}"
        self._directory = directory
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        argv = [program(), "--port", str(self.port), "--dir", str(self._directory), *OPTIONS]
        self._process = subprocess.Popen(argv, stdout=subprocess.DEVNULL)
        deadline = time.monotonic() + 30
        while True:
            try:
                socket.create_connection(("127.0.0.1", self.port), 1).close()
                return
            except OSError:
                assert self._process.poll() is None
                assert time.monotonic() < deadline
                time.sleep(0.02)

    def kill(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None


@contextmanager
def own(directory: Path) -> Iterator[Server]:
    """Give a server that is started, and stop it."""
    server = Server(directory)
    server.start()
    try:
        yield server
    finally:
        server.kill()
