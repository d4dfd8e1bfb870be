from __future__ import annotations

import socket
from typing import Any

import httpx
import pytest

from newapi.server.app import create_app
from newapi.server.routes.metrics import MetricsApp
from newapi.server.serve import measured
from tests.server.conftest import Server


@pytest.mark.parametrize(
    ("address", "came_to", "takes"),
    [
        ("127.0.0.1:9464", ("127.0.0.1", 9464), True),
        ("0.0.0.0:9464", ("10.0.0.1", 9464), True),
        ("[::1]:9464", ("::1", 9464), True),
        ("127.0.0.1:9464", ("127.0.0.1", 3000), False),
        ("unix:/run/m.sock", ("/run/m.sock", None), True),
        ("unix:/run/m.sock", ("/run/admin.sock", None), False),
        ("unix:/run/m.sock", ("127.0.0.1", 9464), False),
        ("", ("127.0.0.1", 9464), False),
        ("", ("", None), False),
        ("", None, False),
    ],
)
def test_a_request_is_for_metrics_by_the_socket_it_came_through(
    server: Server, address: str, came_to: Any, takes: bool
) -> None:
    assert MetricsApp(server.runtime, address).takes({"server": came_to}) is takes


async def test_metrics_and_nothing_else_is_behind_their_listener(server: Server) -> None:
    server.runtime.live.end()
    server.runtime.live.beat()
    app = create_app(server.runtime)
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://gw.test:9464") as http:
        got = await http.get("/metrics")
        assert got.headers["content-type"].startswith("text/plain; version=0.0.4")
        assert 'newapi_build_info{version="' in got.text
        assert (await http.head("/metrics")).text == ""
        assert (await http.post("/metrics")).status_code == 405
        for path in ("/v1/models", "/api/status", "/health/live", "/"):
            assert (await http.get(path)).status_code == 404
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://gw.test:3000") as http:
        assert (await http.get("/metrics")).status_code == 404
        assert (await http.get("/health/live")).status_code == 200


def test_a_server_serves_without_metrics_where_they_cannot_be_had() -> None:
    said: list[str] = []
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        with measured(f"127.0.0.1:{taken.getsockname()[1]}", "127.0.0.1:3000", said.append) as sockets:
            assert sockets == []
    with measured("127.0.0.1:3000", "10.0.0.1:3000", said.append) as sockets:
        assert sockets == []
    assert ["in use" in said[0], "server.listen has that port" in said[1], len(said)] == [True, True, 2]


def test_metrics_have_a_socket_unless_they_are_turned_off() -> None:
    with measured("", "127.0.0.1:3000", print) as sockets:
        assert sockets == []
    with measured("127.0.0.1:0", "127.0.0.1:3000", print) as (sock,):
        socket.create_connection(sock.getsockname()).close()
