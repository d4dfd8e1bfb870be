"""The way through ssh; that all commands go it is tested in tests/e2e."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from newapi.ops import tunnel
from newapi.ops.tunnel import NoTunnel, Place, parse, reached
from tests.support import fake_ssh


@pytest.fixture
def called(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """How the ssh on PATH was called."""
    file = fake_ssh.install(tmp_path / "bin")
    monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}{os.pathsep}{os.environ['PATH']}")
    yield file
    tunnel.close_all()


@pytest.mark.parametrize(
    ("server", "place"),
    [
        ("ssh://host", Place("host", "", "/var/lib/newapi/newapi.sock")),
        ("ssh://me@host.example.com:2222/srv/x.sock", Place("me@host.example.com", "2222", "/srv/x.sock")),
        ("ssh://[::1]/run/a b.sock", Place("::1", "", "/run/a b.sock")),
    ],
)
def test_places(server: str, place: Place) -> None:
    assert parse(server) == place


@pytest.mark.parametrize(
    "server",
    ["ssh://", "ssh:///path", "ssh://-oProxyCommand=x/", "ssh://a@-x/p", "ssh://h/", "ssh://h:x/p", "ssh://a b/p"],
)
def test_no_places(server: str) -> None:
    with pytest.raises(ValueError, match="write ssh://"):
        parse(server)
    with pytest.raises(NoTunnel, match="is no place"):
        reached(server)


def test_other_servers_are_themselves() -> None:
    assert reached("https://gateway.test") == "https://gateway.test"
    assert reached("unix:/x.sock") == "unix:/x.sock"


def test_one_ssh_carries_the_socket_there_and_is_ended(called: Path, tmp_path: Path) -> None:
    there = tmp_path / "there.sock"
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(there))
        listener.listen()
        local = reached(f"ssh://me@host:22{there}")
        assert reached(f"ssh://me@host:22{there}") == local
        path = Path(local.removeprefix("unix:"))
        with socket.socket(socket.AF_UNIX) as here:
            here.connect(str(path))
            here.sendall(b"hello")
            while True:  # those before were looking whether it is there
                answer, _ = listener.accept()
                with answer:
                    if answer.recv(5) == b"hello":
                        break
    (line,) = called.read_text().splitlines()
    assert line.startswith("-N -T -o ExitOnForwardFailure=yes")
    assert line.endswith(f"-L {path}:{there} -p 22 -- me@host")
    tunnel.close_all()
    assert not path.parent.exists()


def test_an_ssh_that_has_ended_leaves_nothing_and_another_takes_its_place(called: Path, tmp_path: Path) -> None:
    there = tmp_path / "there.sock"
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(there))
        listener.listen()
        before = Path(reached(f"ssh://host{there}").removeprefix("unix:"))
        tunnel._open[f"ssh://host{there}"].process.kill()
        tunnel._open[f"ssh://host{there}"].process.wait(10)
        after = Path(reached(f"ssh://host{there}").removeprefix("unix:"))
    assert len(called.read_text().splitlines()) == 2
    assert after.parent.exists()
    assert not before.parent.exists()


def test_ssh_that_fails_is_told(called: Path) -> None:
    with pytest.raises(NoTunnel, match="it left with 255") as told:
        reached("ssh://unreachable.test")
    assert told.value.hint == "ssh unreachable.test has to work"
    assert called.exists()


def test_without_ssh(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(NoTunnel, match="no ssh here"):
        reached("ssh://host")
