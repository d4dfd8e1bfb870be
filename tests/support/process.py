"""The real commands as processes: what a user runs."""

from __future__ import annotations

import io
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from pathlib import Path
from typing import NamedTuple
from unittest import mock

NEWAPI = [sys.executable, "-m", "newapi"]


def free_port() -> int:
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


@contextmanager
def refusing_port() -> Iterator[int]:
    """Give a port that refuses connections, and that nobody else gets as long as the context lasts."""
    with socket.socket() as bound:  # and never listening
        bound.bind(("127.0.0.1", 0))
        yield bound.getsockname()[1]


def run(*args: str, env: dict[str, str], stdin: str = "") -> subprocess.CompletedProcess[str]:
    """Run a command to its end."""
    return subprocess.run(
        [*NEWAPI, *args],
        env={**os.environ, **env},
        input=stdin,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


class Ran(NamedTuple):
    """What a command line did."""

    code: int
    out: str
    err: str


def inside(*args: str, env: dict[str, str], stdin: str = "") -> Ran:
    """Run a command to its end in this process, which is much faster than a process of its own."""
    from newapi.cli.app import main

    out, err, before = io.StringIO(), io.StringIO(), sys.stdin
    with mock.patch.dict(os.environ, env), redirect_stdout(out), redirect_stderr(err):
        sys.stdin = io.StringIO(stdin)
        try:
            code = main(args)
        finally:
            sys.stdin = before
    return Ran(int(code), out.getvalue(), err.getvalue())


@contextmanager
def background(*args: str, port: int, env: dict[str, str], log: Path) -> Iterator[subprocess.Popen[bytes]]:
    """Run a command that serves `port`, until it answers; stop it with SIGTERM."""
    with log.open("wb") as out:
        process = subprocess.Popen([*NEWAPI, *args], env={**os.environ, **env}, stdout=out, stderr=out)
    deadline = time.monotonic() + 20
    try:
        while True:
            try:
                socket.create_connection(("127.0.0.1", port), 0.5).close()
                break
            except OSError:
                if process.poll() is not None or time.monotonic() > deadline:
                    raise AssertionError(f"{args} did not start:\n{log.read_text()}") from None
                time.sleep(0.02)
        yield process
    finally:
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def resident(pid: int) -> int:
    """Return the memory of a process, in bytes."""
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1]) * 1024
    raise AssertionError("no such process")
