"""Several processes on one address: one that dies is replaced, all of them are, and no request is dropped for it."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from subprocess import Popen
from typing import Any

import httpx
import pytest
from prometheus_client.parser import text_string_to_metric_families

from newapi.store.database import open_database
from newapi.store.ledger import RecordFilter
from newapi.store.usage import count_records
from tests.support.process import background, free_port, run

CONFIG = """
version = 1
[server]
listen = "127.0.0.1:PORT"
database = "sqlite:///newapi.db"
metrics = "METRICS"
workers = WORKERS
[log]
keep_days = 30
[models.m]
ratio = 1
[channels.chat]
type = "openai"
base_url = "http://127.0.0.1:MOCK"
key = "env:MOCK_KEY"
models = ["m"]
[tokens.t]
key = "env:TOKEN"
unlimited = true
"""
TOKEN = "sk-" + "t" * 48
HEADERS = {"authorization": f"Bearer {TOKEN}"}


class Running:
    """A server as its operator sees it."""

    def __init__(self, directory: Path, port: int, process: Popen[bytes], env: dict[str, str]) -> None:
        self.directory, self.process, self.env = directory, process, env
        self.url = f"http://127.0.0.1:{port}"

    def command(self, *argv: str, code: int = 0) -> str:
        done = run(*argv, env=self.env)
        assert done.returncode == code, done.stderr
        return done.stdout + done.stderr

    def workers(self) -> list[dict[str, Any]]:
        """Return the workers, as whoever answers on the admin socket knows them."""
        with httpx.Client(transport=httpx.HTTPTransport(uds=str(self.directory / "newapi.sock")), timeout=60) as http:
            return http.get("http://gateway/api/manage/workers").json()["data"]["workers"]

    def pids(self, state: str = "serving") -> set[int]:
        return {worker["pid"] for worker in self.workers() if worker["state"] == state}

    def ask(self, text: str = "hi", **more: Any) -> httpx.Response:
        body = {"model": "m", "messages": [{"role": "user", "content": text}], **more}
        return httpx.post(f"{self.url}/v1/chat/completions", json=body, headers=HEADERS, timeout=60)

    def logged(self) -> int:
        """Return how many lines the log has in the database."""
        db = open_database(f"sqlite:///{self.directory}/newapi.db")
        try:
            return count_records(db, RecordFilter())[0]
        finally:
            db.close()

    def said(self) -> str:
        return (self.directory / "serve.log").read_text()


@contextmanager
def server(directory: Path, workers: int, metrics: str = "") -> Iterator[Running]:
    port, mock_port = free_port(), free_port()
    config = directory / "config.toml"
    text = CONFIG.replace("PORT", str(port)).replace('MOCK"', f'{mock_port}"').replace("WORKERS", str(workers))
    config.write_text(text.replace("METRICS", metrics))
    env = {"NEWAPI_CONFIG": str(config), "MOCK_KEY": "sk-mock", "TOKEN": TOKEN, "NO_COLOR": "1"}
    assert run("apply", str(config), "--yes", env=env).returncode == 0
    with (
        background("mock", "--port", str(mock_port), port=mock_port, env=env, log=directory / "mock.log"),
        background("serve", port=port, env=env, log=directory / "serve.log") as process,
    ):
        running = Running(directory, port, process, env)
        until(lambda: len(running.pids()) == workers)
        yield running


def until(condition: Callable[[], object], seconds: float = 30) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it never came true"
        time.sleep(0.02)


def gone(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return True
    return False


class Load:
    """Clients that ask one request after the other, each on one connection that is kept, and stop at a failure.

    A connection that is closed while it is idle is opened again, as every client does; one that is closed in the middle
    of an answer, or after a request was taken, is a failure.
    """

    def __init__(self, running: Running, clients: int = 8) -> None:
        self.failures: list[str] = []
        self.answered = 0
        self._running = running
        self._stop = threading.Event()
        self._threads = [threading.Thread(target=self._ask, args=(n % 2 == 1,)) for n in range(clients)]

    def __enter__(self) -> Load:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join(30)

    def _ask(self, stream: bool) -> None:
        body = {"model": "m", "stream": stream, "messages": [{"role": "user", "content": "mock:long=5"}]}
        with httpx.Client(timeout=30, headers=HEADERS) as http:
            while not self._stop.is_set():
                try:
                    reply = http.post(f"{self._running.url}/v1/chat/completions", json=body)
                except httpx.HTTPError as error:
                    self.failures.append(repr(error))
                    return
                if reply.status_code != 200 or (stream and not reply.text.endswith("data: [DONE]\n\n")):
                    self.failures.append(reply.text)
                self.answered += 1


def test_a_worker_that_is_killed_is_replaced_and_its_journal_written(tmp_path: Path) -> None:
    with server(tmp_path, 2) as running:
        before = running.pids()
        for _ in range(20):
            assert running.ask().status_code == 200
        victim = min(before)
        os.kill(victim, signal.SIGKILL)
        until(lambda: len(running.pids()) == 2 and victim not in running.pids())
        assert running.ask().status_code == 200
        assert f"(process {victim}) was killed by signal 9" in running.said()
        workers = running.workers()
        assert sorted(worker["restarts"] for worker in workers) == [0, 1]
        assert "1 restarted" in running.command("status")
        assert "2 of 2 serve, 1 were started again" in running.command("doctor", code=8)
        until(lambda: running.logged() == 21)
        assert running.process.poll() is None
    assert list((tmp_path / "journal").rglob("*.journal")) == []


def counters(url: str) -> dict[tuple[str, frozenset[tuple[str, str]]], float]:
    """Return every sample of what Prometheus is told only grows, asked on a connection of its own."""
    families = text_string_to_metric_families(httpx.get(url, timeout=60).raise_for_status().text)
    return {
        (sample.name, frozenset(sample.labels.items())): sample.value
        for family in families
        if family.type in ("counter", "histogram")
        for sample in family.samples
    }


def test_metrics_are_of_all_workers_and_nothing_goes_backwards_when_one_is_replaced(tmp_path: Path) -> None:
    port = free_port()
    url = f"http://127.0.0.1:{port}/metrics"
    answers: list[tuple[float, dict[Any, float]]] = []

    def served() -> float:
        """Return how many requests whoever answers says were served; nobody has said more two seconds ago.

        What one process has counted the others count some milliseconds later.
        """
        began = time.monotonic()
        told = counters(url)
        for at, before in answers:
            if at < began - 2:
                assert [sample for sample, value in before.items() if told.get(sample, 0) < value] == []
        answers.append((time.monotonic(), told))
        return sum(value for (name, _), value in told.items() if name == "newapi_relay_requests_total")

    with server(tmp_path, 2, f"127.0.0.1:{port}") as running:
        for _ in range(24):
            assert running.ask().status_code == 200
        until(lambda: served() == 24)
        victim = min(running.pids())
        os.kill(victim, signal.SIGKILL)
        until(lambda: (served(), len(running.pids()) == 2 and victim not in running.pids())[1])
        for _ in range(8):
            assert running.ask().status_code == 200
        until(lambda: served() == 32)
        for _ in range(16):  # each on a connection of its own: both are asked
            until(lambda: served() == 32)


def test_connections_are_spread_and_those_of_a_dead_worker_taken_by_the_others(tmp_path: Path) -> None:
    with server(tmp_path, 2) as running:
        slow = [threading.Thread(target=running.ask, args=("mock:gap=4",), kwargs={"stream": True}) for _ in range(32)]
        for thread in slow:
            thread.start()
        until(lambda: sum(worker["in_flight"] for worker in running.workers()) == 32)
        assert all(worker["in_flight"] >= 4 for worker in running.workers())
        for thread in slow:
            thread.join(60)

        os.kill(min(running.pids()), signal.SIGKILL)
        until(lambda: len(running.pids()) == 1)
        answered = 0
        while len(running.pids()) == 1:  # each request on a connection of its own: half of them knock at its door
            assert running.ask().status_code == 200
            answered += 1
        assert answered >= 5


@pytest.mark.parametrize(("workers", "by"), [(1, "command"), (2, "signal")])
def test_a_reload_drops_nothing_and_takes_over_what_the_file_says(tmp_path: Path, workers: int, by: str) -> None:
    config = tmp_path / "config.toml"
    with server(tmp_path, workers) as running:
        before = running.pids()
        with Load(running) as load:
            until(lambda: load.answered > 20)
            config.write_text(config.read_text().replace("[log]", '[limits]\nrequest_body = "1KiB"\n[log]'))
            if by == "signal":
                running.process.send_signal(signal.SIGHUP)
            else:
                running.command("reload")
            until(lambda: running.ask("x" * 2000).status_code == 413)
            if workers > 1:
                until(
                    lambda: (
                        len(running.pids()) == workers and not running.pids() & before and not running.pids("draining")
                    )
                )
            answered = load.answered
            until(lambda: load.answered > answered + 20)
        assert load.failures == []
        assert (running.pids() == before) == (workers == 1)

        config.write_text(config.read_text().replace("1KiB", "one"))
        assert "1KiB" not in running.command("reload", code=2)
        serving = running.pids()
        running.process.send_signal(signal.SIGHUP)
        until(lambda: "what was read before stays in force" in running.said())
        assert running.pids() == serving
        assert running.ask("x" * 2000).status_code == 413


def test_every_worker_tells_from_the_level_that_is_asked_for(tmp_path: Path) -> None:
    def told() -> list[str]:
        return [line for line in running.said().splitlines() if line.endswith("is in force")]

    with server(tmp_path, 2) as running:
        running.command("log-level", "warning")
        running.command("channel", "set", "chat", "weight=2")
        running.command("log-level", "info")
        running.command("channel", "set", "chat", "weight=3")
        until(lambda: len(told()) == 2)
        assert "warning" in running.command("log-level", "loud", code=2)


def test_a_reload_starts_and_ends_workers_and_lets_streams_go_on(tmp_path: Path) -> None:
    config = tmp_path / "config.toml"
    with server(tmp_path, 2) as running:
        body = {"model": "m", "stream": True, "messages": [{"role": "user", "content": "mock:long=10 mock:gap=600"}]}
        with httpx.stream("POST", f"{running.url}/v1/chat/completions", json=body, headers=HEADERS, timeout=60) as held:
            lines = held.iter_lines()
            assert next(lines).startswith("data: ")
            config.write_text(config.read_text().replace("workers = 2", "workers = 3"))
            running.process.send_signal(signal.SIGHUP)
            until(lambda: len(running.pids()) == 3 and len(running.pids("draining")) == 1)
            config.write_text(config.read_text().replace("workers = 3", "workers = 1"))
            running.process.send_signal(signal.SIGHUP)
            until(lambda: len(running.pids()) == 1 and len(running.pids("draining")) == 1)
            (holding,) = running.pids("draining")
            assert running.ask().status_code == 200
        until(lambda: gone(holding) or not running.pids("draining"))


@pytest.mark.parametrize(("workers", "by"), [(1, "signal"), (2, "command")])
def test_a_drain_answers_every_request_that_was_taken(tmp_path: Path, workers: int, by: str) -> None:
    with server(tmp_path, workers) as running:
        pids = running.pids()
        got: list[httpx.Response] = []
        slow = [threading.Thread(target=lambda: got.append(running.ask("mock:gap=2", stream=True))) for _ in range(6)]
        for thread in slow:
            thread.start()
        until(lambda: sum(worker["in_flight"] for worker in running.workers()) == 6)
        if by == "signal":
            running.process.send_signal(signal.SIGTERM)
            code = -signal.SIGTERM
        else:
            assert "It has ended." in running.command("drain")
            code = 0
        assert running.process.wait(30) == code
        for thread in slow:
            thread.join(30)
        assert [reply.text.endswith("data: [DONE]\n\n") for reply in got] == [True] * 6
        assert all(gone(pid) for pid in pids)
    assert not (tmp_path / "newapi.sock").exists()
    assert "no server" not in running.said()
    assert "does not answer" in running.command("reload", code=1)


def test_workers_end_with_their_supervisor_however_it_ends(tmp_path: Path) -> None:
    with server(tmp_path, 2) as running:
        pids = running.pids()
        assert running.ask().status_code == 200
        running.process.kill()
        running.process.wait(10)
        until(lambda: all(gone(pid) for pid in pids))
    with background("serve", port=int(running.url.rpartition(":")[2]), env=running.env, log=tmp_path / "serve.log"):
        until(lambda: len(running.pids()) == 2)
    assert running.logged() == 1


def test_a_server_that_cannot_come_up_says_so_and_leaves(tmp_path: Path) -> None:
    config = tmp_path / "config.toml"
    config.write_text(CONFIG.replace("PORT", "0").replace("MOCK", "9").replace("WORKERS", "2").replace("METRICS", ""))
    env = {"NEWAPI_CONFIG": str(config), "MOCK_KEY": "sk-mock", "TOKEN": TOKEN}
    assert run("apply", str(config), "--yes", env=env).returncode == 0
    (tmp_path / "journal").write_text("in the way")
    done = run("serve", env=env)
    assert done.returncode == 1
    assert "no worker came up" in done.stderr
