"""The whole life of a gateway by command alone: from `init` to a backup put back, on another machine too."""

from __future__ import annotations

import json
import re
import stat
from pathlib import Path
from subprocess import CompletedProcess

import httpx

from tests.ops.newapi_database import KEY, make
from tests.support.process import background, free_port, run

SECRET = "sk-upstream-canary"
SHOWN = re.compile(r"sk-[A-Za-z0-9]{48}")


class Place:
    """A machine: a directory with a configuration, and what its commands said."""

    def __init__(self, directory: Path) -> None:
        directory.mkdir(exist_ok=True)
        self.config = directory / "config.toml"
        self.env = {
            "NEWAPI_CONFIG": str(self.config),
            "XDG_CONFIG_HOME": str(directory / "home"),
            "NO_COLOR": "1",
            "OPENAI_API_KEY": SECRET,
        }
        self.said: list[str] = []

    def __call__(self, *argv: str, code: int | None = 0, stdin: str = "") -> CompletedProcess[str]:
        done = run(*argv, env=self.env, stdin=stdin)
        assert code is None or done.returncode == code, (
            f"{argv} left with {done.returncode}:\n{done.stdout}{done.stderr}"
        )
        assert "Traceback" not in done.stderr
        self.said += [done.stdout, done.stderr]
        return done

    def edit(self, old: str, new: str) -> None:
        text = self.config.read_text()
        assert text.count(old) == 1, old
        self.config.write_text(text.replace(old, new))


def ask(url: str, key: str) -> httpx.Response:
    body = {"model": "gpt-4o-mini", "messages": [{"role": "user", "content": "hi"}]}
    return httpx.post(f"{url}/v1/chat/completions", json=body, headers={"authorization": f"Bearer {key}"}, timeout=30)


def test_from_the_first_configuration_to_a_backup_put_back(tmp_path: Path) -> None:
    here, port, mock_port = Place(tmp_path / "here"), free_port(), free_port()
    url = f"http://127.0.0.1:{port}"

    # A configuration, a secret, a mistake and what is said of it.
    assert here("init", str(here.config.parent), "--yes").stdout.splitlines()[0] == str(here.config)
    reference = here("secret", "set", "openai", "--in", "database", stdin=SECRET).stdout.strip()
    assert reference == "secret:openai"
    here.edit('"env:OPENAI_API_KEY"', f'"{reference}"\nbase_url = "http://127.0.0.1:{mock_port}"\nweigth = 1')
    here.edit(":3000", f":{port}")
    del here.env["OPENAI_API_KEY"]
    wrong = here("validate", code=2)
    assert wrong.stdout == ""
    assert "unknown key `weigth`" in wrong.stderr
    assert "did you mean `weight`" in wrong.stderr
    here.edit("\nweigth = 1", "")
    assert here("validate").stdout == ""

    # What would change; nobody to ask; changed: the key of a token is all that standard output gets.
    assert "+ channels.openai" in here("diff", "--exit-code", code=3).stdout
    assert "--yes" in here("apply", "--no-input", code=7).stderr
    applied = here("apply", "--yes", "--source", "abc123")
    name, first = applied.stdout.split()
    assert (name, SHOWN.fullmatch(first) is not None) == ("first", True)
    assert first not in applied.stderr
    assert here("diff", "--exit-code").stdout == ""
    created = here("token", "create", "ci", "--quota", "$1", "-q")
    assert SHOWN.fullmatch(created.stdout.strip())
    assert created.stderr == ""
    here("token", "create", "ci", "--unlimited", code=6)

    with (
        background("mock", "--port", str(mock_port), port=mock_port, env=here.env, log=tmp_path / "mock.log"),
        background("serve", port=port, env=here.env, log=tmp_path / "serve.log"),
    ):
        # Asked, in two formats; found in the log, and charged to the token that asked.
        assert here("try", "gpt-4o-mini", "hello").stdout == "Hello from the mock.\n"
        streamed = here("try", "gpt-4o-mini", "hello", "--as", "messages", "--stream")
        assert streamed.stdout == "Hello from the mock.\n"
        here("try", "no-such-model", code=1)
        assert ask(url, created.stdout.strip()).status_code == 200
        logs = json.loads(here("logs", "--token", "ci", "-o", "json").stdout)["items"]
        assert [(entry["model"], entry["channel_name"], entry["status"]) for entry in logs] == [
            ("gpt-4o-mini", "openai", 200)
        ]
        spent = json.loads(here("token", "get", "ci", "-o", "json").stdout)
        assert spent["used"] == logs[0]["quota"] > 0

        # Changed, applied, thought better of.
        here.edit("ratio = 1.0 ", "ratio = 2.0 ")
        assert "ratio 1 -> 2" in here("diff", "--exit-code", code=3).stdout
        assert here("apply", "--yes").stdout == ""
        here("rollback", "--yes")
        generations = json.loads(here("history", "-o", "json").stdout)["items"]
        assert [entry["number"] for entry in generations] == [3, 2, 1]
        assert generations[-1]["source"] == "abc123"

        # The configuration as it is now, without a secret: nothing to change here, and good elsewhere.
        exported = here("export").stdout
        assert "secret:openai" in exported
        assert here("diff", "-", "--exit-code", stdin=exported).stdout == ""
        backup = tmp_path / "backup.db"
        here("db", "backup", str(backup), "--yes")
        assert stat.S_IMODE(backup.stat().st_mode) == 0o600

        # Elsewhere: what a New API holds, then this configuration, then this key.
        there = Place(tmp_path / "there")
        there.config.write_text(
            f'version = 1\n\n[server]\nlisten = "127.0.0.1:{free_port()}"\ndatabase = "sqlite:///newapi.db"\n'
        )
        source = make(tmp_path / "one-api.db")
        before = source.read_bytes()
        there("import", str(source), "--yes")
        assert there("import", str(source), "--yes").stdout != ""
        assert source.read_bytes() == before
        verified = there("token", "verify", "-", stdin=f"sk-{KEY}")
        assert "ann" in verified.stdout + verified.stderr
        there("secret", "set", "openai", "--in", "database", stdin=SECRET)
        there("apply", "-", "--yes", "--no-prune", stdin=exported)
        assert there("channel", "get", "openai").stdout != ""

    # Spoilt, and put back: the token that was deleted is there again, and has spent what it had spent.
    here("token", "delete", "ci", "--yes")
    here("token", "get", "ci", code=5)
    here("db", "restore", str(backup), "--yes")
    assert json.loads(here("token", "get", "ci", "-o", "json").stdout)["used"] == spent["used"]
    with (
        background("mock", "--port", str(mock_port), port=mock_port, env=here.env, log=tmp_path / "mock.log"),
        background("serve", port=port, env=here.env, log=tmp_path / "again.log"),
    ):
        assert ask(url, created.stdout.strip()).status_code == 200
    for log in tmp_path.glob("*.log"):
        here.said.append(log.read_text())
    assert not [text for text in here.said + there.said if SECRET in text]
