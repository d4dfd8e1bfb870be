from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from newapi.config.layout import canonical
from newapi.config.load import load
from newapi.ops.starter import KNOWN
from tests.conftest import Ran

New = Callable[..., Ran]
CANARY = "sk-canary-of-init"


@pytest.fixture(autouse=True)
def _no_keys(monkeypatch: pytest.MonkeyPatch) -> None:
    for known in KNOWN:
        monkeypatch.delenv(known.variable, raising=False)


@pytest.mark.parametrize("known", KNOWN, ids=lambda k: k.variable)
def test_a_configuration_for_each_key(
    newapi: New, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, known: object
) -> None:
    variable = known.variable  # type: ignore[attr-defined]
    monkeypatch.setenv(variable, CANARY)
    done = newapi("init", tmp_path)
    assert (done.code, done.out) == (0, f"{tmp_path}/config.toml\n{tmp_path}/.gitignore\n")
    text = (tmp_path / "config.toml").read_text()
    assert canonical(text) == text
    assert CANARY not in text + done.out + done.err
    (channel,) = load(tmp_path / "config.toml").config.channels.values()
    assert channel.key == f"env:{variable}"


def test_without_keys_it_is_valid_too(newapi: New, tmp_path: Path) -> None:
    newapi("init", tmp_path / "new")
    text = (tmp_path / "new" / "config.toml").read_text()
    assert '#key = "env:OPENAI_API_KEY"' in text
    assert newapi("validate", tmp_path / "new" / "config.toml").code == 0


def test_what_is_there_is_not_overwritten(newapi: New, tmp_path: Path) -> None:
    file = tmp_path / "config.toml"
    file.write_text("mine")
    assert newapi("init", tmp_path).code == 7
    assert file.read_text() == "mine"
    assert not (tmp_path / ".gitignore").exists()
    assert newapi("init", tmp_path, "--yes").code == 0
    assert file.read_text() != "mine"


def test_gitignore_keeps_what_it_says(newapi: New, tmp_path: Path) -> None:
    ignore = tmp_path / ".gitignore"
    ignore.write_text("*.log\nnewapi.key\n")
    newapi("init", tmp_path)
    lines = ignore.read_text().splitlines()
    assert lines[:2] == ["*.log", "newapi.key"]
    assert lines.count("newapi.key") == lines.count("newapi.db") == 1


def test_deployments(newapi: New, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", CANARY)
    done = newapi("init", tmp_path, "--with", "compose,systemd", "--with", "kubernetes")
    names = {"compose.yaml", "newapi.service", "kubernetes.yaml"}
    assert names <= {Path(line).name for line in done.out.splitlines()}
    for name in names:
        text = (tmp_path / name).read_text()
        assert "OPENAI_API_KEY" in text
        assert CANARY not in text
    assert load(tmp_path / "config.toml").config.server.listen == "0.0.0.0:3000"


def test_a_dry_run_and_wrong_usage(newapi: New, tmp_path: Path) -> None:
    assert newapi("init", tmp_path / "x", "--dry-run").code == 0
    assert not (tmp_path / "x").exists()
    assert newapi("init", tmp_path, "--with", "nomad").code == 2


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="systemd is not installed")
def test_systemd_has_nothing_to_say_and_little_is_exposed(newapi: New, tmp_path: Path) -> None:
    assert newapi("init", tmp_path / "made", "--with", "systemd", "--yes").code == 0
    text = (tmp_path / "made" / "newapi.service").read_text()
    unit = tmp_path / "newapi.service"
    unit.write_text(text.replace("ExecStart=newapi", "ExecStart=/bin/true").replace("=kill", "=/bin/true"))
    checked = subprocess.run(["systemd-analyze", "verify", unit], capture_output=True, text=True, check=False)
    assert (checked.returncode, checked.stderr) == (0, "")
    told = subprocess.run(
        ["systemd-analyze", "security", "--offline=true", unit], capture_output=True, text=True, check=False
    ).stdout
    exposure = re.search(r"exposure level for \S+: ([\d.]+)", told)
    assert exposure is not None
    assert float(exposure[1]) < 2.5
