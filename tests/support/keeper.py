"""Servers of other programs for tests: one of each for a whole session, whichever of its processes asks first.

`shared` starts a keeper, a process that starts the server and ends it when the last test process is gone, however that
ended: each holds a shared lock, and the keeper waits for an exclusive one.
"""

from __future__ import annotations

import fcntl
import json
import os
import pwd
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import pytest

REQUIRED = os.environ.get("NEWAPI_REQUIRE_SERVICES", "") not in ("", "0")
"""Whether a program that is missing fails a test instead of skipping it. Read before tests hide the environment."""
_SECONDS = 60


class Running(NamedTuple):
    """How a server is reached: `port` on 127.0.0.1, its directory, its process."""

    port: int
    directory: Path
    pid: int


class Recipe(NamedTuple):
    """How a server is set up and started; `{dir}` and `{port}` are filled in.

    Attributes:
        prepare: Commands that run before it, in order.
        command: The server, in the foreground.
        stop: The signal that ends it soon.
        ready: A command that succeeds as soon as the server answers; without one it does when its port is open.
    """

    prepare: Sequence[Sequence[str]]
    command: Sequence[str]
    stop: int = signal.SIGTERM
    ready: Sequence[str] = ()


def need(program: str, *, also: Sequence[Path] = ()) -> str:
    """Return the path of a program; skip the test where it is missing, or fail it where services are required."""
    path = os.pathsep.join([os.environ.get("PATH", ""), "/usr/sbin", "/usr/local/sbin", *map(str, also)])
    found = shutil.which(program, path=path)
    if found is None:
        message = f"{program} is not installed"
        if REQUIRED:
            pytest.fail(message)
        pytest.skip(message)
    return found


def shared(name: str, recipe: Callable[[], Recipe], factory: pytest.TempPathFactory) -> Running:
    """Return the server `name` of this test session; it runs until the session's last process has ended."""
    base = factory.getbasetemp()
    base = base.parent if "PYTEST_XDIST_WORKER" in os.environ else base
    ready, users = base / f"{name}.ready", base / f"{name}.users"
    made = recipe()
    with (base / f"{name}.starting").open("w") as starting:
        fcntl.flock(starting, fcntl.LOCK_EX)
        handle = users.open("w")
        fcntl.flock(handle, fcntl.LOCK_SH)  # waits for a keeper that is just ending its server
        _held.append(handle)
        if not ready.exists():
            arguments = [json.dumps(made._asdict()), str(ready), str(users)]
            keeper = subprocess.Popen([sys.executable, __file__, *arguments], start_new_session=True)
            _held.append(keeper)
            deadline = time.monotonic() + _SECONDS
            while not ready.exists():
                assert keeper.poll() is None, f"{name} did not start; its keeper says why"
                assert time.monotonic() < deadline, f"{name} did not start in {_SECONDS} s"
                time.sleep(0.02)
    port, directory, pid = json.loads(ready.read_text())
    return Running(port, Path(directory), pid)


_held: list[Any] = []
"""The locks of this process, which its end lets go, and the keepers it started."""


def _keep(recipe: Recipe, ready: Path, users: Path) -> None:
    """Run a server until nobody holds `users` any more."""
    directory = Path(tempfile.mkdtemp(prefix="newapi-test-"))
    account: dict[str, Any] = {}
    if os.geteuid() == 0:  # PostgreSQL refuses to run as root
        nobody = pwd.getpwnam("nobody")
        os.chown(directory, nobody.pw_uid, nobody.pw_gid)
        account = {"user": nobody.pw_uid, "group": nobody.pw_gid, "extra_groups": []}
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        port = s.getsockname()[1]

    def filled(command: Sequence[str]) -> list[str]:
        return [part.replace("{dir}", str(directory)).replace("{port}", str(port)) for part in command]

    log = directory / "log"
    server = None
    try:
        with log.open("wb") as out:
            options: dict[str, Any] = {"stdout": out, "stderr": out, "stdin": subprocess.DEVNULL, "cwd": directory}
            for command in recipe.prepare:
                subprocess.run(filled(command), check=True, **options, **account)
            server = subprocess.Popen(filled(recipe.command), **options, **account)
        deadline = time.monotonic() + _SECONDS
        while not _answers(port, filled(recipe.ready)):
            if server.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError("the server does not answer")
            time.sleep(0.05)
        part = ready.with_suffix(".part")
        part.write_text(json.dumps([port, str(directory), server.pid]))
        part.rename(ready)
        with users.open("w") as handle:
            fcntl.flock(handle, fcntl.LOCK_EX)
            ready.unlink()
    except BaseException:
        sys.stderr.write(log.read_text(errors="replace")[-4000:])
        raise
    finally:
        if server is not None:
            server.send_signal(recipe.stop)
            server.wait(_SECONDS)
        shutil.rmtree(directory, ignore_errors=True)


def _answers(port: int, command: Sequence[str]) -> bool:
    if command:
        return subprocess.run(command, capture_output=True, check=False).returncode == 0
    try:
        socket.create_connection(("127.0.0.1", port), 1).close()
    except OSError:
        return False
    return True


if __name__ == "__main__":
    _keep(Recipe(**json.loads(sys.argv[1])), Path(sys.argv[2]), Path(sys.argv[3]))
