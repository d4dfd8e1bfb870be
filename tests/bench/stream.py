"""What the live stream costs a busy server: CPU a request with nobody and with ten viewers. Reports; asserts nothing.

    python tests/bench/stream.py --tools DIR [--rounds 15] [--rate 400] [--seconds 3] [--viewers 10]

DIR holds `mockllm` and `lg`, as for gateway.py. Short rounds without and with viewers alternate in one server, each pair
the other way round than the one before, so that a machine that slows down slows both. Requests come at a fixed rate: a
server that is asked as fast as it answers works in bigger portions the slower the clients are. The server's CPU time is
counted, in nanoseconds, not the clock. What the viewers cost is a share of a CPU, and so of what a server can do that has
one: what is told of a second is bounded. Nobody is told anything as soon as nobody watches: a server otherwise goes on
for a minute, for who comes back, and rounds without viewers would pay for those before. Viewers read everything, in a
process of their own.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.bench.gateway import BODY, CONFIG, MOCK_PORT, TOKEN, running

SERVER = [
    *(sys.executable, "-c"),
    "from newapi.server import live; live.LINGER_SECONDS = 0.0; from newapi.__main__ import main; main()",
]


async def view(server: str, number: int) -> None:
    """Watch, and read everything, until killed."""
    from newapi.ops.live import Hello
    from newapi.ops.live_client import watch

    async def one() -> None:
        async for told in watch(server, range="5m"):
            if isinstance(told.event, Hello):
                print("watching", flush=True)

    await asyncio.gather(*(one() for _ in range(number)))


@contextmanager
def viewers(server: str, number: int) -> Iterator[None]:
    """Watch with so many meanwhile."""
    argv = ["taskset", "-c", "1", sys.executable, __file__, "--view", server, "--viewers", str(number), "--tools", "."]
    process = subprocess.Popen(argv, stdout=subprocess.PIPE, env={**os.environ, "PYTHONPATH": str(Path.cwd())})
    assert process.stdout is not None
    for _ in range(number):
        process.stdout.readline()
    yield
    process.kill()
    process.wait()
    process.stdout.close()


def cpu(pid: int) -> float:
    """Return the CPU seconds a process has used."""
    tasks = Path(f"/proc/{pid}/task").iterdir()
    return sum(int((task / "schedstat").read_text().split()[0]) for task in tasks) / 1e9


def load(tools: Path, url: str, body: Path, rate: int, seconds: int) -> None:
    """Ask so many requests a second for so many seconds."""
    argv = ["taskset", "-c", "1", str(tools / "lg"), "-url", url, "-c", "32", "-rate", str(rate), "-warm", "0s"]
    argv += ["-n", str(rate * seconds), "-H", f"Authorization: Bearer {TOKEN}", "-body", f"@{body}"]
    got = json.loads(subprocess.run(argv, capture_output=True, text=True, check=True).stdout)
    if got["bad"]:
        raise SystemExit(f"answered badly: {got}")


def idle(pid: int, seconds: int) -> float:
    """Return the share of a CPU that an idle server uses."""
    before = cpu(pid)
    time.sleep(seconds)
    return (cpu(pid) - before) / seconds


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tools", type=Path, required=True)
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--rate", type=int, default=400, help="requests a second")
    parser.add_argument("--seconds", type=int, default=3, help="of each round")
    parser.add_argument("--viewers", type=int, default=10)
    parser.add_argument("--view", help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.view:
        asyncio.run(view(args.view, args.viewers))
        return 0
    with tempfile.TemporaryDirectory(prefix="newapi-bench-") as directory:
        here = Path(directory)
        (here / "config.toml").write_text(CONFIG)
        body = here / "plain.json"
        body.write_text(json.dumps(BODY))
        env = {"NEWAPI_CONFIG": str(here / "config.toml"), "BENCH_KEY": "x", "BENCH_TOKEN": TOKEN}
        newapi = [sys.executable, "-m", "newapi"]
        subprocess.run([*newapi, "apply", "--yes"], env={**os.environ, **env}, check=True, capture_output=True)
        mock = [str(args.tools / "mockllm"), "-listen", f"127.0.0.1:{MOCK_PORT}", "-n", "100", "-size", "12"]
        url = "http://127.0.0.1:3100/v1/chat/completions"
        server = f"unix:{here / 'newapi.sock'}"
        figures: dict[str, list[float]] = {"nobody": [], "viewers": []}
        shares: dict[str, float] = {}
        with running(mock, MOCK_PORT, 1), running([*SERVER, "serve"], 3100, 0, env) as pid:
            time.sleep(3)
            for who, number in {"nobody": 0, "viewers": args.viewers}.items():
                with viewers(server, number):
                    shares[who] = idle(pid, 10)
            for number in range(args.rounds):
                for who in ("nobody", "viewers") if number % 2 else ("viewers", "nobody"):
                    with viewers(server, args.viewers if who == "viewers" else 0):
                        before = cpu(pid)
                        load(args.tools, url, body, args.rate, args.seconds)
                        figures[who].append((cpu(pid) - before) / args.seconds)
    for who, values in figures.items():
        busy = statistics.median(values)
        print(f"{who:8} idle {shares[who]:.2%} of a CPU; at {args.rate} requests a second, median: {busy:.2%}")
    costs = [b - a for a, b in zip(figures["nobody"], figures["viewers"], strict=True)]
    low, middle, high = statistics.quantiles(costs, n=4)
    print(f"{args.viewers} viewers cost {middle:.2%} of a CPU; half of the pairs say {low:.2%} to {high:.2%}")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
