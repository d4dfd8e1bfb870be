"""CPU of the gateway per request and per stream, beside a peer's in the same run. Reports numbers; asserts nothing.

    python tests/bench/gateway.py --tools DIR [--peer 'COMMAND' --peer-url URL --peer-key KEY] [--rounds 3]

DIR holds `mockllm` and `lg`, built from the shared load tools (`go build`). The gateway and the peer run on the first
CPU, the tools on the second, one after the other in each round, so that a machine that slows down slows both. The peer is
any gateway with an OpenAI door whose model `gpt-4o-mini` leads to http://127.0.0.1:9100.
"""

from __future__ import annotations

import argparse
import json
import os
import shlex
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

MOCK_PORT = 9100
CONFIG = """
version = 1
[server]
listen = "127.0.0.1:3100"
metrics = ""
[models."gpt-4o-mini"]
ratio = 1
[channels.mock]
type = "openai"
base_url = "http://127.0.0.1:9100"
key = "env:BENCH_KEY"
models = ["gpt-4o-mini"]
[tokens.bench]
key = "env:BENCH_TOKEN"
unlimited = true
"""
TOKEN = "sk-" + "b" * 48
BODY: dict[str, Any] = {"model": "gpt-4o-mini", "messages": [{"role": "user", "content": "a" * 560}]}


@contextmanager
def running(argv: list[str], port: int, cpu: int, env: dict[str, str] | None = None) -> Iterator[int]:
    """Run a command on one CPU until it listens; yields its process id."""
    process = subprocess.Popen(
        ["taskset", "-c", str(cpu), *argv],
        env={**os.environ, **(env or {})},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    deadline = time.monotonic() + 120
    try:
        while True:
            try:
                socket.create_connection(("127.0.0.1", port), 0.5).close()
                break
            except OSError:
                if process.poll() is not None or time.monotonic() > deadline:
                    raise SystemExit(f"{argv[0]} did not start") from None
                time.sleep(0.1)
        yield process.pid
    finally:
        process.terminate()
        process.wait(30)


def load(tools: Path, url: str, key: str, pid: int, body: Path, *, stream: bool, seconds: int) -> dict[str, Any]:
    """Put load on `url`; return what the load generator measured."""
    argv = ["taskset", "-c", "1", str(tools / "lg"), "-url", url, "-c", "32", "-d", f"{seconds}s", "-warm", "2s"]
    argv += ["-H", f"Authorization: Bearer {key}", "-body", f"@{body}", "-pid", str(pid)]
    done = subprocess.run([*argv, *(["-stream"] if stream else [])], capture_output=True, text=True, check=True)
    return json.loads(done.stdout)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tools", type=Path, required=True)
    parser.add_argument("--peer", help="the peer's command")
    parser.add_argument("--peer-url", default="http://127.0.0.1:4000/v1/chat/completions")
    parser.add_argument("--peer-key", default="")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=int, default=5)
    args = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="newapi-bench-") as directory:
        here = Path(directory)
        (here / "config.toml").write_text(CONFIG)
        plain, stream = here / "plain.json", here / "stream.json"
        plain.write_text(json.dumps(BODY))
        stream.write_text(json.dumps({**BODY, "stream": True}))
        env = {"NEWAPI_CONFIG": str(here / "config.toml"), "BENCH_KEY": "x", "BENCH_TOKEN": TOKEN}
        newapi = [sys.executable, "-m", "newapi"]
        subprocess.run([*newapi, "apply", "--yes"], env={**os.environ, **env}, check=True, capture_output=True)
        ours = ([*newapi, "serve"], 3100, "http://127.0.0.1:3100/v1/chat/completions", TOKEN, env)
        targets: dict[str, Any] = {"newapi": ours}
        if args.peer:
            port = int(args.peer_url.split(":")[2].split("/")[0])
            targets["peer"] = (shlex.split(args.peer), port, args.peer_url, args.peer_key, None)
        figures: dict[tuple[str, str], list[float]] = {}
        mock = [str(args.tools / "mockllm"), "-listen", f"127.0.0.1:{MOCK_PORT}", "-n", "100", "-size", "12"]
        with running(mock, MOCK_PORT, 1):
            for _ in range(args.rounds):
                for name, (argv, port, url, key, extra) in targets.items():
                    with running(argv, port, 0, extra) as pid:
                        for case, body in (("plain", plain), ("stream", stream)):
                            got = load(args.tools, url, key, pid, body, stream=case == "stream", seconds=args.seconds)
                            if got["bad"] or (case == "stream" and got["events_per_stream"] < 100):
                                raise SystemExit(f"{name} answered badly: {got}")
                            figures.setdefault((name, case), []).append(got["cpu_s_per_1k"])
    for (name, case), values in figures.items():
        print(f"{name:8} {case:7} CPU-seconds per 1,000: median {statistics.median(values):.3f}  {values}")
    for case in ("plain", "stream"):
        if ("peer", case) in figures:
            ratio = statistics.median(figures["peer", case]) / statistics.median(figures["newapi", case])
            print(f"peer / newapi, {case}: {ratio:.1f}")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
