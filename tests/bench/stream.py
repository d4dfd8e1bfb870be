"""What the live stream costs a busy server: CPU a request with nobody and with ten viewers. Reports; asserts nothing.

    python tests/bench/stream.py --tools DIR [--rounds 5] [--seconds 5] [--viewers 10]

DIR holds `mockllm` and `lg`, as for gateway.py. One server; rounds without and with viewers alternate, so that a machine
that slows down slows both. Viewers read everything, in a process of their own.
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

from tests.bench.gateway import BODY, CONFIG, MOCK_PORT, TOKEN, load, running


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
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def idle(pid: int, seconds: int) -> float:
    """Return the share of a CPU that an idle server uses."""
    before = cpu(pid)
    time.sleep(seconds)
    return (cpu(pid) - before) / seconds


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tools", type=Path, required=True)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=int, default=5)
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
        rates: list[float] = []
        shares: dict[str, float] = {}
        with running(mock, MOCK_PORT, 1), running([*newapi, "serve"], 3100, 0, env) as pid:
            time.sleep(3)
            shares["nobody"] = idle(pid, args.seconds)
            with viewers(server, args.viewers):
                shares["viewers"] = idle(pid, args.seconds)
            for _ in range(args.rounds):
                for who, measured in figures.items():
                    with viewers(server, args.viewers if who == "viewers" else 0):
                        got = load(args.tools, url, TOKEN, pid, body, stream=False, seconds=args.seconds)
                    if got["bad"]:
                        raise SystemExit(f"answered badly: {got}")
                    measured.append(got["cpu_s_per_1k"])
                    rates.append(got["rps"])
    for who, values in figures.items():
        print(
            f"{who:8} idle {shares[who]:.2%} of a CPU; CPU-seconds per 1,000: {statistics.median(values):.4f}  {values}"
        )
    ratio = statistics.median(b / a for a, b in zip(figures["nobody"], figures["viewers"], strict=True))
    print(
        f"{args.viewers} viewers / nobody, median of the rounds' ratios: {ratio:.4f}; {statistics.median(rates):.0f} req/s"
    )
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
