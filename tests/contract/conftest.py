"""Official SDKs against the gateway, on every upstream format."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.stack import Stack, stack

UPSTREAMS = {
    "openai_chat": ("openai", "gpt-5-mini"),
    "openai_responses": ("openai", "gpt-5-mini"),
    "anthropic_messages": ("anthropic", "claude-sonnet-4-5"),
    "gemini": ("gemini", "gemini-2.5-flash"),
}


def config() -> str:
    lines = [
        "[server]",
        'listen = "127.0.0.1:0"',
        'database = "sqlite:///newapi.db"',
        "[limits]",
        'keepalive = "1s"',
        "",
    ]
    lines += ["[routing]", "retries = 0", ""]
    for _, model in set(UPSTREAMS.values()):
        lines += [f'[models."{model}"]', "ratio = 1", "completion_ratio = 2", ""]
    for name, (kind, model) in UPSTREAMS.items():
        lines += [
            f"[groups.{name}]",
            f"[channels.{name}]",
            f'type = "{kind}"',
            'base_url = "MOCK_URL"',
            'key = "env:MOCK_KEY"',
        ]
        lines += [f'models = ["{model}"]', f'groups = ["{name}"]', f'formats = ["{name}"]', ""]
        lines += [f"[tokens.{name}]", f'group = "{name}"', f'key = "env:TOKEN_{name.upper()}"', "unlimited = true", ""]
    return "\n".join(lines)


@pytest.fixture(scope="module")
def gateway(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    directory: Path = tmp_path_factory.mktemp("gateway")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MOCK_KEY", "sk-mock")
        for name in UPSTREAMS:
            patch.setenv(f"TOKEN_{name.upper()}", key(name))
        with stack(directory, config()) as running:
            yield running


def key(upstream: str) -> str:
    """Return the token whose group is served by that upstream format alone."""
    return "sk-" + upstream.replace("_", "") + "k" * 40


@pytest.fixture(params=UPSTREAMS)
def upstream(request: pytest.FixtureRequest) -> str:
    return request.param


@pytest.fixture
def model(upstream: str) -> str:
    return UPSTREAMS[upstream][1]
