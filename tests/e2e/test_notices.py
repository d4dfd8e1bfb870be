"""A real server tells a webhook that a channel is down, once, and that it is up again."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

import httpx
import msgspec

from tests.support.process import background, free_port, run
from tests.support.receiver import Heard, receiver

CONFIG = """
version = 1
[server]
listen = "127.0.0.1:PORT"
database = "sqlite:///newapi.db"
metrics = ""
[notices.ops]
via = "webhook"
url = "HOOK"
about = ["channel_tripped"]
[models.m]
ratio = 1
[channels.bad]
type = "openai"
base_url = "UPSTREAM"
key = "env:MOCK_KEY"
models = ["m"]
[tokens.t]
key = "env:TOKEN"
unlimited = true
"""
TOKEN = "sk-" + "t" * 48


def until(condition: Callable[[], object]) -> None:
    deadline = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < deadline, "it never came true"
        time.sleep(0.05)


def told(heard: list[Heard]) -> list[tuple[str, str, bool]]:
    bodies = [msgspec.json.decode(one.body) for one in heard]
    return [(b["title"], b["level"], b["over"]) for b in bodies]


def test_a_channel_that_is_down_and_up_again(tmp_path: Path) -> None:
    port = free_port()
    config = tmp_path / "config.toml"
    env = {"NEWAPI_CONFIG": str(config), "MOCK_KEY": "sk-mock", "TOKEN": TOKEN, "NO_COLOR": "1"}
    with receiver(401) as (upstream, _), receiver() as (hook, heard):
        text = CONFIG.replace("PORT", str(port)).replace("UPSTREAM", upstream).replace("HOOK", hook)
        config.write_text(text)
        assert run("apply", str(config), "--yes", env=env).returncode == 0
        with background("serve", port=port, env=env, log=tmp_path / "serve.log"):
            body = {"model": "m", "messages": [{"role": "user", "content": "hi"}]}
            url = f"http://127.0.0.1:{port}/v1/chat/completions"
            answer = httpx.post(url, json=body, headers={"authorization": f"Bearer {TOKEN}"}, timeout=60)
            assert answer.status_code >= 400
            until(lambda: told(heard) == [("Channel bad is disabled", "error", False)])
            assert run("channel", "enable", "bad", env=env).returncode == 0
            until(lambda: told(heard)[1:] == [("Over: Channel bad is disabled", "error", True)])
