from __future__ import annotations

import fcntl
import os
import pty
import select
import struct
import subprocess
import termios
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from newapi.cli.output import ExitCode
from tests.cli.commands.conftest import Run
from tests.support.process import NEWAPI


@pytest.mark.parametrize(
    ("flags", "told"),
    [
        (("--replay", "nowhere.ndjson"), "There is no recording nowhere.ndjson"),
        (("--record", "a", "--replay", "b"), "a recording is not recorded again"),
        (("--serve", "0.0.0.0:8000"), "0.0.0.0:8000 is no address of this machine alone"),
        (("--serve", "8000"), "8000 is no address of this machine alone"),
        (("--serve", "gateway.example.com:80"), "no address of this machine alone"),
        (("--speed", "-1"), "--speed"),
    ],
)
def test_what_makes_no_sense(run: Run, flags: tuple[str, ...], told: str) -> None:
    done = run("tui", *flags)
    assert (done.code, done.out) == (ExitCode.USAGE, "")
    assert told in done.err


def test_settings_that_cannot_be_read(run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    (tmp_path / "newapi").mkdir()
    (tmp_path / "newapi" / "tui.toml").write_text("them = 'nord'")
    done = run("tui")
    assert done.code == ExitCode.USAGE
    assert "them" in done.err


def in_a_terminal(*args: str, until: Callable[[bytes], bool]) -> int:
    """Run a command in a terminal of 120x40 until that holds of what it drew; then press q, and return its code."""
    mine, its = pty.openpty()
    fcntl.ioctl(its, termios.TIOCSWINSZ, struct.pack("HHHH", 40, 120, 0, 0))
    env = {**os.environ, "TERM": "xterm-256color"}
    process = subprocess.Popen([*NEWAPI, *args], stdin=its, stdout=its, stderr=its, env=env, start_new_session=True)
    os.close(its)
    drawn, asked, deadline = bytearray(), False, time.monotonic() + 40
    try:
        while process.poll() is None:
            assert time.monotonic() < deadline, drawn.decode(errors="replace")[-3000:]
            if select.select([mine], [], [], 0.1)[0]:
                try:
                    drawn += os.read(mine, 65536)
                except OSError:  # it is over
                    break
            if not asked and until(bytes(drawn)):
                asked = True
                os.write(mine, b"q")
        assert asked, drawn.decode(errors="replace")[-3000:]
        return process.wait(10)
    finally:
        process.kill()
        process.wait()
        os.close(mine)


def test_what_is_recorded_is_replayed(run: Run, config: Path, tmp_path: Path) -> None:
    assert run("apply", "--yes").code == 0
    file = tmp_path / "seen.ndjson"

    def recorded(drawn: bytes) -> bool:
        return b"no server runs" in drawn and file.stat().st_size > 0

    assert in_a_terminal("tui", "--record", str(file), until=recorded) == 0
    assert file.read_bytes().count(b"\n") > 1
    again = ("tui", "--replay", str(file), "--speed", "0")
    assert in_a_terminal(*again, until=lambda drawn: b"the recording ends here" in drawn) == 0


def test_a_file_that_is_there_is_not_recorded_over(run: Run, tmp_path: Path) -> None:
    (tmp_path / "seen").write_text("kept")
    done = run("tui", "--record", str(tmp_path / "seen"))
    assert (done.code, done.out) == (ExitCode.USAGE, "")
    assert f"Nothing can be recorded in {tmp_path / 'seen'}: File exists" in done.err
    assert (tmp_path / "seen").read_text() == "kept"
