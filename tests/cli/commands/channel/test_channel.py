from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from newapi import providers
from newapi.base.http import HttpCall, HttpReply
from newapi.cli.output import ExitCode
from newapi.ops import channel_probe, channels
from newapi.ops.local import Local
from newapi.store import audit
from tests.cli.commands.conftest import Run

MORE = """
[channels.second]
type = "openai"
key = "env:UPSTREAM_KEY"
models = ["o3", "gpt-4.1"]
model_mapping = { "gpt-4.1" = "hidden" }
priority = 5
tag = "x"
"""


@pytest.fixture
def ready(config: Path, run: Run) -> Run:
    config.write_text(config.read_text() + MORE)
    assert run("apply", "--yes").code == 0
    return run


def answer(monkeypatch: pytest.MonkeyPatch, status: int, body: bytes) -> list[HttpCall]:
    calls: list[HttpCall] = []

    def send(call: HttpCall, timeout: float, **options: Any) -> HttpReply:
        calls.append(call)
        return HttpReply(status, (("content-type", "application/json"),), body)

    monkeypatch.setattr(channel_probe, "perform", send)
    return calls


CHAT = (
    b'{"id":"c","object":"chat.completion","created":1,"model":"m","choices":[{"index":0,"finish_reason":"stop",'
    b'"message":{"role":"assistant","content":"Hi"}}],"usage":{"prompt_tokens":1,"completion_tokens":1,"total_tokens":2}}'
)


@pytest.mark.parametrize(
    ("flags", "names"),
    [
        ((), ["second", "main"]),
        (("--group", "vip"), ["main"]),
        (("--model", "o3"), ["second"]),
        (("--tag", "x"), ["second"]),
        (("--state", "tripped"), []),
        (("--state", "enabled"), ["second", "main"]),
    ],
)
def test_list(ready: Run, flags: tuple[str, ...], names: list[str]) -> None:
    done = ready("channel", "list", "-o", "name", *flags)
    assert (done.code, done.out.split()) == (0, names)


def test_get_shows_where_the_key_is_and_not_the_key(ready: Run) -> None:
    done = ready("channel", "get", "main", "-o", "json")
    found = done.json()
    assert (found["id"], found["key"], found["state"], found["managed"]) == (1, "env:UPSTREAM_KEY", "enabled", "file")
    assert "sk-upstream" not in done.out
    assert "sk-upstream" not in ready("channel", "get", "1").out
    assert ready("channel", "get", "mian").code == ExitCode.NOT_FOUND


def test_disable_and_enable(ready: Run, local: Local) -> None:
    assert ready("channel", "disable", "--tag", "x", "--dry-run").err == "Would disable second.\n"
    assert ready("channel", "disable", "--tag", "x", "--reason", "leaked").err == "Disabled 1 of 1.\n"
    view = channels.get(local.db, "second")
    assert (view.state, view.state_reason) == ("disabled", "leaked")
    assert audit.entries(local.db)[0].action == "channel.disable"
    assert ready("channel", "enable", "second", "main").err == "Enabled 1 of 2.\n"
    assert channels.get(local.db, "second").state == "enabled"


@pytest.mark.parametrize(
    ("argv", "code"),
    [
        (("disable",), ExitCode.USAGE),
        (("enable", "main", "--tag", "x"), ExitCode.USAGE),
        (("disable", "nobody"), ExitCode.NOT_FOUND),
        (("disable", "--tag", "nothing"), ExitCode.NOT_FOUND),
        (("list", "--state", "off"), ExitCode.USAGE),
        (("test",), ExitCode.USAGE),
        (("test", "main", "--all"), ExitCode.USAGE),
        (("test", "--all", "--key", "0"), ExitCode.USAGE),
        (("models", "nobody"), ExitCode.NOT_FOUND),
    ],
)
def test_wrong_usage(ready: Run, argv: tuple[str, ...], code: int) -> None:
    done = ready("channel", *argv)
    assert (done.code, done.out) == (code, "")
    assert done.err


def test_test(ready: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    calls = answer(monkeypatch, 200, CHAT)
    done = ready("channel", "test", "main")
    assert (done.code, done.out.split("\t")[:3]) == (0, ["main", "my-model", "ok"])
    assert ready("channel", "test", "main", "--key", "0", "--model", "other").code == 0
    assert b'"other"' in calls[-1].body
    answer(monkeypatch, 401, b'{"error":{"message":"no"}}')
    done = ready("channel", "test", "--all", "-o", "json")
    assert done.code == ExitCode.CHECK_FAILED
    items: Any = done.json()["items"]
    assert [(t["channel"], t["error"]) for t in items] == [("main", "no"), ("second", "no")]


def test_models(ready: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    done = ready("channel", "models", "second")
    assert done.out.splitlines() == ["o3\to3", "gpt-4.1\thidden"]
    answer(monkeypatch, 200, b'{"data":[{"id":"o3"},{"id":"gpt-5"}]}')
    done = ready("channel", "models", "second", "--fetch")
    assert done.out.splitlines() == ["gpt-5\tfalse\ttrue", "o3\ttrue\ttrue", "gpt-4.1\ttrue\tfalse"]


def test_types(run: Run) -> None:
    assert run("channel", "types", "-o", "name").out.split() == list(providers.names())
    items: Any = run("channel", "types", "-o", "json").json()["items"]
    azure = next(t for t in items if t["name"] == "azure")
    assert azure["number"] == 3
    assert "api_version" in azure["options"]
