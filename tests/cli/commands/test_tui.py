from __future__ import annotations

from pathlib import Path

import pytest

from newapi.cli.output import ExitCode
from tests.cli.commands.conftest import Run


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
