"""No command that reads prints a secret: not to standard output, not to standard error, not to the log."""

from __future__ import annotations

import io
import logging
import sys
from pathlib import Path

import pytest

from newapi import secrets
from newapi.base.secret import Secret
from newapi.cli.app import main
from newapi.cli.output import ExitCode
from newapi.ops.local import open_local
from newapi.ops.stored_secrets import put
from newapi.store.ledger import UsageRecord, write_record

CANARIES = (
    *("sk-canaryenv0000000000000000000000", "canary-in-the-keyring", "canary-in-the-database"),
    *("canary-in-a-file", "canary-proxy-password", "canary-for-openai", "canary-of-a-user", "canary-hook"),
)
ENV, KEYRING, DATABASE, FILE, PROXY, FOUND, PASSWORD, HOOK = CANARIES
CONFIG = """\
[server]
listen = "127.0.0.1:1"
database = "sqlite:///test.db"

[models."m"]
ratio = 1

[channels.main]
type = "openai"
keys = ["env:CANARY", "keyring:canary", "secret:canary", "file:canary.txt"]
models = ["m"]
proxy = "env:CANARY_PROXY"

[notices.chat]
via = "webhook"
url = "env:CANARY_HOOK"
secret = "env:CANARY"

[tokens.ci]
unlimited = true
key = "env:CANARY"
"""
READING = (
    *("validate", "validate --format json", "diff", "diff -o json", "export", "history", "history -o json", "schema"),
    *(
        "status",
        "status -o json",
        "health",
        "doctor --offline",
        "doctor --offline -o json",
        "config show --origin",
        "config show -o json",
    ),
    *("config path", "version", "secret list", "secret list -o json", "fmt --diff --check", "fmt --check"),
    *("token list", "token list -o json", "token get ci -o json", "token usage ci", "user list -o json"),
    *("user get root -o json", "channel list", "channel list -o json", "channel get main", "channel get main -o json"),
    *("channel types", "channel models main", "model list", "model list -o json", "model get m -o json"),
    *("group list -o json", "group get default", "logs", "logs -o json", "usage", "usage -o json", "trace r1 -o json"),
    *("route m -o json", "model price m", "db status -o json", "db check", "completion bash", "man --path"),
    *("token get nobody -o json", "secret set canary --dry-run", "init x --dry-run", "connect openai", "context list"),
    *("code list", "code list -o json", "channel keys main", "channel keys main -o json", "channel set main weight=2"),
    *(
        "channel balance main",
        "channel disable main --for 1h",
        "user set root --remark x",
        "token set ci --concurrency 3",
    ),
    *("notice list -o json", "notice test"),
)
NOT_READING = {
    *("api", "apply", "demo", "import", "mock", "rollback", "serve", "try", "init", "tui", "reload", "drain"),
    *("log-level", "login", "logout", "whoami", "topup"),
}
"""Commands that change something or run until they are stopped; their own tests look at what they print."""


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A gateway with a canary wherever a secret may be."""
    (tmp_path / "config.toml").write_text(CONFIG)
    (tmp_path / "canary.txt").write_text(FILE + "\n")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("NEWAPI_CONFIG", str(tmp_path / "config.toml"))
    monkeypatch.setenv("CANARY", ENV)
    monkeypatch.setenv("CANARY_PROXY", f"socks5://me:{PROXY}@127.0.0.1:1")
    monkeypatch.setenv("CANARY_HOOK", f"http://127.0.0.1:1/{HOOK}")
    monkeypatch.setenv("OPENAI_API_KEY", FOUND)
    secrets.keep("canary", Secret(KEYRING))
    local = open_local(tmp_path / "config.toml")
    put(local, "canary", Secret(DATABASE), "database", who="test")
    write_record(local.db, UsageRecord("r1", 1.0, status=200, model="m", token_name="ci", channel_name="main"))
    monkeypatch.setattr(sys, "stdin", io.StringIO(PASSWORD + "\n"))
    assert main(["user", "create", "ann", "--password-stdin"]) in (0, 2)
    monkeypatch.setattr(sys, "stdin", io.StringIO(""))
    assert main(["apply", "--yes", "--write-tokens", str(tmp_path / "tokens.toml")]) == 0
    return tmp_path


@pytest.mark.usefixtures("home")
@pytest.mark.parametrize("line", READING)
def test_no_secret_is_printed(line: str, capfd: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    capfd.readouterr()
    code = main(line.split())
    out, err = capfd.readouterr()
    assert code != ExitCode.USAGE, err
    for canary in CANARIES:
        assert canary not in out + err + caplog.text


def test_every_top_command_is_looked_at() -> None:
    folder = Path(main.__code__.co_filename).parent / "commands"
    names = {
        p.stem.rstrip("_").replace("_", "-") for p in folder.iterdir() if p.stem[0] != "_" and p.suffix in ("", ".py")
    }
    assert names - {line.split()[0] for line in READING} - NOT_READING == set()


def test_the_canaries_can_be_seen(home: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """The test above would see one: a command that is made to show a key shows it."""
    local = open_local(home / "config.toml")
    for reference, canary in (
        ("env:CANARY", ENV),
        ("keyring:canary", KEYRING),
        ("secret:canary", DATABASE),
        ("file:canary.txt", FILE),
    ):
        assert local.resolve(reference).reveal() == canary
        assert canary not in repr(local.resolve(reference))
