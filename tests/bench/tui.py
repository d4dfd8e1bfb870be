"""What the dashboard costs: memory over a long stream, CPU while nothing happens, bytes to the terminal. Reports.

    python tests/bench/tui.py [--minutes 60] [--rate 500] [--idle 30] [--seconds 30] [--speed 0]

1. An hour at 500 requests a second is recorded and played as fast as it goes, the log in front: resident memory at the
   start, in the middle and at the end. What the dashboard holds is bounded: from the middle on it is flat.
2. A recording that is over, for 30 seconds: under 1 % of a core.
3. 12 requests a second at their own pace, the overview in front, at 120×40: under 30 kB/s to the terminal.

It leaves with 1 where one of them does not hold.
"""

from __future__ import annotations

import argparse
import fcntl
import os
import pty
import select
import struct
import subprocess
import sys
import tempfile
import termios
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import msgspec

from newapi.ops.live import Stats, Told, encode, name_of
from tests.support.live import recording
from tests.support.process import resident

SIZE = (40, 120)
IDLE = 0.01
"""Share of a core."""
BYTES = 30_000
"""A second."""
GROWTH = 1.05
"""Of the memory, from the middle to the end."""


def write(path: Path, events: Iterator[Told]) -> None:
    """Write a recording whose seconds are a second apart."""
    second = 0
    with path.open("wb") as file:
        for told in events:
            second += isinstance(told.event, Stats)
            about = {"t": second, "id": told.id, "event": name_of(told.event), "data": msgspec.Raw(encode(told.event))}
            file.write(msgspec.json.encode(about) + b"\n")


class Shown:
    """A dashboard in a terminal of its own, all of whose output is read."""

    def __init__(self, process: subprocess.Popen[bytes], terminal: int) -> None:
        self.pid, self._terminal = process.pid, terminal
        self.total = 0
        """Bytes so far."""

    def press(self, keys: str) -> None:
        """Press keys."""
        os.write(self._terminal, keys.encode())

    def read(self, seconds: float) -> None:
        """Read for so long."""
        end = time.monotonic() + seconds
        while (left := end - time.monotonic()) > 0:
            if select.select([self._terminal], [], [], left)[0]:
                self.total += len(os.read(self._terminal, 65536))


@contextmanager
def shown(recorded: Path, speed: float) -> Iterator[Shown]:
    """Show a recording."""
    master, slave = pty.openpty()
    fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", *SIZE, 0, 0))
    env = {name: value for name, value in os.environ.items() if name not in ("NO_COLOR", "COLUMNS", "LINES")}
    env |= {"TERM": "xterm-256color", "LC_ALL": "C.UTF-8"}
    argv = [sys.executable, "-m", "newapi", "tui", "--replay", str(recorded), "--speed", str(speed)]
    process = subprocess.Popen(argv, stdin=slave, stdout=slave, stderr=slave, env=env, start_new_session=True)
    os.close(slave)
    try:
        yield Shown(process, master)
    finally:
        process.terminate()
        process.wait()
        os.close(master)


def cpu(pid: int) -> float:
    """Return the CPU seconds a process has used."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def position(pid: int, path: Path) -> float:
    """Return how much of a file a process has read, 0 to 1; 1 as well when it has closed it."""
    for fd in Path(f"/proc/{pid}/fd").iterdir():
        try:
            if fd.readlink() == path:
                told = Path(f"/proc/{pid}/fdinfo/{fd.name}").read_text()
                return int(told.split("pos:")[1].split()[0]) / path.stat().st_size
        except FileNotFoundError:
            continue
    return 1.0


def memory(directory: Path, minutes: int, rate: float, speed: float) -> bool:
    """Play a long recording at once; report the memory on the way."""
    path = directory / "long.ndjson"
    write(path, recording(minutes, rate=rate))
    print(f"{minutes} minutes at {rate:g} requests/s: {path.stat().st_size / 1e6:.0f} MB of stream")
    at: list[tuple[float, int]] = []
    with shown(path, speed) as there:
        began = time.monotonic()
        while position(there.pid, path) == 1 and time.monotonic() < began + 10:  # it has not begun
            there.read(0.02)
        there.press("5")
        while (share := position(there.pid, path)) < 1:
            at.append((share, resident(there.pid)))
            there.read(0.2)
        there.read(2)
        at.append((1.0, resident(there.pid)))
        took, used = time.monotonic() - began, cpu(there.pid)
    sizes = [min(at, key=lambda one: abs(one[0] - share))[1] for share in (0.05, 0.25, 0.5, 0.75, 1.0)]
    print("resident at 5, 25, 50, 75, 100 %: " + ", ".join(f"{size / 1e6:.1f} MB" for size in sizes))
    print(f"took {took:.1f} s, {used:.1f} s of CPU: {1000 * used / (minutes * 60):.1f} ms a second of the stream")
    return sizes[-1] <= sizes[2] * GROWTH


def idle(directory: Path, seconds: float) -> bool:
    """Let a recording be over; report the CPU."""
    path = directory / "short.ndjson"
    write(path, recording(1))
    with shown(path, 0) as there:
        there.read(8)
        before, written = cpu(there.pid), there.total
        there.read(seconds)
        share = (cpu(there.pid) - before) / seconds
        written = there.total - written
    print(f"nothing happens for {seconds:g} s: {share:.2%} of a core, {written} bytes")
    return share < IDLE


def traffic(directory: Path, seconds: float) -> bool:
    """Play a recording at its own pace; report the bytes."""
    path = directory / "steady.ndjson"
    write(path, recording(int(seconds // 60) + 1))
    rates: list[float] = []
    with shown(path, 1) as there:
        there.read(6)
        before = cpu(there.pid)
        for _ in range(int(seconds)):
            written = there.total
            there.read(1)
            rates.append(there.total - written)
        share = (cpu(there.pid) - before) / seconds
    mean = sum(rates) / len(rates)
    print(f"overview, 12 requests/s: {mean / 1e3:.1f} kB/s (most {max(rates) / 1e3:.1f} kB), {share:.1%} of a core")
    return mean < BYTES


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=int, default=60)
    parser.add_argument("--rate", type=float, default=500)
    parser.add_argument("--idle", type=float, default=30)
    parser.add_argument("--seconds", type=float, default=30)
    parser.add_argument("--speed", type=float, default=0, help="of the hour: times as fast; 0 is as fast as it goes")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="newapi-bench-") as made:
        directory = Path(made)
        held = [
            traffic(directory, args.seconds),
            idle(directory, args.idle),
            memory(directory, args.minutes, args.rate, args.speed),
        ]
    return 0 if all(held) else 1


if __name__ == "__main__":
    raise SystemExit(main())
