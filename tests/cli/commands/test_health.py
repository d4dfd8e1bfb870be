from __future__ import annotations

import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest

from newapi.ops.health import base_url
from tests.cli.commands.conftest import CONFIG, Run

ANSWERS = {"/health/live": 200, "/health/ready": 503}


class Server(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.send_response(ANSWERS[self.path])
        self.send_header("content-length", "0")
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None:
        pass


@pytest.fixture
def address() -> Iterator[str]:
    """A server that lives and is not ready."""
    with HTTPServer(("127.0.0.1", 0), Server) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield f"127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


@pytest.mark.parametrize(("flags", "code"), [(("--live",), 0), (("--ready",), 1), ((), 1), (("--live", "--ready"), 1)])
def test_exit_codes(run: Run, config: Path, address: str, flags: tuple[str, ...], code: int) -> None:
    config.write_text(CONFIG.replace("[server]", f'[server]\nlisten = "{address}"'))
    done = run("health", *flags)
    assert done.code == code
    assert ("answered 503" in done.err) == (code == 1)


def test_a_url(run: Run, address: str) -> None:
    done = run("health", "--live", "--server", f"http://{address}/", "-o", "json")
    assert done.json() == {"server": f"http://{address}/", "live": True}


def test_nobody_there(run: Run) -> None:
    done = run("health", "--server", "http://127.0.0.1:1", "-o", "json")
    assert (done.code, done.out) == (1, "")
    assert '"not_healthy"' in done.err


@pytest.mark.parametrize(
    ("listen", "url"),
    [
        ("127.0.0.1:3000", "http://127.0.0.1:3000"),
        ("0.0.0.0:3000", "http://127.0.0.1:3000"),
        (":3000", "http://127.0.0.1:3000"),
        ("[::]:3000", "http://[::1]:3000"),
        ("::1:3000", "http://[::1]:3000"),
        ("unix:/run/newapi.sock", "http://localhost"),
        ("https://ai.example.com/", "https://ai.example.com"),
    ],
)
def test_where_a_server_is_asked(listen: str, url: str) -> None:
    assert base_url(listen) == url
