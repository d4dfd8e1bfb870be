"""Whatever a body says, it is served or refused in the caller's own format; it is never a failure of ours."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from newapi.mock.app import MockApp
from tests.support import strategies
from tests.support.bodies import BODIES
from tests.support.stack import Stack, stack
from tests.support.strategies import damaged, encoded, not_json, values

MAX_EXAMPLES = 15
"""Requests for each path and each format of the upstream."""
UPSTREAMS = {
    "openai_chat": "openai",
    "openai_responses": "openai",
    "anthropic_messages": "anthropic",
    "gemini": "gemini",
}
CHATS = ("/v1/chat/completions", "/v1/completions", "/v1/responses", "/v1/messages")
COMPACT = "/v1/responses/compact"
CASES = [
    (path, upstream)
    for path in BODIES
    for upstream in UPSTREAMS
    if upstream == "openai_chat" or (path != COMPACT and (path.startswith(CHATS) or "enerateContent" in path))
]
FORMS = [
    b"",
    b"--b\r\n",
    b"--b--",
    b'--b\r\ncontent-disposition: form-data; name="model"\r\n\r\nm\r\n--b--\r\n',
    b'--b\r\ncontent-disposition: form-data; name="model"\r\n\r\n\xff\xfe\r\n--b--\r\n',
    b'--b\r\ncontent-disposition: form-data; name="model"\r\n\r\nm\r\n--b\r\ncontent-disposition: form-data; '
    b'name="file"; filename="a.wav"\r\n\r\nRIFF\xff\xff\xff\xffWAVEfmt \x00\r\n--b--\r\n',
    b'--b\r\ncontent-disposition: form-data; name="model"\r\n\r\nm\r\n--b\r\ncontent-disposition: form-data; '
    b'name="image[]"; filename="\xff"\r\ncontent-type: \xff\r\n\r\n\x89PNG\r\n--b\r\ncontent-disposition: form-data; '
    b'name="prompt"\r\n\r\na\r\n--b\r\ncontent-disposition: form-data; name="n"\r\n\r\n-1\r\n--b--\r\n',
    b"--b\r\n\r\n\r\n--b\r\ncontent-disposition: nothing\r\n\r\nx\r\n--b--",
]


class Unshaken(MockApp):
    """An upstream that refuses what it makes nothing of."""

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        try:
            await super().__call__(scope, receive, send)
        except Exception:
            head = [(b"content-type", b"application/json")]
            await send({"type": "http.response.start", "status": 400, "headers": head})
            await send({"type": "http.response.body", "body": b'{"error":{"message":"what?"}}'})


@pytest.fixture(scope="module")
def anything(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    lines = ["[server]", 'listen = "127.0.0.1:0"', 'database = "sqlite:///newapi.db"', "[routing]", "retries = 0"]
    lines += ["[models.m]", "ratio = 1"]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("tests.support.stack.MockApp", Unshaken)
        patch.setenv("MOCK_KEY", "sk-mock")
        for name, kind in UPSTREAMS.items():
            patch.setenv(f"TOKEN_{name.upper()}", key(name))
            lines += [f"[groups.{name}]", f"[channels.{name}]", f'type = "{kind}"', 'base_url = "MOCK_URL"']
            lines += ['key = "env:MOCK_KEY"', 'models = ["m"]', f'groups = ["{name}"]']
            lines += [] if name == "openai_chat" else [f'formats = ["{name}"]']
            lines += [f"[tokens.{name}]", f'group = "{name}"', f'key = "env:TOKEN_{name.upper()}"', "unlimited = true"]
        with stack(tmp_path_factory.mktemp("anything"), "\n".join(lines)) as running:
            yield running


def key(upstream: str) -> str:
    return "sk-" + upstream.replace("_", "") + "k" * 40


def refusal(path: str, said: Any) -> str:
    """Return why something was refused, in the words of the format that `path` speaks."""
    if path.startswith("/v1/messages"):
        assert said["type"] == "error"
        assert said["error"]["type"]
    elif path.startswith("/v1beta/"):
        assert said["error"]["status"]
        assert isinstance(said["error"]["code"], int)
    else:
        assert said["error"]["type"]
    return said["error"]["message"]


@pytest.mark.slow
@pytest.mark.parametrize(("path", "upstream"), CASES)
def test_it_is_served_or_refused(anything: Stack, path: str, upstream: str) -> None:
    bodies = [damaged(example).map(encoded) for example in BODIES[path]]

    @strategies.fed(MAX_EXAMPLES)
    @given(
        body=st.one_of(*bodies * 8, values().map(encoded), not_json()),
        query=st.sampled_from(["", "", "", "?alt=sse", "?alt=", "?%ff=%00", "?beta=true"]),
    )
    def fed(body: bytes, query: str) -> None:
        ask(path + query, body, {"content-type": "application/json"})

    def ask(url: str, body: bytes, headers: dict[str, str]) -> None:
        shown = {"authorization": f"Bearer {key(upstream)}", **headers}
        answer = http.post(anything.url + url, content=body, headers=shown)
        told = f"{url} {body[:3000]!r}: {answer.status_code} {answer.text[:300]}"
        assert answer.status_code < 500, told
        if answer.status_code >= 400:
            assert refusal(path, answer.json()), told

    with httpx.Client(trust_env=False) as http:
        fed()
        if "/audio/" in path or path.endswith("/edits"):
            for form in FORMS:
                for boundary in ("; boundary=b", "", "; boundary=", '; boundary="b'):
                    ask(path, form, {"content-type": f"multipart/form-data{boundary}"})
