"""`newapi demo`: everything at once, on this machine, by the commands that a user would type."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib import resources
from pathlib import Path
from typing import Any

import httpx
import msgspec
from msgspec import Struct

from newapi.base.errors import NewapiError
from newapi.config.load import load_server
from newapi.ops.local import admin_socket
from newapi.ops.remote_gateway import RemoteGateway
from newapi.store.ledger import RecordFilter, StoredRecord

_PROMPT = "Say hello"
_WAIT_SECONDS = 20.0


class DemoFailed(NewapiError):
    """A part of the demo did not start, or answered with an error."""

    code = "demo_failed"


class Said(Struct, frozen=True):
    """One request of the demo: how it was asked, what came back, which way it went and what it cost."""

    entry: str
    model: str
    stream: bool
    answer: str
    channel: str
    upstream: str
    prompt_tokens: int
    completion_tokens: int
    quota: int
    request_id: str


class Demo:
    """A mock upstream and a gateway, running."""

    def __init__(self, directory: Path, url: str, token: str) -> None:
        self.directory = directory
        self.url = url
        self.token = token

    def requests(self) -> Iterator[Said]:
        """Send one request in each entry format, plain and streaming; yield what came of each.

        Raises:
            DemoFailed: The gateway answered with an error.
        """
        # As its operator: whose token it is does not see which way a request went.
        config = self.directory / "config.toml"
        there = RemoteGateway(f"unix:{admin_socket(load_server(config).config.server, config)}", None)
        with httpx.Client(base_url=self.url, timeout=30, trust_env=False) as http:
            for entry, path, stream_path, model, body, headers in self._asks():
                for stream in (False, True):
                    sent = {**body, "stream": True} if stream and entry != "gemini" else body
                    reply = http.post(stream_path if stream else path, json=sent, headers=headers)
                    if reply.status_code != 200:
                        raise DemoFailed(f"the gateway answered {entry} with {reply.status_code}: {reply.text[:200]}")
                    record = self._record(there, reply.headers["x-oneapi-request-id"])
                    answer = _streamed(entry, reply.text) if stream else _plain(entry, reply.json())
                    yield Said(
                        entry=entry,
                        model=model,
                        stream=stream,
                        answer=answer,
                        channel=record.channel_name,
                        upstream=record.upstream_format,
                        prompt_tokens=record.prompt_tokens,
                        completion_tokens=record.completion_tokens,
                        quota=record.quota,
                        request_id=record.request_id,
                    )

    def curls(self) -> list[str]:
        """Return the lines to try by hand."""
        lines: list[str] = []
        for entry, path, _, _, body, headers in self._asks():
            told = " ".join(f"-H '{k}: {v}'" for k, v in headers.items())
            lines.append(
                f"# {entry}\ncurl {self.url}{path} {told} -H 'content-type: application/json' "
                f"-d '{msgspec.json.encode(body).decode()}'"
            )
        return lines

    def _asks(self) -> list[tuple[str, str, str, str, dict[str, Any], dict[str, str]]]:
        bearer = {"authorization": f"Bearer {self.token}"}
        turn = [{"role": "user", "content": _PROMPT}]
        gemini = "/v1beta/models/gemini-2.5-flash:"
        return [
            (
                "openai_chat",
                "/v1/chat/completions",
                "/v1/chat/completions",
                "gpt-4o-mini",
                {"model": "gpt-4o-mini", "messages": turn},
                bearer,
            ),
            (
                "openai_responses",
                "/v1/responses",
                "/v1/responses",
                "gpt-5-mini",
                {"model": "gpt-5-mini", "input": _PROMPT},
                bearer,
            ),
            (
                "anthropic_messages",
                "/v1/messages",
                "/v1/messages",
                "claude-sonnet-4-5",
                {"model": "claude-sonnet-4-5", "max_tokens": 200, "messages": turn},
                {"x-api-key": self.token, "anthropic-version": "2023-06-01"},
            ),
            (
                "gemini",
                f"{gemini}generateContent",
                f"{gemini}streamGenerateContent?alt=sse",
                "gemini-2.5-flash",
                {"contents": [{"role": "user", "parts": [{"text": _PROMPT}]}]},
                {"x-goog-api-key": self.token},
            ),
        ]

    def _record(self, there: RemoteGateway, request_id: str) -> StoredRecord:
        """Return the line of a request in the log, which is written a moment after the answer."""
        deadline = time.monotonic() + _WAIT_SECONDS
        while time.monotonic() < deadline:
            for record in there.records(RecordFilter(request_id=request_id)):
                return record
            time.sleep(0.05)
        raise DemoFailed(f"request {request_id} did not get a log row")


def example() -> str:
    """Return the text of `config.example.toml`: of the checkout, or as it was packed with the program."""
    here = Path(__file__).parents[2] / "config.example.toml"
    return here.read_text() if here.exists() else (resources.files("newapi") / "config.example.toml").read_text()


@contextmanager
def running(directory: Path, example: str, say: Callable[[str], None]) -> Iterator[Demo]:
    """Start a mock upstream, apply `example` to a fresh database in `directory`, start the gateway; stop both after.

    Args:
        directory: An empty directory.
        example: The text of `config.example.toml`; the mock's and the gateway's ports are put in.
        say: Told what is done, line by line.

    Raises:
        DemoFailed: Something did not start.
    """
    mock_port, port = _free_port(), _free_port()
    url = f"http://127.0.0.1:{port}"
    config = directory / "config.toml"
    config.write_text(
        example.replace("http://127.0.0.1:8765", f"http://127.0.0.1:{mock_port}").replace(
            'listen = "127.0.0.1:3000"', f'listen = "127.0.0.1:{port}"'
        )
    )
    env = {**os.environ, "NEWAPI_CONFIG": str(config), "MOCK_KEY": "sk-mock", "NO_COLOR": "1"}
    newapi = [sys.executable, "-m", "newapi"]
    processes: list[subprocess.Popen[bytes]] = []
    try:
        say(f"$ newapi mock --port {mock_port}")
        processes.append(_start([*newapi, "mock", "--port", str(mock_port)], env, directory / "mock.log"))
        _wait_for(mock_port, processes[-1], directory / "mock.log")
        say(f"$ newapi apply {config} --yes")
        keys = directory / "tokens"
        done = subprocess.run(  # noqa: S603  (our own command)
            [*newapi, "apply", str(config), "--yes", "--write-tokens", str(keys)],
            env=env,
            capture_output=True,
            check=False,
            text=True,
        )
        if done.returncode:
            raise DemoFailed(f"newapi apply ended with {done.returncode}:\n{done.stderr}")
        for line in done.stderr.strip().splitlines():
            say(f"  {line}")
        token = _token(keys.read_text())
        say("$ newapi serve")
        processes.append(_start([*newapi, "serve"], env, directory / "serve.log"))
        _wait_for(port, processes[-1], directory / "serve.log")
        yield Demo(directory, url, token)
    finally:
        for process in reversed(processes):
            process.send_signal(signal.SIGTERM)
        for process in processes:
            process.wait(35)


def _token(text: str) -> str:
    key = next((w for w in text.replace("=", " ").replace('"', " ").split() if w.startswith("sk-")), "")
    if not key:
        raise DemoFailed("newapi apply made no token")
    return key


def _free_port() -> int:
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def _start(argv: list[str], env: dict[str, str], log: Path) -> subprocess.Popen[bytes]:
    with log.open("wb") as out:
        return subprocess.Popen(argv, env=env, stdin=subprocess.DEVNULL, stdout=out, stderr=out)  # noqa: S603


def _wait_for(port: int, process: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + _WAIT_SECONDS
    while time.monotonic() < deadline:
        if process.poll() is not None:
            break
        try:
            socket.create_connection(("127.0.0.1", port), 0.2).close()
        except OSError:
            time.sleep(0.05)
        else:
            return
    raise DemoFailed(f"did not start:\n{log.read_text()[-2000:]}")


def _plain(entry: str, body: dict[str, Any]) -> str:
    match entry:
        case "openai_chat":
            return body["choices"][0]["message"]["content"]
        case "openai_responses":
            return "".join(c["text"] for i in body["output"] if i["type"] == "message" for c in i["content"])
        case "anthropic_messages":
            return "".join(b["text"] for b in body["content"] if b["type"] == "text")
        case _:
            return "".join(p.get("text", "") for p in body["candidates"][0]["content"]["parts"])


def _streamed(entry: str, text: str) -> str:
    out: list[str] = []
    for line in text.splitlines():
        if not line.startswith("data: {"):
            continue
        data = msgspec.json.decode(line[6:], type=dict[str, Any])
        match entry:
            case "openai_chat":
                out += [c["delta"].get("content") or "" for c in data["choices"]]
            case "openai_responses":
                out.append(data["delta"] if data["type"] == "response.output_text.delta" else "")
            case "anthropic_messages":
                out.append((data.get("delta") or {}).get("text", ""))
            case _:
                out += [
                    p.get("text", "") for c in data.get("candidates") or [] for p in c["content"].get("parts") or []
                ]
    return "".join(out)
