"""The gateway's life on each kind of database, by command: its password is said nowhere."""

from __future__ import annotations

import json
import threading
import time
from pathlib import Path

import httpx
import pytest

from newapi.base.errors import Conflict
from newapi.config.schema import Config, GroupSpec
from newapi.ops import apply as applying
from newapi.ops.local import open_local
from tests.databases import PASSWORD, QUOTED, DatabaseServers
from tests.e2e.test_tour import SECRET, Place, ask
from tests.ops.newapi_database import ROWS, fill
from tests.support.process import background, free_port

CONFIG = """
version = 1
[server]
listen = "127.0.0.1:PORT"
database = "env:SQL_DSN"
metrics = ""
[models.gpt-4o-mini]
ratio = 1
[channels.chat]
type = "openai"
base_url = "http://127.0.0.1:MOCK"
key = "env:OPENAI_API_KEY"
models = ["gpt-4o-mini"]
"""


def place(directory: Path, url: str, port: int = 1, mock_port: int = 1) -> Place:
    here = Place(directory)
    here.config.write_text(CONFIG.replace("PORT", str(port)).replace('MOCK"', f'{mock_port}"'))
    here.env["SQL_DSN"] = url
    return here


def silent(*places: Place) -> None:
    """No command, and no log, said the password of the database."""
    said = "".join(text for here in places for text in here.said)
    said += "".join(path.read_text() for here in places for path in here.config.parent.glob("*.log"))
    assert not any(word in said for word in (PASSWORD, QUOTED, PASSWORD[:6]))


def test_apply_serve_ask_and_look(tmp_path: Path, database_url: str) -> None:
    port, mock_port = free_port(), free_port()
    here = place(tmp_path / "here", database_url, port, mock_port)
    here("validate")
    here("apply", "--yes")
    here("diff", "--exit-code")
    key = here("token", "create", "ci", "--quota", "$1", "-q").stdout.strip()
    body = {"model": "gpt-4o-mini", "messages": [{"role": "user", "content": "hi"}]}
    log = here.config.parent
    with (
        background("mock", "--port", str(mock_port), port=mock_port, env=here.env, log=log / "mock.log"),
        background("serve", port=port, env=here.env, log=log / "serve.log"),
    ):
        url = f"http://127.0.0.1:{port}/v1/chat/completions"
        answer = httpx.post(url, json=body, headers={"authorization": f"Bearer {key}"}, timeout=30)
        assert answer.status_code == 200, answer.text
        here("status")
    (line,) = [json.loads(line) for line in here("logs", "-o", "ndjson").stdout.splitlines()]
    assert (line["token_name"], line["model"], line["status"], line["quota"] > 0) == ("ci", "gpt-4o-mini", 200, True)
    used = json.loads(here("token", "get", "ci", "-o", "json").stdout)["used"]
    assert used == line["quota"]
    assert here("usage", "--by", "model").stdout
    here("export")
    here("history")
    here("doctor", code=None)
    silent(here)


@pytest.mark.parametrize("database_url", ["postgresql", "mariadb"], indirect=True)
def test_moved_saved_and_put_back(tmp_path: Path, database_url: str, database_servers: DatabaseServers) -> None:
    here = place(tmp_path / "here", "sqlite:///here.db")
    here("apply", "--yes")
    key = here("token", "create", "moved", "--quota", "$2", "-q").stdout.strip()
    here("token", "create", "later deleted", "--unlimited", "-q")
    here("token", "delete", "later deleted", "--yes")
    here("secret", "set", "bytes", "--in", "database", stdin="s")

    # To the server, refused a second time, and used there.
    here.env["TARGET"] = database_url
    assert "Would copy" in here("db", "copy", "--to", "env:TARGET", "--dry-run").stderr
    done = here("db", "copy", "--to", "env:TARGET", "--yes", "-o", "json")
    copied = {table["table"]: table for table in json.loads(done.stdout)["items"]}
    assert (copied["tokens"]["rows"], copied["tokens"]["sums"]["remaining_quota"]) == (1, 1_000_000)
    assert "is not empty: it holds 1 tokens" in here("db", "copy", "--to", "env:TARGET", "--yes", code=6).stderr
    before = here("export").stdout
    here.env["SQL_DSN"] = database_url
    assert here("export").stdout == before
    here("diff", "--exit-code")
    assert "moved" in here("token", "verify", "-", stdin=key).stdout
    assert json.loads(here("token", "create", "next", "--unlimited", "-o", "json").stdout)["id"] == 3, (
        "2 was given once"
    )
    here("db", "migrate")
    found = json.loads(here("db", "status", "-o", "json").stdout)
    assert (found["rows"]["tokens"], found["bytes"] > 0) == (2, True)
    here("db", "check")

    # Saved into a file, changed, put back; and from the server into a file that is a database.
    file = here.config.parent / "saved.db"
    here("db", "backup", str(file))
    here("token", "delete", "moved", "--yes")
    here("db", "prune", "--older-than", "90d", "--yes", "--vacuum")
    here("db", "restore", str(file), "--yes")
    assert here("token", "list", "-o", "name").stdout == "moved\nnext\n"
    assert list(here.config.parent.glob("saved.db.*.bak"))
    here("db", "copy", "--to", f"sqlite:///{here.config.parent}/back.db", "--yes")
    here.env["SQL_DSN"] = "sqlite:///back.db"
    assert here("token", "list", "-o", "name").stdout == "moved\nnext\n"
    here("db", "check")
    silent(here)


@pytest.mark.parametrize(("kind", "own"), [("postgresql", "mariadb"), ("mariadb", "postgresql")])
def test_new_apis_database_taken_over(tmp_path: Path, kind: str, own: str, database_servers: DatabaseServers) -> None:
    """A token of it works at once, its past requests are in the log, and nothing says a password."""
    port, mock_port = free_port(), free_port()
    channel = {"id": 9, "type": 1, "name": "mock", "key": SECRET, "models": "gpt-4o-mini", "group": "vip"}
    channel["base_url"] = f"http://127.0.0.1:{mock_port}"
    proxied = {
        **channel,
        "id": 10,
        "name": "far",
        "setting": '{"proxy":"http://me:canary-proxy@127.0.0.1:1"}',
        "status": 2,
    }
    token = {"id": 9, "user_id": 4, "key": "n" * 48, "name": "works", "unlimited_quota": 1}
    line = {"id": 1, "user_id": 4, "created_at": int(time.time()) - 60, "type": 2, "username": "ann", "quota": 3}
    rows = {**ROWS, "channels": [channel, proxied], "tokens": [*ROWS["tokens"], token], "logs": [line]}
    rows["users"] = [{**user, "quota": 10_000_000} for user in ROWS["users"]]
    with database_servers.url(kind, tmp_path) as theirs, database_servers.url(own, tmp_path) as ours:
        fill(database_servers, theirs, rows)
        here = Place(tmp_path / "here")
        here.config.write_text(f"""version = 1
[server]
listen = "127.0.0.1:{port}"
database = "env:SQL_DSN"
metrics = ""
""")
        here.env |= {"SQL_DSN": ours, "THEIRS": theirs}
        here("import", "env:THEIRS", "--dry-run")
        written = str(tmp_path / "written.toml")
        here("import", "env:THEIRS", "--logs-since", "30d", "--write", written)
        exported = here("export").stdout
        here("diff", "-", "--exit-code", stdin=exported)
        here("import", "env:THEIRS", "--logs-since", "30d", "--write", written, "--yes")
        assert here("export").stdout == exported == Path(written).read_text()
        log = here.config.parent
        with (
            background("mock", "--port", str(mock_port), port=mock_port, env=here.env, log=log / "mock.log"),
            background("serve", port=port, env=here.env, log=log / "serve.log"),
        ):
            answer = ask(f"http://127.0.0.1:{port}", f"sk-{'n' * 48}")
            assert answer.status_code == 200, answer.text
        records = [json.loads(line) for line in here("logs", "-o", "ndjson").stdout.splitlines()]
        assert sorted(record["token_name"] for record in records) == ["", "works"]
        assert SECRET not in "".join(here.said)
        silent(here)


def test_of_two_applies_at_once_one_is_refused(
    tmp_path: Path, database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    here = place(tmp_path / "here", database_url)
    monkeypatch.setenv("SQL_DSN", database_url)
    begin = threading.Barrier(3, timeout=30)
    did: list[str] = []

    def apply(name: str) -> None:
        local = open_local(here.config)
        try:
            begin.wait()
            applying.apply(local, Config(groups={name: GroupSpec()}), who=name, base=0)
            did.append("applied")
        except Conflict:
            did.append("refused")
        except BaseException as error:
            did.append(repr(error))
        finally:
            local.db.close()

    open_local(here.config).db.close()
    threads = [threading.Thread(target=apply, args=(f"g{i}",)) for i in range(3)]
    for t in threads:
        t.start()
    for t in threads:
        t.join(60)
    assert sorted(did) == ["applied", "refused", "refused"]
