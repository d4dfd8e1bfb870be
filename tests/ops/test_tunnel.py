"""The way through ssh; that all commands go it is tested in tests/e2e."""

from __future__ import annotations

import os
import socket
import socketserver
import threading
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


class Echo(socketserver.BaseRequestHandler):
    def handle(self) -> None:
        while data := self.request.recv(1000):
            self.request.sendall(data)


@pytest.fixture
def there(tmp_path: Path) -> Iterator[Path]:
    """The socket of a server on the other machine."""
    path = tmp_path / "there.sock"
    with socketserver.ThreadingUnixStreamServer(str(path), Echo) as server:
        server.block_on_close, server.daemon_threads = False, True  # what is open ends with its tunnel
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield path
        server.shutdown()
        thread.join()


def test_one_ssh_carries_the_socket_there_and_is_ended(called: Path, there: Path) -> None:
    local = reached(f"ssh://me@host:22{there}")
    assert reached(f"ssh://me@host:22{there}") == local
    path = Path(local.removeprefix("unix:"))
    with socket.socket(socket.AF_UNIX) as here:
        here.connect(str(path))
        here.sendall(b"hello")
        assert here.recv(5) == b"hello"
    (line,) = called.read_text().splitlines()
    assert "-o ControlMaster=no" in line
    assert line.endswith(f"-p 22 -N -T -L {path}:{there} -- me@host")
    assert "BatchMode" not in line
    tunnel.close_all()
    assert not path.parent.exists()


def test_where_the_terminal_is_somebody_else_s_nothing_is_asked(
    called: Path, there: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tunnel, "_options", [*tunnel._options])
    tunnel.ask_nothing()
    reached(f"ssh://host{there}")
    assert "-o BatchMode=yes" in called.read_text()


def test_a_path_of_any_characters(called: Path) -> None:
    with pytest.raises(NoTunnel):
        reached("ssh://host/a:b\\c%h.sock")
    assert "/s:/a\\:b\\\\c%%h.sock -- host" in called.read_text()


def test_an_ssh_that_has_ended_leaves_nothing_and_another_takes_its_place(called: Path, there: Path) -> None:
    before = Path(reached(f"ssh://host{there}").removeprefix("unix:"))
    tunnel._open[f"ssh://host{there}"].process.kill()
    tunnel._open[f"ssh://host{there}"].process.wait(10)
    after = Path(reached(f"ssh://host{there}").removeprefix("unix:"))
    assert called.read_text().count(" -N ") == 2
    assert after.parent.exists()
    assert not before.parent.exists()


def test_ssh_that_fails_is_told(called: Path) -> None:
    with pytest.raises(
        NoTunnel, match=r"unreachable\.test:22: connect to host unreachable\.test .*: Connection refused$"
    ) as told:
        reached("ssh://me@unreachable.test:22")
    assert told.value.hint == "`ssh -p 22 me@unreachable.test` has to work"
    assert called.exists()


def test_nobody_there(called: Path, tmp_path: Path) -> None:
    with pytest.raises(NoTunnel, match=r"No server answers at .*/none\.sock on me@host") as told:
        reached(f"ssh://me@host{tmp_path}/none.sock")
    assert told.value.hint.startswith("newapi serve has to run there")
    assert not list(tunnel._open)


def test_without_ssh(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(NoTunnel, match="no ssh here"):
        reached("ssh://host")
