"""What every reading command writes, as a table and as JSON, for one gateway at one moment: `golden/`.

    NEWAPI_UPDATE_GOLDEN=1 pytest tests/cli/test_golden.py

writes the files anew; what changed in them is for whoever reviews it.
"""

from __future__ import annotations

import os
import re
import shutil
import time
from collections.abc import Iterator
from pathlib import Path
from unittest import mock

import msgspec
import pytest

from newapi.ops.local import open_local
from newapi.ops.operations.kept import CreateCodes
from newapi.ops.redemption import NewCodes
from newapi.store.ledger import UsageRecord, write_record
from tests.support.process import Ran, inside

GOLDEN = Path(__file__).parent / "golden"
NOW = 1_780_000_000.0
CONFIG = """\
[server]
listen = "127.0.0.1:1"
database = "sqlite:///gateway.db"

[groups.default]
selectable = true
[groups.vip]
ratio = 0.8
remark = "pays less"

[models."gpt-4o"]
input = "$2.50"
output = "$10"
[models.own]
ratio = 1.25
[models.picture]
price = "$0.04"

[channels.main]
type = "openai"
key = "env:UPSTREAM_KEY"
models = ["gpt-4o", "own"]
groups = ["default", "vip"]
priority = 10
tag = "prod"
[channels.spare]
type = "anthropic"
keys = ["env:A1", "env:A2"]
models = ["own", "picture", "unpriced-*"]

[tokens.ci]
group = "vip"
quota = "$10"
expires = "90d"
models = ["gpt-4o"]
budget = { day = "$2" }
key = "env:CI_TOKEN"
[tokens.free]
unlimited = true
key = "env:FREE_TOKEN"
"""
COMMANDS = (
    *("diff", "history", "history 1", "token list", "token get ci", "token usage ci", "token verify ci --model gpt-4o"),
    *("user list", "user get ann", "channel list", "channel list --state disabled", "channel get main"),
    *("channel models main", "channel keys spare", "model list", "model list --token ci", "model list --unpriced"),
    *(
        "model get gpt-4o",
        "model price gpt-4o --prompt 120k --completion 2k --group vip",
        "group list",
        "group get vip",
    ),
    *("logs", "usage", "usage --by day,user", "trace r1", "trace r2", "route own", "code list", "secret list"),
    *("db check", "context list", "connect"),
)
CHANGING = (
    ("user create ann --quota $10 --group vip", ""),
    ("user set ann --email ann@example.com", ""),
    ("channel disable spare --for 2h --reason leaked", ""),
    ("channel keys spare --disable 1 --reason leaked", ""),
    ("secret set spare --in database", "sk-secret\n"),
)
RECORDS = (
    UsageRecord(
        *("r1", NOW - 3600),
        status=200,
        model="gpt-4o",
        token_id=1,
        token_name="ci",
        user_id=1,
        user_name="root",
        channel_id=1,
        channel_name="main",
        group="vip",
        quota=1234,
        prompt_tokens=1000,
        completion_tokens=200,
        duration_ms=900,
        first_token_ms=300,
        endpoint="chat",
        stream=True,
    ),
    UsageRecord(
        *("r2", NOW - 90_000),
        status=429,
        model="own",
        token_id=2,
        token_name="free",
        user_id=1,
        user_name="root",
        channel_id=2,
        channel_name="spare",
        group="default",
        duration_ms=40,
        error="too many",
        tries='[{"channel":"spare","ms":40,"key":0,"status":429,"kind":"rate_limit","message":"too many"}]',
    ),
)


@pytest.fixture(scope="module")
def env(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    """A gateway that has lived a little, at one moment."""
    home = tmp_path_factory.mktemp("golden")
    (home / "config.toml").write_text(CONFIG)
    env = {
        "NEWAPI_CONFIG": str(home / "config.toml"),
        "XDG_CONFIG_HOME": str(home),
        "NO_COLOR": "1",
        "TZ": "UTC",
        "UPSTREAM_KEY": "sk-upstream",
        "CI_TOKEN": "sk-" + "c" * 48,
        "FREE_TOKEN": "sk-" + "f" * 48,
        "LOGNAME": "operator",
        "COLUMNS": "80",
    }
    with mock.patch("time.time", return_value=NOW), mock.patch.dict(os.environ, env):
        time.tzset()
        assert inside("apply", "--yes", "--source", "abc123", env=env).code == 0
        for line, stdin in CHANGING:
            ran = inside(*line.split(), env=env, stdin=stdin)
            assert ran.code == 0, ran.err
        local = open_local(home / "config.toml")
        with mock.patch("secrets.token_hex", return_value="ab" * 16):
            CreateCodes(NewCodes(name="spring", quota=500_000, count=1)).run(local, "operator")
        for record in RECORDS:
            write_record(local.db, record)
        yield env
    time.tzset()
    shutil.rmtree(home)


def name_of(line: str, kind: str) -> str:
    return re.sub(r"[^a-z0-9]+", "-", line).strip("-") + f".{kind}"


def text_of(ran: Ran, env: dict[str, str]) -> str:
    """Return what a command left: its exit code where that is not 0, standard output, standard error."""
    code = f"# {ran.code}\n" if ran.code else ""
    err = "".join(f"# {line}\n" for line in ran.err.splitlines())
    text = f"{code}{ran.out}{err}".replace(str(Path(env["NEWAPI_CONFIG"]).parent), "DIR")
    return re.sub(r'("aff_code": )"\w+"', r'\1"CODE"', text)


@pytest.mark.parametrize("kind", ["txt", "json"])
@pytest.mark.parametrize("line", COMMANDS)
def test_what_is_written(line: str, kind: str, env: dict[str, str]) -> None:
    ran = inside(*line.split(), *(("-o", "json") if kind == "json" else ()), env=env)
    assert "Traceback" not in ran.err
    if kind == "json":
        msgspec.json.decode(ran.out)
    file, text = GOLDEN / name_of(line, kind), text_of(ran, env)
    if os.environ.get("NEWAPI_UPDATE_GOLDEN"):
        GOLDEN.mkdir(exist_ok=True)
        file.write_text(text, encoding="utf-8")
    assert text == file.read_text(encoding="utf-8")


def test_no_golden_file_is_left_over() -> None:
    there = {path.name for path in GOLDEN.iterdir()}
    assert there == {name_of(line, kind) for line in COMMANDS for kind in ("txt", "json")}
