"""The admin socket: whose it is, and what becomes of its file. Served, it is tested in tests/e2e."""

from __future__ import annotations

import socket
import stat
from pathlib import Path

import pytest

from newapi.config.schema import ServerSpec
from newapi.ops.listening import answers
from newapi.ops.local import admin_socket
from newapi.server.serve import CannotListen, administered, listen


def test_nobody_else_opens_the_admin_socket_and_its_file_goes_with_it(tmp_path: Path) -> None:
    path = tmp_path / "a.sock"
    with administered(path) as (listening,):
        assert listening.getsockname() == str(path)
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
        assert answers(path)
    assert not path.exists()


def test_what_a_server_left_behind_is_replaced(tmp_path: Path) -> None:
    path = tmp_path / "a.sock"
    with socket.socket(socket.AF_UNIX) as left:
        left.bind(str(path))
    assert path.exists()
    with administered(path):
        assert answers(path)


def test_another_server_s_socket_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "a.sock"
    with administered(path):
        with pytest.raises(CannotListen, match="another server"), administered(path):
            pass
        assert answers(path)


def test_the_socket_of_a_later_server_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "a.sock"
    with socket.socket(socket.AF_UNIX) as later:
        with administered(path):
            path.rename(tmp_path / "kept")  # so that its number is not given again
            later.bind(str(path))
        assert path.exists()


@pytest.mark.parametrize("name", ["file", "no/such/folder", "n" * 200])
def test_where_no_socket_can_be(tmp_path: Path, name: str) -> None:
    (tmp_path / "file").write_text("mine")
    with pytest.raises(CannotListen) as told, administered(tmp_path / name):
        pass
    assert "admin_socket" in told.value.hint
    assert (tmp_path / "file").read_text() == "mine"


def test_none_is_wanted() -> None:
    with administered(None) as sockets:
        assert sockets == []


@pytest.mark.parametrize(
    ("database", "said", "path"),
    [
        ("sqlite:///data/newapi.db", "newapi.sock", "/etc/newapi/data/newapi.sock"),
        ("sqlite:////var/lib/newapi/newapi.db", "newapi.sock", "/var/lib/newapi/newapi.sock"),
        ("postgresql://db/newapi", "newapi.sock", "/etc/newapi/newapi.sock"),
        ("env:DATABASE", "/run/newapi/s", "/run/newapi/s"),
        ("sqlite:///newapi.db", "", None),
    ],
)
def test_it_is_beside_the_database_or_the_configuration(database: str, said: str, path: str | None) -> None:
    server = ServerSpec(database=database, admin_socket=said)
    found = admin_socket(server, Path("/etc/newapi/config.toml"))
    assert (str(found) if found else None) == path


@pytest.mark.parametrize("name", ["file", "no/such/folder", "n" * 200])
def test_where_no_listening_socket_can_be(tmp_path: Path, name: str) -> None:
    (tmp_path / "file").write_text("mine")
    with pytest.raises(CannotListen):
        listen(f"unix:{tmp_path / name}")
    assert (tmp_path / "file").read_text() == "mine"


def test_a_listening_socket_is_taken_from_the_dead_alone(tmp_path: Path) -> None:
    address = f"unix:{tmp_path / 'a.sock'}"
    with listen(address), pytest.raises(CannotListen, match="another server"):
        listen(address)
    with listen(address):
        assert answers(tmp_path / "a.sock")
