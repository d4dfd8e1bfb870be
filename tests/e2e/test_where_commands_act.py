"""A server that is named, the local server's socket, the database itself: the same commands, the same answers."""

from __future__ import annotations

import json
import os
import re
import signal
import stat
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from newapi.ops import tunnel, users
from newapi.ops.local import open_local
from newapi.store.ledger import UsageRecord, write_record
from tests.support import fake_ssh
from tests.support.process import Ran, background, free_port, inside, run

SERVER = """\
[server]
listen = "127.0.0.1:PORT"
database = "sqlite:///data/newapi.db"
metrics = ""
"""
CONFIG = """\
[billing]
new_user_quota = "$2.50"

[models.m]
ratio = 1.25

[channels."main one"]
type = "openai"
base_url = "http://127.0.0.1:1"
key = "env:UPSTREAM_KEY"
models = ["m"]
tag = "prod"

[notices.ops]
via = "webhook"
url = "http://127.0.0.1:1/hook"

[tokens."ci/1"]
quota = "$10"
expires = "90d"
budget = { day = "$2" }
"""
PLAN = """\
~ billing
    new_user_quota $0 -> $2.5
+ models.m
    ratio = 1.25
+ channels."main one"
    type     = "openai"
    base_url = "http://127.0.0.1:1"
    key      = (reference)
    models   = ["m"]
    tag      = "prod"
+ tokens."ci/1"
    quota      = $10
    expires    = "90d"
    budget.day = $2
"""
Newapi = Callable[..., Ran]
WRONG = CONFIG.replace('quota = "$10"', 'quota = "$10"\nuser = "nobody"')
DEARER = CONFIG.replace("1.25", "2")
WAYS = ("server", "context", "socket", "ssh")


@contextmanager
def acting(way: str, directory: Path) -> Iterator[Newapi]:
    """Run commands on the gateway of `config.toml` by one of the ways there are."""
    port = free_port()
    config = directory / "config.toml"
    config.write_text(SERVER.replace("PORT", str(port)) + CONFIG)
    env = {"NO_COLOR": "1", "UPSTREAM_KEY": "sk-up", "XDG_CONFIG_HOME": str(directory / "home"), "LOGNAME": "root"}
    env["NEWAPI_CONFIG"] = str(config)
    db = open_local(config, server_only=True).db
    token = users.new_access_token(db, users.root(db).id, who="test").reveal()
    for number in (1, 2):
        write_record(
            db,
            UsageRecord(
                f"r{number}",
                time.time() - 3600,
                status=200,
                model="m",
                token_name="ci/1",
                channel_name="main one",
                user_id=1,
                quota=number,
                usage='{"input": 1000}' if number == 1 else "",
                bill="{}",
            ),
        )
    db.close()
    if way == "database":
        yield lambda *argv, stdin="": inside(*argv, env=env, stdin=stdin)
        return
    with background("serve", port=port, env=env, log=directory / "serve.log"):
        asking = dict(env)
        if way != "socket":
            # Another machine: there is a configuration, and neither a database nor a socket.
            (directory / "elsewhere").mkdir()
            away = directory / "elsewhere" / "config.toml"
            away.write_text(config.read_text())
            asking["NEWAPI_CONFIG"] = str(away)
        url = f"http://127.0.0.1:{port}"
        if way == "server":
            asking |= {"NEWAPI_SERVER": url, "NEWAPI_ACCESS_TOKEN": token}
        if way == "context":
            asking["GATEWAY_TOKEN"] = token
            assert inside("context", "add", "away", url, "--token-ref", "env:GATEWAY_TOKEN", env=asking).code == 0
            assert inside("context", "use", "away", env=asking).code == 0
        if way == "ssh":
            called = fake_ssh.install(directory / "bin")
            asking["PATH"] = f"{directory / 'bin'}{os.pathsep}{os.environ['PATH']}"
            asking["NEWAPI_SERVER"] = f"ssh://me@elsewhere.test{directory / 'data' / 'newapi.sock'}"
        try:
            yield lambda *argv, stdin="": inside(*argv, env=asking, stdin=stdin)
        finally:
            tunnel.close_all()
        assert way != "ssh" or len(called.read_text().splitlines()) == 1
        assert not (directory / "elsewhere" / "data").exists(), "it acted on the database of another machine"


@pytest.fixture
def newapi(tmp_path: Path) -> Iterator[Newapi]:
    with acting("database", tmp_path) as there:
        yield there


def done(result: Ran) -> str:
    assert result.code == 0, result.err
    return result.out


def test_what_commands_answer(newapi: Newapi) -> None:
    plan = newapi("diff", "--exit-code")
    assert plan.code == 3
    assert plan.out == PLAN

    applied = newapi("apply", "--yes", "--source", "abc")
    key = re.fullmatch(r"ci/1\t(sk-\w{48})\n", done(applied))
    assert key, applied.out
    assert "Applied: generation 1." in applied.err
    assert newapi("diff", "--exit-code").code == 0
    assert newapi("diff", "-", "--exit-code", stdin=done(newapi("export"))).code == 0
    assert '[channels."main one"]' in done(newapi("export", "--only", "channels"))
    assert "[models" not in done(newapi("export", "--only", "channels"))

    done(newapi("apply", "-", "--yes", "--no-prune", stdin=DEARER))
    changes = json.loads(done(newapi("history", "2", "-o", "json")))["items"]
    assert changes == [
        {
            "kind": "models",
            "name": "m",
            "action": "update",
            "fields": [{"key": "ratio", "before": "1.25", "after": "2"}],
        }
    ]
    done(newapi("rollback", "--yes"))
    made = json.loads(done(newapi("history", "-o", "json")))["items"]
    assert [(g["number"], g["source"], g["current"]) for g in made] == [
        (3, "rollback to 1", True),
        (2, "", False),
        (1, "abc", False),
    ]

    new = newapi("token", "create", "x y", "--quota", "$2.50", "--expires", "30d", "--budget", "day=$1", "-q")
    assert re.fullmatch(r"sk-\w{48}\n", done(new))
    assert newapi("token", "create", "x y", "--unlimited").code == 6
    shown = json.loads(done(newapi("token", "get", "x y", "-o", "json")))
    assert (shown["remaining"], shown["user"], shown["key_hint"]) == (1_250_000, "root", new.out.strip()[-4:])
    assert done(newapi("token", "list", "-o", "name")).split("\n") == ["ci/1", "x y", ""]
    missing = newapi("token", "get", "x z", "-o", "json")
    assert missing.code == 5
    assert json.loads(missing.err)["error"]["message"] == "There is no token 'x z'; did you mean 'x y'?"
    done(newapi("token", "delete", "x y", "--yes"))
    assert newapi("token", "list", "--user", "nobody").code == 5

    assert "Disabled 1 of 1." in newapi("channel", "disable", "main one", "--reason", "leaked").err
    (channel,) = json.loads(done(newapi("channel", "list", "-o", "json")))["items"]
    assert (channel["state"], channel["state_reason"], channel["key"]) == ("disabled", "leaked", "env:UPSTREAM_KEY")
    assert "Enabled 1 of 1." in newapi("channel", "enable", "--tag", "prod").err
    assert newapi("channel", "enable", "--tag", "none").code == 5
    assert json.loads(done(newapi("logs", "--since", "1h", "-o", "json")))["items"] == []
    assert len(json.loads(done(newapi("logs", "--since", "2h", "-o", "json")))["items"]) == 2


def test_what_is_wrong_is_told_where_it_is(newapi: Newapi) -> None:
    refused = newapi("apply", "-", "--yes", "-o", "json", stdin=WRONG)
    assert refused.code == 2
    error = json.loads(refused.err)["error"]
    line = WRONG.split("\n").index('user = "nobody"') + 1
    assert error["location"] == {"file": "<stdin>", "line": line, "column": 8}
    assert error["hint"].startswith("`newapi user create nobody`")
    unknown = newapi("export", "--only", "chanels")
    assert (unknown.code, "no kind is called 'chanels'" in unknown.err) == (2, True)


STORY: tuple[tuple[str, str], ...] = (
    ("diff --exit-code", ""),
    ("apply --yes --source abc", ""),
    ("diff --exit-code -o json", ""),
    ("export", ""),
    ("export --only channels", ""),
    ("export --only chanels", ""),
    ("apply - --yes -o json", WRONG),
    ("apply - --yes --no-prune", DEARER),
    ("history 2 -o json", ""),
    ("rollback --yes", ""),
    ("history -o json", ""),
    ("status -o json", ""),
    ("status --exit-code -o json", ""),
    ("notice list -o json", ""),
    ("notice test", ""),
    ("notice test ops nobody", ""),
    ("token create x_y --quota $2.50 --expires 30d --budget day=$1 -o json", ""),
    ("token create x_y --unlimited", ""),
    ("token list -o json", ""),
    ("token list --user nobody -o json", ""),
    ("token get x_z -o json", ""),
    ("token delete x_y --yes", ""),
    ("channel disable main_one --reason leaked", ""),
    ("channel list -o json", ""),
    ("channel enable --tag prod", ""),
    ("channel enable --tag none", ""),
    ("channel create c2 --type deepseek --key env:A --models d --set priority=3 -o json", ""),
    ("channel create c2 --type deepseek --key env:A --models d", ""),
    ("channel create c3 --type openai --key-stdin --models d -o json", "sk-one\nsk-two\n"),
    ("channel set c2 weight=7 tag=t -o json", ""),
    ("channel set c2 weigth=7", ""),
    ("channel keys c3 --disable 1 --reason leaked", ""),
    ("channel keys c3 --delete 0", ""),
    ("channel balance c2", ""),
    ("channel disable c2 --for 1h", ""),
    ("channel delete c2 c3 --yes", ""),
    ("token set ci/1 --quota $20 --models m,o3 --budget day=$3,month=$30 -o json", ""),
    ("token set ci/1 --expires never --disable -o json", ""),
    ("token set ci/1 --name ci --enable -o json", ""),
    ("token set nobody --disable -o json", ""),
    ("token rotate ci --yes -o json", ""),
    ("token rotate ci --key env:NOT_THERE --yes -o json", ""),
    ("token usage ci -o json", ""),
    ("token verify ci --model m -o json", ""),
    ("token verify - --model m -o json", "sk-nobody\n"),
    ("usage --by model,token --since 2h -o json", ""),
    ("usage rerate --since 2h --dry-run -o json", ""),
    ("usage rerate --since 2h --yes", ""),
    ("trace r1 -o json", ""),
    ("trace r9 -o json", ""),
    ("logs --since 2h -o json", ""),
    ("model list -o json", ""),
    ("model list --token ci -o json", ""),
    ("model list --unpriced -o json", ""),
    ("model get m -o json", ""),
    ("model get mm -o json", ""),
    ("model price m --prompt 120k --completion 2k -o json", ""),
    ("group list -o json", ""),
    ("group get default -o json", ""),
    ("group get vip -o json", ""),
    ("channel get main_one -o json", ""),
    ("channel models 1 -o json", ""),
    ("channel models 1 --fetch -o json", ""),
    ("channel test 1 -o json", ""),
    ("channel test --all --model m -o json", ""),
    ("user create ann --quota $10 --password-stdin -o json", "correct horse battery\n"),
    ("user create ann -o json", ""),
    ("user list -o json", ""),
    ("user get anna -o json", ""),
    ("user set ann --group vip -o json", ""),
    ("user set ann --email ann@example.com --disable -o json", ""),
    ("user topup ann $2.50 -o json", ""),
    ("user passwd ann --password-stdin", "another horse battery\n"),
    ("user logout ann", ""),
    ("user logout anna", ""),
    ("user delete ann --yes", ""),
    ("user list --deleted -o json", ""),
    ("user access-token root", ""),
    ("code create spring --quota $10 --count 2 -o json", ""),
    ("code list -o json", ""),
    ("code redeem - --user ann", "no-such-code\n"),
    ("code delete 1 2 --yes", ""),
    ("code delete 1 --yes", ""),
    ("secret set up --in database", "sk-secret\n"),
    ("secret list -o json", ""),
    ("secret delete up --in database --yes", ""),
    ("secret delete up --in database --yes", ""),
    ("db status -o json", ""),
    ("db check -o json", ""),
    ("db prune --older-than 30m --yes", ""),
    ("logs --since 2h -o json", ""),
)
"""Commands, each with its standard input, in the order in which they are run."""
_WRONG = ("export --only chanels", "apply - --yes -o json", "channel set c2 weigth=7")
"""What is wrong usage."""
_MOMENTS = ("_at", "_ms", "_until", "bytes", "oldest_record")


def told(directory: Path, way: str) -> list[tuple[str, int, Any, Any]]:
    """Run the story; return what each command left, but for what is another thing each time."""
    with acting(way, directory) as newapi:
        found: list[tuple[str, int, Any, Any]] = []
        for line, stdin in STORY:
            ran = newapi(*(word.replace("_", " ") for word in line.split()), stdin=stdin)
            assert "Traceback" not in ran.err
            found.append((line, ran.code, plain(ran.out, directory), plain(ran.err, directory)))
    return found


def plain(text: str, directory: Path) -> Any:
    """Return what was written, without keys, moments and where it was."""
    text = re.sub(r"sk-\w{48}", "KEY", text).replace(str(directory), "DIR")
    text = re.sub(r"[0-9a-f]{32}", "CODE", text)
    text = re.sub(r'"…[0-9a-f]{4}"', '"…HINT"', text)
    text = re.sub(r"manage-\w+", "ID", text)
    text = re.sub(r"secret:channel/\w+", "SEALED", text)
    text = re.sub(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d", "MOMENT", text)
    try:
        return _still(json.loads(text))
    except json.JSONDecodeError:
        return text


def _still(value: Any) -> Any:
    if isinstance(value, list):
        return [_still(item) for item in value]
    if isinstance(value, dict):
        hidden = {
            "key_hint": "HINT",
            "aff_code": "CODE",
            "at": "MOMENT",
            "leases": "A SERVER'S",
            "rests": "A SERVER'S",
            "series": "A SERVER'S",
            "rollups": "A SERVER'S",
            "serving": "A SERVER'S",
            "workers": "A SERVER'S",
        }
        return {
            k: hidden.get(k, "MOMENT") if k in hidden or ((k.endswith(_MOMENTS) or k == "ms") and v) else _still(v)
            for k, v in value.items()
        }
    return value


@pytest.fixture(scope="module")
def here(tmp_path_factory: pytest.TempPathFactory) -> list[tuple[str, int, Any, Any]]:
    return told(tmp_path_factory.mktemp("here"), "database")


def test_the_story_can_be_told(here: list[tuple[str, int, Any, Any]]) -> None:
    codes = {line: code for line, code, _, _ in here}
    wrong = [
        entry for entry in here if entry[1] not in (0, 1, 3, 5, 6, 7, 8) and (entry[1] != 2 or entry[0] not in _WRONG)
    ]
    assert wrong == []
    assert sum(code == 0 for code in codes.values()) > len(codes) * 0.6


@pytest.mark.parametrize("way", WAYS)
def test_every_command_gives_the_same_answer(way: str, here: list[tuple[str, int, Any, Any]], tmp_path: Path) -> None:
    assert told(tmp_path, way) == here


def test_the_socket_is_the_owner_s_and_goes_with_the_server(tmp_path: Path) -> None:
    port = free_port()
    config = tmp_path / "config.toml"
    config.write_text(SERVER.replace("PORT", str(port)) + CONFIG)
    env = {"NEWAPI_CONFIG": str(config), "UPSTREAM_KEY": "x", "XDG_CONFIG_HOME": str(tmp_path / "home")}
    socket = tmp_path / "data" / "newapi.sock"
    with background("serve", port=port, env=env, log=tmp_path / "serve.log"):
        assert stat.S_IMODE(socket.stat().st_mode) == 0o600
        who = json.loads(run("whoami", "-o", "json", env=env).stdout)
        assert (who["role"], who["where"]) == ("root", f"unix:{socket}")
        assert json.loads(inside("whoami", "--server", f"unix:{socket}", "-o", "json", env=env).out) == who
        assert json.loads(done(inside("api", "GET", "user/self", env=env)))["data"]["username"] == "root"
        assert json.loads(done(inside("health", "--server", f"unix:{socket}", "-o", "json", env=env)))["ready"]
        done(inside("token", "create", "t", "--unlimited", "-q", env=env))
        # What is wrong with the server's own file is told with its place there.
        written = config.read_text()
        config.write_text(f"{written}[models.x]\nratio = -1\n")
        wrong = inside("status", "-o", "json", env=env)
        assert (wrong.code, wrong.err) == (2, inside("config", "show", "-o", "json", env=env).err)
        at = {"file": str(config), "line": written.count("\n") + 2, "column": 9}
        assert json.loads(wrong.err)["error"]["location"] == at
        config.write_text(written)
        url = f"http://127.0.0.1:{port}"
        assert inside("whoami", "--server", url, env={**env, "NEWAPI_ACCESS_TOKEN": "wrong"}).code == 4

        away = {**env, "NEWAPI_CONFIG": str(tmp_path / "nowhere.toml")}
        done(inside("user", "passwd", "root", "--password-stdin", env=env, stdin="correct horse\n"))
        signed_in = inside("login", url, "--user", "root", "--password-stdin", env=away, stdin="correct horse\n")
        assert signed_in.code == 0, signed_in.err
        assert "root is signed in" in signed_in.err
        there = json.loads(done(inside("whoami", "-o", "json", env=away)))
        assert there == {"name": "root", "role": "root", "where": url}
        assert inside("login", url, "--user", "root", "--password-stdin", env=away, stdin="wrong horse\n").code == 4
        done(inside("logout", env=away))
        assert inside("whoami", env=away).code == 2
    assert not socket.exists()
    here = json.loads(inside("whoami", "-o", "json", env=env).out)
    assert here["name"] == who["name"]
    assert here["where"].startswith("sqlite:")
    with background("serve", port=port, env=env, log=tmp_path / "serve.log"):
        twice = run("serve", env=env)
        assert twice.returncode == 1


def test_a_server_that_is_told_to_stop_while_it_starts_stops(tmp_path: Path) -> None:
    port = free_port()
    config = tmp_path / "config.toml"
    config.write_text(SERVER.replace("PORT", str(port)))
    env = {"NEWAPI_CONFIG": str(config)}
    with background("serve", port=port, env=env, log=tmp_path / "serve.log") as process:
        pass  # it listens before it can answer, and is told at once
    assert process.returncode == -signal.SIGTERM
    assert not (tmp_path / "data" / "newapi.sock").exists()
