"""The dashboard as its user has it: the real command in a real terminal, a real server, mock upstreams, and load."""

from __future__ import annotations

import asyncio
import re
import signal
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, TypeVar

import httpx
import pytest
from msgspec.structs import replace

from newapi.ops.live import Channels, Link, Logs, Stats, encode, name_of
from newapi.ops.live_record import read
from tests.support.live import recording
from tests.support.process import NEWAPI, background, free_port, run
from tests.support.terminal import LEFT, Terminal, terminal
from tests.support.upstream import Conversation, serving

E = TypeVar("E")

PAUSE = 0.06
"""Seconds between two requests of a client; there are two."""
ROWS = 500
"""Requests a second, of which as many are told as a server tells."""
SECONDS = 7
"""How long they come."""
CONFIG = """
version = 1
[server]
listen = "127.0.0.1:PORT"
database = "sqlite:///newapi.db"
metrics = ""
[routing]
retries = 3
[health]
failures = 3
cooldown = "2s"
probe_every = ""
[models.m]
price = "$0.03"
[channels.steady]
type = "openai"
base_url = "http://127.0.0.1:STEADY"
key = "env:MOCK_KEY"
models = ["m"]
[channels.shaky]
type = "openai"
base_url = "http://127.0.0.1:SHAKY"
key = "env:MOCK_KEY"
models = ["m"]
[tokens.load]
key = "env:TOKEN"
unlimited = true
"""
TOKEN = "sk-" + "t" * 48
_CLEAN = {"alternate_on": 0, "cursor_flag": 1, "mouse_any_flag": 0, "mouse_sgr_flag": 0}


def ask(url: str, key: str, http: httpx.Client | None = None) -> int:
    """Ask something, and return the status."""
    body = {"model": "m", "messages": [{"role": "user", "content": "hi"}]}
    post = http.post if http else httpx.post
    headers = {"authorization": f"Bearer {key}"}
    return post(f"{url}/v1/chat/completions", json=body, headers=headers, timeout=30).status_code


@contextmanager
def load(url: str) -> Iterator[list[int]]:
    """Ask all the time meanwhile; yields the statuses so far, 0 where there was no answer."""
    over = threading.Event()
    statuses: list[int] = []

    def client() -> None:
        with httpx.Client() as http:
            while not over.wait(PAUSE):
                try:
                    statuses.append(ask(url, TOKEN, http))
                except httpx.HTTPError:
                    statuses.append(0)

    clients = [threading.Thread(target=client) for _ in range(2)]
    for one in clients:
        one.start()
    try:
        yield statuses
    finally:
        over.set()
        for one in clients:
            one.join()


class World:
    """A gateway with two channels."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.port, self.steady, self.shaky = free_port(), free_port(), free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.record = directory / "told.ndjson"
        text = CONFIG.replace("PORT", str(self.port))
        text = text.replace("STEADY", str(self.steady)).replace("SHAKY", str(self.shaky))
        config = directory / "config.toml"
        config.write_text(text)
        self.env = {"NEWAPI_CONFIG": str(config), "MOCK_KEY": "sk-mock", "TOKEN": TOKEN, "NO_COLOR": "1"}
        done = run("apply", str(config), "--yes", env=self.env)
        assert done.returncode == 0, done.stderr

    def mock(self, port: int) -> Any:
        return background("mock", "--port", str(port), port=port, env=self.env, log=self.directory / f"mock-{port}.log")

    def serve(self) -> Any:
        return background("serve", port=self.port, env=self.env, log=self.directory / "serve.log")

    def dashboard(self) -> Any:
        words = [*NEWAPI, "tui", "--record", str(self.record)]
        return terminal(*words, directory=self.directory, env=self.env)

    def told(self, kind: type[E]) -> list[E]:
        """Return what the stream has told so far of one kind."""
        with self.record.open("rb") as file:
            return [told.event for _, told in read(file) if isinstance(told.event, kind)]


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path)


def line_of(screen: str, name: str) -> str:
    """Return the line that begins with a name, "" where there is none."""
    return next((line for line in screen.splitlines() if re.match(rf"\W*{name}\b", line)), "")


def quit(there: Terminal) -> None:
    """Leave the dashboard, and see that nothing of it is left."""
    there.press("q")
    screen = there.shows(LEFT)
    assert f"{LEFT} 0" in screen
    assert "Overview" not in screen
    assert there.modes() == _CLEAN


def test_it_shows_what_happens_and_acts_on_it(world: World) -> None:
    with world.mock(world.steady), world.serve(), world.mock(world.shaky) as shaky, load(world.url) as statuses:
        with world.dashboard() as there:
            there.shows("steady", "shaky", "req/s")
            assert there.modes()["alternate_on"] == 1
            numbers_move_every_second(world, there)
            there.press("2")
            there.until(lambda s: "up" in line_of(s, "steady") and "up" in line_of(s, "shaky"))
            shaky.send_signal(signal.SIGKILL)
            a_failing_channel_is_seen_at_once(world, there)
            with world.mock(world.shaky):
                there.until(lambda s: re.search(r"\bup\b", line_of(s, "shaky")))
                a_channel_is_disabled_by_key(world, there)
            a_token_is_made_and_works(world, there)
            quit(there)
        assert set(statuses) == {200}  # whatever failed, another channel answered


def numbers_move_every_second(world: World, there: Terminal) -> None:
    """What was spent today grows with every request: it is another sum at each tick."""
    spent = re.compile(r"\$([\d.]+) today")
    before = len(world.told(Stats))
    seen: list[str] = []

    def moved(screen: str) -> bool:
        found = spent.search(screen)
        if found and found[1] not in seen:
            seen.append(found[1])
        return len(seen) == 5

    there.until(moved)
    assert seen == sorted(seen, key=float)
    # Five sums are five ticks; a picture may have been for two.
    assert len(world.told(Stats)) - before <= 9


def a_failing_channel_is_seen_at_once(world: World, there: Terminal) -> None:
    """The stream tells of the first failure within two seconds, and the screen shows it before two more are over."""
    there.until(lambda s: re.search(r"\brest|half open", line_of(s, "shaky")))
    seconds = len(world.told(Stats))
    first = next(
        (event, row) for event in world.told(Channels) for row in event.rows if row.name == "shaky" and row.last_error
    )
    event, row = first
    assert int(row.last_error_at) <= event.at <= row.last_error_at + 2  # `at` is whole
    before = sum(stats.at <= event.at for stats in world.told(Stats))
    assert seconds - before <= 3


def a_channel_is_disabled_by_key(world: World, there: Terminal) -> None:
    """The dialog shows the command that does the same; the channel has no request from then on, the other has all."""
    there.type("/shaky")  # in one piece: `s` would sort
    there.shows("1 of 2 channels")
    there.press("Enter")
    there.shows("d disable")
    there.press("d")
    there.shows("Disable channel shaky?", "newapi channel disable shaky")
    there.press("Enter")
    there.until(lambda s: "disabled" in line_of(s, "shaky"))
    there.until(lambda _: states(world).get("shaky") == "disabled")
    at = world.told(Stats)[-1].at
    there.until(lambda _: world.told(Stats)[-1].at >= at + 3)
    later = [row for event in world.told(Logs) for row in event.rows if row.at > at + 1]
    assert {row.channel for row in later} == {"steady"}


def states(world: World) -> dict[str, str]:
    """Return the last state that was told of each channel."""
    return {row.name: row.state for event in world.told(Channels) for row in event.rows}


def a_token_is_made_and_works(world: World, there: Terminal) -> None:
    """Its key is shown, a request with it is answered, and stands in the log."""
    there.press("3")
    there.until(lambda s: line_of(s, "load"))
    there.press("n")
    there.shows("New token")
    there.type("made-here")
    there.shows("newapi token create made-here")
    there.press("Enter")
    key = there.until(lambda s: re.search(r"\bsk-\w{20,}", s))[0]
    there.press("Escape")
    there.until(lambda s: line_of(s, "made-here") and key not in s)
    assert ask(world.url, key) == 200
    there.press("5")
    there.until(lambda s: re.search(r"\b200 +m +made-here +steady\b", s))


def test_a_server_that_is_killed_is_missed_and_found_again(world: World) -> None:
    with ExitStack() as exits:
        exits.enter_context(world.mock(world.steady))
        first = exits.enter_context(world.serve())
        assert ask(world.url, TOKEN) == 200
        there = exits.enter_context(world.dashboard())
        there.shows("● local", "$0.03 today")
        first.send_signal(signal.SIGKILL)
        first.wait()
        there.shows("◐ local", "connection lost, trying again in")
        exits.enter_context(world.serve())
        there.shows("● local")
        assert "connection lost" not in there.screen()
        assert ask(world.url, TOKEN) == 200
        # What the first server had counted is known to the second: it stands in the database.
        there.shows("$0.06 today")
        states = [link.state for link in world.told(Link) if link.state != "connecting"]
        assert states[:2] == ["connected", "lost"]
        assert states[-1] == "connected"
        quit(there)


class Firehose:
    """A server's stream that tells of more requests a second than anybody can read, for `SECONDS`."""

    def __init__(self) -> None:
        self.ticks = 0
        """Seconds that were told."""
        self.newest = ""
        """The token of the last request that was told."""
        self.is_over = threading.Event()

    async def __call__(self, conversation: Conversation) -> None:
        """Answer a connection: the stream, and to all else nothing."""
        line, _, _ = await conversation.request()
        if "/api/stream?" not in line:
            await conversation.answer(
                b'{"data": {}}', headers="content-type: application/json\r\nconnection: close\r\n"
            )
            return
        await conversation.send(b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\nconnection: close\r\n\r\n")
        next_at = asyncio.get_running_loop().time()
        for told in recording(1, rate=ROWS):
            event = told.event
            if isinstance(event, Stats):
                next_at += 1
                await asyncio.sleep(next_at - asyncio.get_running_loop().time())
                self.ticks += 1
            if isinstance(event, Logs):
                if self.ticks > SECONDS:
                    self.is_over.set()
                    continue
                newest = f"last-{self.ticks:02}"
                event = Logs(event.at, (*event.rows[:-1], replace(event.rows[-1], token=newest)), event.left_out)
                self.newest = newest
            await conversation.send(b"event: %s\ndata: %s\n\n" % (name_of(event).encode(), encode(event)))


async def test_the_log_is_followed_at_500_rows_a_second(tmp_path: Path) -> None:
    hose = Firehose()
    env = {"NEWAPI_ACCESS_TOKEN": "sk-any", "NEWAPI_CONFIG": ""}
    async with serving(hose) as upstream:
        words = [*NEWAPI, "tui", "--server", upstream.url]

        def watch() -> None:
            with terminal(*words, directory=tmp_path, env=env) as there:
                there.shows("req/s")
                there.press("5")
                there.shows("following", "more were too many to show")
                # While it pours, each second's last request is the last on the screen.
                seen: list[str] = []

                def followed(screen: str) -> bool:
                    if (row := last_row(screen)) and (found := re.search(r"last-\d\d", row)) and found[0] not in seen:
                        seen.append(found[0])
                    return hose.is_over.is_set()

                there.until(followed)
                assert seen == sorted(seen)
                assert len(seen) >= 4
                # And when it is over, nothing is left to be shown.
                over = hose.ticks
                there.until(lambda screen: hose.newest in last_row(screen))
                assert hose.ticks - over <= 3
                quit(there)

        await asyncio.to_thread(watch)


def last_row(screen: str) -> str:
    """Return the last line of the log that is on the screen."""
    return next((line for line in reversed(screen.splitlines()) if re.search(r"\d\d:\d\d:\d\d +\d{3} ", line)), "")


def test_it_is_shown_in_browsers_of_this_machine(tmp_path: Path) -> None:
    port, log = free_port(), tmp_path / "web.log"
    with background("tui", "--serve", f"127.0.0.1:{port}", port=port, env={}, log=log) as process:
        page = httpx.get(f"http://127.0.0.1:{port}/")
        assert page.status_code == 200
        assert "textual" in page.text
        process.send_signal(signal.SIGTERM)
        assert process.wait(20) == 0
    assert "Traceback" not in log.read_text()
