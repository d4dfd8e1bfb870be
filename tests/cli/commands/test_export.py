from __future__ import annotations

import io
import tomllib
from pathlib import Path

import pytest

from tests.cli.commands.conftest import CONFIG, Run

MORE = (
    CONFIG
    + """
[routing]
retries = 7
retry_on = ["429"]

[health]
window = "90s"
probe_every = ""

[billing]
unpriced = "default"
new_user_quota = "$0.50"

[groups.default]
ratio = 1.0
ratio_for = { vip = 0.9 }

[models."gpt-4o"]
input = "$2.50"
output = "$10"
[[models."qwen plus".tiers]]
up_to = 128_000
input = "$0.40"
output = "$1.20"
[[models."qwen plus".tiers]]
input = "$0.80"
output = "$2.40"

[channels."b/2"]
type = "azure"
keys = ["env:UPSTREAM_KEY", "env:OTHER"]
models = ["gpt-4o*", "ü"]
api_version = "2024-12-01-preview"
model_mapping = { "a b" = "c" }
status_mapping = { "400" = 500 }
params = { temperature = 0.2, nested = { list = [1, "x", true] } }
headers = { "X-Team" = "red \\"team\\"" }
system_prompt = "Be polite.\\nAlways."
weight = 0
enabled = false
[[channels."b/2".param_operations]]
path = "metadata.team"
mode = "set"
value = "red"

[tokens.until]
unlimited = true
expires = 2030-12-31T12:00:00Z
models = ["gpt-4o*"]
allow_ips = ["10.0.0.0/8"]
budget = { day = "$2", month = "$40.5" }
"""
)


@pytest.fixture
def applied(run: Run, config: Path) -> Run:
    config.write_text(MORE)
    done = run("apply", "--yes")
    assert done.code == 0, done.err
    return run


def test_what_is_exported_changes_nothing(applied: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    assert applied("token", "create", "by-hand", "--quota", "$1", "-q").code == 0
    text = applied("export").out
    monkeypatch.setattr("sys.stdin", io.StringIO(text))
    done = applied("diff", "-", "--exit-code")
    assert (done.code, done.out) == (0, ""), done.out
    assert "by-hand" in text


def test_an_export_makes_the_same_elsewhere(applied: Run, config: Path) -> None:
    text = applied("export").out
    other = config.with_name("other.toml")
    other.write_text('[server]\ndatabase = "sqlite:///other.db"\n' + text.removeprefix("version = 1\n"))
    assert applied("apply", str(other), "--yes").code == 0
    assert applied("export", "--config", str(other)).out == text


def test_it_is_written_in_the_words_of_the_file(applied: Run) -> None:
    text = applied("export").out
    for line in ('window = "90s"', 'probe_every = ""', 'new_user_quota = "$0.5"', 'api_version = "2024-12-01-preview"'):
        assert line in text.splitlines()
    assert tomllib.loads(text)["tokens"]["ci"] == {"group": "vip", "quota": "$10", "expires": "90d"}
    assert "sk-upstream" not in text


@pytest.mark.parametrize(
    ("only", "tables"),
    [
        (["channels"], {"version", "channels"}),
        (["channels/main", "routing"], {"version", "channels", "routing"}),
        (["token/ci"], {"version", "tokens"}),
    ],
)
def test_only_what_is_chosen(applied: Run, only: list[str], tables: set[str]) -> None:
    flags = [part for kind in only for part in ("--only", kind)]
    assert set(tomllib.loads(applied("export", *flags).out)) == tables


def test_an_empty_database_is_an_empty_file(run: Run) -> None:
    assert tomllib.loads(run("export").out) == {"version": 1}
