from __future__ import annotations

import io
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

from newapi.ops import tokens, users
from newapi.ops.local import open_local
from tests.cli.commands.conftest import CONFIG, Run
from tests.support.stack import KEY, Stack, stack

ENTRIES = ["chat", "messages", "gemini", "responses"]
PNG = b"\x89PNG\r\n\x1a\n" + b"\0" * 40


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    text = CONFIG.replace('type = "openai"', 'type = "openai"\nbase_url = "MOCK_URL"')
    text += '\n[tokens.mine]\nkey = "env:MINE"\nunlimited = true\n'
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("UPSTREAM_KEY", "sk-upstream")
        patch.setenv("MINE", KEY)
        with stack(tmp_path_factory.mktemp("try"), text) as it:
            yield it


@pytest.fixture
def tried(run: Run, running: Stack, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    """The command, with the configuration of the gateway that runs."""
    path = tmp_path / "here.toml"
    address = running.url.removeprefix("http://")
    database = running.runtime.local.db.file
    path.write_text(f'[server]\nlisten = "{address}"\ndatabase = "sqlite:///{database}"\n')
    monkeypatch.setenv("NEWAPI_CONFIG", str(path))
    return run


@pytest.mark.parametrize("entry", ENTRIES)
@pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])
def test_an_answer_in_every_format(tried: Run, running: Stack, entry: str, stream: bool) -> None:
    done = tried("try", "my-model", "mock:echo=Hi", "--as", entry, "-o", "json", *(["--stream"] if stream else []))
    assert done.code == 0, done.err
    said = done.json()
    assert (said["entry"], said["status"], said["finish"]) == (entry, 200, "stop")
    assert said["text"]
    row = next(row for row in running.rows() if row.request_id == said["request_id"])
    assert (row.stream, row.model) == (stream, "my-model")
    assert row.token_name.startswith("try-")
    assert (row.prompt_tokens, row.completion_tokens) == (said["prompt_tokens"], said["completion_tokens"])
    names = [token.name for token in tokens.list_tokens(open_local(running.config).db)]
    assert names == ["ci", "mine"]


def test_what_comes_is_printed(tried: Run) -> None:
    whole = tried("try", "my-model", "--timings")
    streamed = tried("try", "my-model", "--stream")
    assert (whole.code, streamed.code) == (0, 0)
    assert whole.out == streamed.out
    assert whole.out.endswith("\n")
    assert streamed.err == ""
    assert whole.err.startswith("head ")
    assert "newapi trace " in whole.err


def test_a_key_from_a_file(tried: Run, running: Stack, tmp_path: Path) -> None:
    file = tmp_path / "key"
    file.write_text(KEY + "\n")
    done = tried("try", "my-model", "--server", running.url, "--token-file", str(file), "-o", "json")
    assert done.code == 0, done.err
    row = next(row for row in running.rows() if row.request_id == done.json()["request_id"])
    assert row.token_name == "mine"
    file.write_text("sk-wrong")
    denied = tried("try", "my-model", "--server", running.url, "--token-file", str(file))
    assert (denied.code, denied.out) == (4, "")
    assert "Invalid token" in denied.err


def test_a_server_elsewhere(tried: Run, running: Stack, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    db = open_local(running.config).db
    monkeypatch.setenv("NEWAPI_ACCESS_TOKEN", users.new_access_token(db, users.root(db).id, who="test").reveal())
    monkeypatch.setenv("NEWAPI_CONFIG", str(tmp_path / "none.toml"))
    done = tried("try", "my-model", "--server", running.url, "-o", "json")
    assert done.code == 0, done.err
    row = next(row for row in running.rows() if row.request_id == done.json()["request_id"])
    assert row.token_name.startswith("try-")
    assert [token.name for token in tokens.list_tokens(db)] == ["ci", "mine"]


def test_a_key_and_a_prompt_from_standard_input(tried: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO("from a pipe"))
    body = msgspec.json.decode(tried("try", "my-model", "-", "-n").out)
    assert body["messages"] == [{"role": "user", "content": "from a pipe"}]
    assert tried("try", "my-model", "-", "--token-file", "-").code == 2
    monkeypatch.setattr("sys.stdin", io.StringIO(KEY + "\n"))
    assert tried("try", "my-model", "--token-file", "-").code == 0


@pytest.mark.parametrize(
    ("entry", "path"),
    [
        ("chat", "/v1/chat/completions"),
        ("messages", "/v1/messages"),
        ("gemini", "/v1beta/models/my-model:streamGenerateContent?alt=sse"),
        ("responses", "/v1/responses"),
    ],
)
def test_a_picture(tried: Run, tmp_path: Path, entry: str, path: str) -> None:
    file = tmp_path / "a.png"
    file.write_bytes(PNG)
    done = tried("try", "my-model", "What?", "--as", entry, "--image", str(file), "--stream", "-n")
    body: dict[str, Any] = msgspec.json.decode(done.out)
    assert f"POST {path} " in done.err
    assert "image/png" in done.out
    assert "What?" in done.out
    assert body.get("stream", True) is True


@pytest.mark.parametrize(
    ("argv", "code", "words"),
    [
        (("other-model",), 1, "other-model"),
        (("my-model", "--group", "vip"), 0, ""),
        (("my-model", "--as", "smoke"), 2, ""),
        (("my-model", "--image", "/nowhere.png"), 2, "cannot be read"),
        (("my-model", "--image", __file__), 1, "That is no picture"),
        (("my-model", "--server", "http://127.0.0.1:1"), 4, "NEWAPI_ACCESS_TOKEN"),
        (("my-model", "--timeout", "soon"), 2, "no duration"),
    ],
)
def test_exit_codes(tried: Run, argv: tuple[str, ...], code: int, words: str) -> None:
    done = tried("try", *argv)
    assert done.code == code, done.err
    assert words in done.err


def test_nobody_serves(tried: Run, tmp_path: Path, running: Stack, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "away.toml"
    path.write_text(f'[server]\nlisten = "127.0.0.1:1"\ndatabase = "sqlite:///{running.runtime.local.db.file}"\n')
    monkeypatch.setenv("NEWAPI_CONFIG", str(path))
    done = tried("try", "my-model")
    assert (done.code, done.out) == (1, "")
    assert "newapi serve" in done.err
