"""A running gateway takes over what is applied, and drops no request for it."""

from __future__ import annotations

import threading
import time
from pathlib import Path

import httpx

from tests.e2e.test_streams import CONFIG, HEADERS, TOKEN
from tests.support.process import background, free_port, run


def test_what_is_applied_is_in_force_within_a_second_and_nothing_is_dropped(tmp_path: Path) -> None:
    port, mock_port = free_port(), free_port()
    url = f"http://127.0.0.1:{port}"
    config = tmp_path / "config.toml"
    text = CONFIG.replace("PORT", str(port)).replace('MOCK"', f'{mock_port}"')
    config.write_text(text)
    env = {"NEWAPI_CONFIG": str(config), "MOCK_KEY": "sk-mock", "TOKEN": TOKEN}
    assert run("apply", str(config), "--yes", env=env).returncode == 0
    failures: list[str] = []
    answered = 0
    stop = threading.Event()

    def ask() -> None:
        nonlocal answered
        body = {"model": "m", "messages": [{"role": "user", "content": "hi"}]}
        with httpx.Client(timeout=30) as http:
            while not stop.is_set():
                reply = http.post(f"{url}/v1/chat/completions", json=body, headers=HEADERS)
                answered += 1
                if reply.status_code != 200:
                    failures.append(reply.text)

    with (
        background("mock", "--port", str(mock_port), port=mock_port, env=env, log=tmp_path / "mock.log"),
        background("serve", port=port, env=env, log=tmp_path / "serve.log"),
    ):
        thread = threading.Thread(target=ask)
        thread.start()
        try:
            with httpx.Client(timeout=30) as http:
                for number in range(3):
                    name = f"new-{number}"
                    text += f'\n[models."{name}"]\nratio = 1\n'
                    config.write_text(text.replace('models = ["m"]', f'models = ["m", "{name}"]'))
                    done = run("apply", str(config), "--yes", env=env)
                    assert done.returncode == 0, done.stderr
                    applied = time.monotonic()
                    while name not in [m["id"] for m in http.get(f"{url}/v1/models", headers=HEADERS).json()["data"]]:
                        assert time.monotonic() - applied < 5, "the new model never came"
                        time.sleep(0.02)
        finally:
            stop.set()
            thread.join(30)
    assert failures == []
    assert answered > 10
