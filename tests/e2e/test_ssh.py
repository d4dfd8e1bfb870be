"""Commands and the dashboard through a real sshd, which a real ssh finds by a configuration of its own."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TypeVar

import pytest

from newapi.ops import tunnel
from tests.support.keeper import REQUIRED, need
from tests.support.process import NEWAPI, Ran, background, free_port, inside
from tests.support.terminal import LEFT, terminal

T = TypeVar("T")
SERVER = """\
Port {port}
ListenAddress 127.0.0.1
HostKey {dir}/host
AuthorizedKeysFile {dir}/authorized
PidFile none
StrictModes no
UsePAM no
PasswordAuthentication no
KbdInteractiveAuthentication no
LogLevel VERBOSE
"""
CLIENT = """\
Host there
  HostName 127.0.0.1
  Port {port}
  IdentityFile {dir}/key
  IdentitiesOnly yes
  UserKnownHostsFile {dir}/known
Host shared
  HostName 127.0.0.1
  HostKeyAlias there
  Port {port}
  IdentityFile {dir}/key
  IdentitiesOnly yes
  UserKnownHostsFile {dir}/known
  ControlMaster auto
  ControlPath {dir}/master
  ControlPersist yes
"""
GATEWAY = """\
[server]
listen = "127.0.0.1:PORT"
database = "sqlite:///newapi.db"
metrics = ""
"""


def until(seen: Callable[[], T], what: str) -> T:
    deadline = time.monotonic() + 20
    while not (found := seen()):
        assert time.monotonic() < deadline, what
        time.sleep(0.02)
    return found


class Elsewhere:
    """A gateway behind an sshd on this machine, and what a command needs to get there."""

    def __init__(self, directory: Path, client: dict[str, str]) -> None:
        self.directory, self.env = directory, client
        self.temporary = Path(client["TMPDIR"])
        self.place = f"ssh://there{directory / 'newapi.sock'}"

    def run(self, *argv: str) -> Ran:
        """Run a command to its end, and end its ssh as a process of its own would."""
        try:
            return inside(*argv, env=self.env)
        finally:
            tunnel.close_all()

    def logins(self) -> int:
        """Return how many connections sshd has let in so far."""
        return (self.directory / "sshd.log").read_text().count("Accepted publickey")

    def tunnels(self) -> list[str]:
        """Return the sockets that are carried here at the moment."""
        bound = [line.split() for line in Path("/proc/net/unix").read_text().splitlines()]
        return [words[-1] for words in bound if words[-1].startswith(str(self.temporary))]


@pytest.fixture
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Elsewhere]:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "tmp"))
    ssh, sshd, keygen = need("ssh"), need("sshd"), need("ssh-keygen")
    port, serving = free_port(), free_port()
    for name in ("host", "key"):
        subprocess.run([keygen, "-q", "-t", "ed25519", "-N", "", "-f", str(tmp_path / name)], check=True, timeout=30)
    shutil.copy(tmp_path / "key.pub", tmp_path / "authorized")
    kind, host, *_ = (tmp_path / "host.pub").read_text().split()
    (tmp_path / "known").write_text(f"[127.0.0.1]:{port} {kind} {host}\nthere {kind} {host}\n")
    for name, text in (("sshd_config", SERVER), ("ssh_config", CLIENT)):
        (tmp_path / name).write_text(text.format(port=port, dir=tmp_path))
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin" / "ssh").write_text(f'#!/bin/sh\nexec {ssh} -F {tmp_path}/ssh_config "$@"\n')
    (tmp_path / "bin" / "ssh").chmod(0o755)
    for name in ("tmp", "away"):
        (tmp_path / name).mkdir()
    tried = subprocess.run(
        [sshd, "-t", "-f", str(tmp_path / "sshd_config")], capture_output=True, text=True, check=False
    )
    if tried.returncode:
        (pytest.fail if REQUIRED else pytest.skip)(f"sshd does not run here: {tried.stderr.strip()}")
    config = tmp_path / "config.toml"
    config.write_text(GATEWAY.replace("PORT", str(serving)))
    client = {
        "PATH": f"{tmp_path / 'bin'}{os.pathsep}{os.environ['PATH']}",
        "TMPDIR": str(tmp_path / "tmp"),
        "NEWAPI_CONFIG": str(tmp_path / "away" / "none.toml"),
    }
    argv = [sshd, "-D", "-f", str(tmp_path / "sshd_config"), "-E", str(tmp_path / "sshd.log")]
    daemon = subprocess.Popen(argv)
    try:
        with background("serve", port=serving, env={"NEWAPI_CONFIG": str(config)}, log=tmp_path / "serve.log"):
            until(lambda: "Server listening" in (tmp_path / "sshd.log").read_text(), "sshd did not start")
            yield Elsewhere(tmp_path, client)
    finally:
        daemon.terminate()
        daemon.wait(20)


def test_commands_and_the_dashboard(elsewhere: Elsewhere, tmp_path: Path) -> None:
    made = elsewhere.run("token", "create", "ci", "--unlimited", "-q", "--server", elsewhere.place)
    assert (made.code, made.err) == (0, "")
    assert elsewhere.run("context", "add", "vm", elsewhere.place).code == 0
    listed = elsewhere.run("token", "list", "-o", "name", "--context", "vm")
    assert (listed.code, listed.out, listed.err) == (0, "ci\n", "")

    # A connection that is shared is used and stays, and carries nothing afterwards.
    begun = subprocess.run(["ssh", "-N", "-f", "shared"], env={**os.environ, **elsewhere.env}, check=False, timeout=30)
    assert begun.returncode == 0
    try:
        before = elsewhere.logins()
        shared = elsewhere.place.replace("there", "shared")
        assert elsewhere.run("token", "list", "-o", "name", "--server", shared).out == "ci\n"
        assert elsewhere.logins() == before
        assert elsewhere.tunnels() == []
    finally:
        argv = ["ssh", "-q", "-O", "exit", "shared"]
        subprocess.run(argv, env={**os.environ, **elsewhere.env}, check=False, timeout=30, capture_output=True)

    words = [*NEWAPI, "tui", "--context", "vm"]
    with terminal(*words, directory=tmp_path, env=elsewhere.env) as there:
        there.shows("Overview", "req/s", "vm")
        there.press("3")
        there.shows("ci")
        there.press("q")
        assert f"{LEFT} 0" in there.shows(LEFT)

    # Whoever is killed leaves no ssh behind.
    argv = [*NEWAPI, "logs", "-f", "--server", elsewhere.place]
    killed = subprocess.Popen(argv, env={**os.environ, **elsewhere.env})
    until(elsewhere.tunnels, "it did not get there")
    killed.send_signal(signal.SIGKILL)
    killed.wait(20)
    until(lambda: not elsewhere.tunnels() and not list(elsewhere.temporary.iterdir()), "its ssh is still there")


def test_what_does_not_get_there_says_why(elsewhere: Elsewhere) -> None:
    def error(place: str) -> tuple[str, str]:
        ran = elsewhere.run("token", "list", "--server", place, "-o", "json")
        assert ran.code == 1
        told = json.loads(ran.err)["error"]
        assert told["code"] == "unreachable"
        return told["message"], told["hint"]

    message, hint = error("ssh://there/nowhere.sock")
    assert message == "No server answers at /nowhere.sock on there, or it is not this user's to open there"
    assert hint.startswith("newapi serve has to run there; ")
    (elsewhere.directory / "authorized").write_text("")
    message, hint = error(elsewhere.place)
    assert message.startswith(f"ssh did not reach {elsewhere.place}: ")
    assert message.endswith("Permission denied (publickey)")
    assert hint == "`ssh there` has to work"
    (elsewhere.directory / "known").write_text("")
    assert error(elsewhere.place)[0] == f"ssh did not reach {elsewhere.place}: Host key verification failed"
    assert list(elsewhere.temporary.iterdir()) == []
