"""How long the first answers take, in units of `python3 -c pass` of the same run. Reports numbers; asserts nothing.

    python tests/bench/start.py [--rounds 20]

Each round starts one of each, one after the other, so that a machine that slows down slows all.
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
import time
from pathlib import Path

NEWAPI = str(Path(sys.executable).parent / "newapi")
CASES: dict[str, tuple[list[str], dict[str, str]]] = {
    "pass": ([sys.executable, "-c", "pass"], {}),
    "--version": ([NEWAPI, "--version"], {}),
    "--help": ([NEWAPI, "--help"], {}),
    "token create --help": ([NEWAPI, "token", "create", "--help"], {}),
    "complete a command": ([NEWAPI, "tok"], {"_NEWAPI_COMPLETE": "bash"}),
    "complete an option": ([NEWAPI, "token", "create", "--qu"], {"_NEWAPI_COMPLETE": "bash"}),
    "a misspelt command": ([NEWAPI, "chanel"], {}),
    "version": ([NEWAPI, "version"], {}),
    "validate --format json": ([NEWAPI, "validate", "--format", "json", "config.example.toml"], {}),
}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=20)
    args = parser.parse_args()
    took: dict[str, list[float]] = {name: [] for name in CASES}
    for _ in range(args.rounds):
        for name, (argv, env) in CASES.items():
            start = time.perf_counter()
            subprocess.run(argv, env={**os.environ, **env}, capture_output=True, check=False)
            took[name].append(time.perf_counter() - start)
    unit = statistics.median(took["pass"])
    for name, times in took.items():
        median = statistics.median(times)
        print(f"{name:24} {median * 1000:6.1f} ms   {median / unit:5.1f} x")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
