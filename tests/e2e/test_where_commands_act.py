"""A server that is named, the local server's socket, the database itself: the same commands, the same answers."""

from __future__ import annotations

import json
import re
import stat
from collections.abc import Callable, Iterator
from pathlib import Path
from subprocess import CompletedProcess

import pytest

from newapi.ops import users
from newapi.ops.local import open_local
from tests.support.process import background, free_port, run

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
key = "env:UPSTREAM_KEY"
models = ["m"]
tag = "prod"

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
    type   = "openai"
    key    = (reference)
    models = ["m"]
    tag    = "prod"
+ tokens."ci/1"
    quota      = $10
    expires    = "90d"
    budget.day = $2
"""
Newapi = Callable[..., CompletedProcess[str]]
WAYS = ("server", "context", "socket", "database")


@pytest.fixture(params=WAYS)
def newapi(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Newapi]:
    """Run a command on the gateway of `config.toml` by one of the ways there are."""
    port = free_port()
    config = tmp_path / "config.toml"
    config.write_text(SERVER.replace("PORT", str(port)) + CONFIG)
    env = {"NO_COLOR": "1", "UPSTREAM_KEY": "sk-up", "XDG_CONFIG_HOME": str(tmp_path / "home")}
    env["NEWAPI_CONFIG"] = str(config)
    if request.param == "database":
        yield lambda *argv, stdin="": run(*argv, env=env, stdin=stdin)
        return
    db = open_local(config, server_only=True).db
    token = users.new_access_token(db, users.root(db).id, who="test").reveal()
    db.close()
    with background("serve", port=port, env=env, log=tmp_path / "serve.log"):
        asking = dict(env)
        if request.param != "socket":
            # Another machine: there is a configuration, and neither a database nor a socket.
            (tmp_path / "elsewhere").mkdir()
            away = tmp_path / "elsewhere" / "config.toml"
            away.write_text(config.read_text())
            asking["NEWAPI_CONFIG"] = str(away)
        url = f"http://127.0.0.1:{port}"
        if request.param == "server":
            asking |= {"NEWAPI_SERVER": url, "NEWAPI_ACCESS_TOKEN": token}
        if request.param == "context":
            asking["GATEWAY_TOKEN"] = token
            assert run("context", "add", "away", url, "--token-ref", "env:GATEWAY_TOKEN", env=asking).returncode == 0
            assert run("context", "use", "away", env=asking).returncode == 0
        yield lambda *argv, stdin="": run(*argv, env=asking, stdin=stdin)
        assert not (tmp_path / "elsewhere" / "data").exists(), "it acted on the database of another machine"


def done(result: CompletedProcess[str]) -> str:
    assert result.returncode == 0, result.stderr
    return result.stdout


def test_the_ways_give_the_same_answers(newapi: Newapi) -> None:
    plan = newapi("diff", "--exit-code")
    assert plan.returncode == 3
    assert plan.stdout == PLAN

    applied = newapi("apply", "--yes", "--source", "abc")
    key = re.fullmatch(r"ci/1\t(sk-\w{48})\n", done(applied))
    assert key, applied.stdout
    assert "Applied: generation 1." in applied.stderr
    assert newapi("diff", "--exit-code").returncode == 0
    assert newapi("diff", "-", "--exit-code", stdin=done(newapi("export"))).returncode == 0
    assert '[channels."main one"]' in done(newapi("export", "--only", "channels"))
    assert "[models" not in done(newapi("export", "--only", "channels"))

    dearer = CONFIG.replace("1.25", "2")
    done(newapi("apply", "-", "--yes", "--no-prune", stdin=dearer))
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
    assert newapi("token", "create", "x y", "--unlimited").returncode == 6
    shown = json.loads(done(newapi("token", "get", "x y", "-o", "json")))
    assert (shown["remaining"], shown["user"], shown["key_hint"]) == (1_250_000, "root", new.stdout.strip()[-4:])
    assert done(newapi("token", "list", "-o", "name")).split("\n") == ["ci/1", "x y", ""]
    missing = newapi("token", "get", "x z", "-o", "json")
    assert missing.returncode == 5
    assert json.loads(missing.stderr)["error"]["message"] == "There is no token 'x z'; did you mean 'x y'?"
    done(newapi("token", "delete", "x y", "--yes"))
    assert newapi("token", "list", "--user", "nobody").returncode == 5

    assert "Disabled 1 of 1." in newapi("channel", "disable", "main one", "--reason", "leaked").stderr
    (channel,) = json.loads(done(newapi("channel", "list", "-o", "json")))["items"]
    assert (channel["state"], channel["state_reason"], channel["key"]) == ("disabled", "leaked", "env:UPSTREAM_KEY")
    assert "Enabled 1 of 1." in newapi("channel", "enable", "--tag", "prod").stderr
    assert newapi("channel", "enable", "--tag", "none").returncode == 5
    assert json.loads(done(newapi("logs", "--since", "1h", "-o", "json")))["items"] == []


def test_what_is_wrong_is_told_where_it_is(newapi: Newapi) -> None:
    text = CONFIG.replace('quota = "$10"', 'quota = "$10"\nuser = "nobody"')
    refused = newapi("apply", "-", "--yes", "-o", "json", stdin=text)
    assert refused.returncode == 2
    error = json.loads(refused.stderr)["error"]
    line = text.split("\n").index('user = "nobody"') + 1
    assert error["location"] == {"file": "<stdin>", "line": line, "column": 8}
    assert error["hint"].startswith("newapi user create nobody")
    unknown = newapi("export", "--only", "chanels")
    assert (unknown.returncode, "no kind is called 'chanels'" in unknown.stderr) == (2, True)


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
        assert json.loads(run("whoami", "--server", f"unix:{socket}", "-o", "json", env=env).stdout) == who
        done(run("token", "create", "t", "--unlimited", "-q", env=env))
        stranger = run("whoami", "--server", f"http://127.0.0.1:{port}", env={**env, "NEWAPI_ACCESS_TOKEN": "wrong"})
        assert stranger.returncode == 4
    assert not socket.exists()
    here = json.loads(run("whoami", "-o", "json", env=env).stdout)
    assert here["name"] == who["name"]
    assert here["where"].startswith("sqlite:")
    with background("serve", port=port, env=env, log=tmp_path / "serve.log"):
        twice = run("serve", env=env)
        assert twice.returncode == 1
