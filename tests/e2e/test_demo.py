"""The first thing that somebody sees: `newapi demo`."""

from __future__ import annotations

import os
import re
import signal
import subprocess
from pathlib import Path

import httpx
import pytest

from tests.support.process import NEWAPI, run

ENTRIES = ("openai_chat", "openai_responses", "anthropic_messages", "gemini")


def test_once_every_format_is_asked_plain_and_streaming_and_billed(tmp_path: Path) -> None:
    done = run("demo", "--once", env={"HOME": str(tmp_path), "TMPDIR": str(tmp_path)})
    assert done.returncode == 0, done.stderr
    for entry in ENTRIES:
        assert re.search(rf"^{entry}: ", done.stdout, re.MULTILINE)
        assert re.search(rf"^{entry} \(stream\): ", done.stdout, re.MULTILINE)
    assert len(re.findall(r"^  route   \w+ -> channel mock-\w+ \(\w+\)$", done.stdout, re.MULTILINE)) == 8
    assert len(re.findall(r"^  bill    \d+ in, \d+ out = [1-9]\d* quota = \$0\.0", done.stdout, re.MULTILINE)) == 8
    assert list(tmp_path.glob("newapi-demo-*")) == []


@pytest.mark.parametrize("ending", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_nothing_is_left_when_it_is_ended(tmp_path: Path, ending: signal.Signals) -> None:
    env = {**os.environ, "HOME": str(tmp_path), "TMPDIR": str(tmp_path)}
    # Whoever runs the tests in the background ignores these, and so would what they start.
    before = signal.signal(ending, signal.SIG_DFL)
    try:
        demo = subprocess.Popen([*NEWAPI, "demo"], env=env, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    finally:
        signal.signal(ending, before)
    with demo:
        try:
            assert demo.stderr is not None
            url = next(m[1] for line in demo.stderr if (m := re.search(r"Serving at (\S+)", line)))
            assert next(line for line in demo.stderr if "logs -f" in line)
            assert httpx.get(f"{url}/api/status").status_code == 200
            demo.send_signal(ending)
            demo.communicate(timeout=60)
        finally:
            demo.kill()
    assert demo.returncode == 130
    with pytest.raises(httpx.ConnectError):
        httpx.get(f"{url}/api/status")
    assert list(tmp_path.glob("newapi-demo-*")) == []
