from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest

from newapi.cli.app import main
from newapi.ops.local import Local, open_local

CONFIG = """\
[server]
database = "sqlite:///test.db"

[groups.vip]
ratio = 0.8

[models."my-model"]
ratio = 1.25
completion_ratio = 4

[channels.main]
type = "openai"
key = "env:UPSTREAM_KEY"
models = ["my-model"]
groups = ["default", "vip"]

[tokens.ci]
group = "vip"
quota = "$10"
expires = "90d"
"""


class Ran(msgspec.Struct):
    """What a command left behind."""

    code: int
    out: str
    err: str

    def json(self) -> dict[str, object]:
        return msgspec.json.decode(self.out)


Run = Callable[..., Ran]


@pytest.fixture
def config(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A configuration that the commands find, in an environment without surprises."""
    path = tmp_path / "config.toml"
    path.write_text(CONFIG)
    monkeypatch.setenv("NEWAPI_CONFIG", str(path))
    monkeypatch.setenv("NO_COLOR", "1")
    monkeypatch.setenv("UPSTREAM_KEY", "sk-upstream")
    return path


@pytest.fixture
def run(config: Path, capfd: pytest.CaptureFixture[str]) -> Run:
    """Run a command line in this process."""

    def run(*argv: str) -> Ran:
        capfd.readouterr()
        code = int(main(list(argv)))
        out, err = capfd.readouterr()
        return Ran(code, out, err)

    return run


@pytest.fixture
def local(config: Path) -> Local:
    return open_local(config)
