"""Run the recorded conformance cases and hold the result against the waivers.

    python tests/conformance/check.py PATH/TO/replay.py [--only PREFIX]

Ends with 0 when every case holds that this project builds, or is listed in `waivers.toml` with a reason.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import tomllib
from pathlib import Path

HERE = Path(__file__).parent
NOT_BUILT = (
    "chat-ollama",
    "chat-zhipu/",
    "chat-tencent",
    "chat-cohere",
    "chat-dify",
    "messages-ollama",
    "gemini-ollama",
    "responses-ollama",
)
NOT_BUILT_ENDPOINTS = ("endpoints/embeddings_ollama", "endpoints/rerank_jina", "endpoints/rerank_cohere")


def main() -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("replay", type=Path)
    parser.add_argument("--only", default="")
    parser.add_argument("--command", default=f"{sys.executable} -m newapi")
    args = parser.parse_args()
    told = tomllib.loads((HERE / "waivers.toml").read_text())["waiver"]
    waivers = {(case, w["heading"]) for w in told for case in w["cases"]}
    with tempfile.TemporaryDirectory() as directory:
        out = Path(directory) / "results.json"
        subprocess.run(
            [sys.executable, str(args.replay), "--command", args.command, "--only", args.only, "--json", str(out)],
            check=False,
            stdout=subprocess.DEVNULL,
        )
        results = json.loads(out.read_text())
    unexplained: list[str] = []
    unused = set(waivers)
    passed = 0
    for case, headings in results.items():
        if case.startswith(NOT_BUILT) or case in NOT_BUILT_ENDPOINTS:
            continue
        for heading, faults in headings.items():
            if faults is None:
                continue
            if not faults:
                passed += 1
            elif (case, heading) in waivers:
                unused.discard((case, heading))
            else:
                unexplained.append(f"{case}  {heading}: {faults[0][:300]}")
    for line in unexplained:
        print(line)
    if not args.only:
        for case, heading in sorted(unused):
            unexplained.append(case)
            print(f"{case}  {heading}: holds, and needs no waiver any more")
    print(f"conformance: {passed} held, {len(waivers) - len(unused)} waived, {len(unexplained)} unexplained")
    return 1 if unexplained or not passed else 0


if __name__ == "__main__":
    raise SystemExit(main())
