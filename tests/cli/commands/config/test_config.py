from __future__ import annotations

from pathlib import Path

import pytest

from newapi.config.load import load
from tests.cli.commands.conftest import CONFIG, Run

ORIGINS = """\

[groups.vip]
ratio = 0.8  # {file}:5

[models.my-model]
ratio = 1.25  # {file}:8
completion_ratio = 4  # {file}:9

[channels.main]
type = "openai"  # {file}:12
key = "env:UPSTREAM_KEY"  # {file}:13
models = ["my-model"]  # {file}:14
groups = ["default", "vip"]  # {file}:15

[tokens.ci]
group = "vip"  # {file}:18
quota = "$10"  # {file}:19
expires = "90d"  # {file}:20
"""


def test_origins(run: Run, config: Path) -> None:
    out = run("config", "show", "--origin").out
    assert out.endswith(ORIGINS.format(file=config))
    assert f'database = "sqlite:///test.db"  # {config}:2\n' in out
    assert 'listen = "127.0.0.1:3000"  # default\n' in out


def test_what_is_shown_is_the_same_configuration(run: Run, config: Path, tmp_path: Path) -> None:
    config.write_text(
        CONFIG + '\n[groups.plain]\n\n[tokens.plain]\nenabled = true\n[channels.az]\ntype = "azure"\n'
        'base_url = "https://x"\nkey = "env:A"\nmodels = ["my-model"]\napi_version = "2024-10-21"\nstatus_mapping = { "529" = 503 }\n'
    )
    shown = tmp_path / "shown.toml"
    shown.write_text(run("config", "show").out)
    assert load(shown).config == load(config).config


def test_json(run: Run) -> None:
    items = run("config", "show", "--origin", "-o", "json").json()["items"]
    assert {"name": "limits.request_body", "value": '"128MiB"', "origin": "default"} in items  # type: ignore[operator]


def test_path(run: Run, config: Path) -> None:
    assert run("config", "path").out == f"{config}\n"
    assert run("config", "path", "-o", "json").json() == {"name": str(config), "exists": True}


def test_no_configuration(run: Run, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv("NEWAPI_CONFIG")
    monkeypatch.chdir(tmp_path.parent)
    assert run("config", "path").code == 2
