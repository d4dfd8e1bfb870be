from __future__ import annotations

import base64
import tomllib
from pathlib import Path
from typing import Any

import msgspec
import pytest

from newapi.ops.connect import CLIENTS, Target, settings
from tests.cli.commands.conftest import Run

KEY = "sk-" + "m" * 48
URL = "http://gateway.test:3000"
ALIASES = {
    "ANTHROPIC_DEFAULT_OPUS_MODEL": "my-model",
    "ANTHROPIC_DEFAULT_SONNET_MODEL": "my-model",
    "ANTHROPIC_DEFAULT_HAIKU_MODEL": "my-model",
    "CLAUDE_CODE_ENABLE_GATEWAY_MODEL_DISCOVERY": "1",
}


@pytest.fixture
def home(run: Run, config: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A home directory without settings, and a token `mine`."""
    monkeypatch.setenv("MINE", KEY)
    monkeypatch.setattr(Path, "home", lambda: tmp_path / "home")
    assert run("apply", "--yes").code == 0
    assert run("token", "create", "mine", "--unlimited", "--key", "env:MINE").code == 0
    config.write_text(config.read_text().replace("[server]", f'[server]\npublic_url = "{URL}"'))
    return tmp_path / "home"


def read(home: Path, path: str) -> dict[str, Any]:
    text = (home / path).read_text()
    return tomllib.loads(text) if path.endswith(".toml") else msgspec.json.decode(text)


def test_the_clients(run: Run) -> None:
    lines = run("connect").out.splitlines()
    assert [line.split("\t")[0] for line in lines] == list(CLIENTS)


@pytest.mark.parametrize("client", CLIENTS)
def test_every_client_learns_where_and_with_what(run: Run, home: Path, client: str) -> None:
    done = run("connect", client, "--token", "mine")
    assert done.code == 0, done.err
    if client == "cherry-studio":
        data = base64.urlsafe_b64decode(done.out.rpartition("data=")[2].strip())
        assert msgspec.json.decode(data) == {"id": "new-api", "baseUrl": URL, "apiKey": KEY}
    else:
        assert URL in done.out
        assert (KEY in done.out) == (client != "cursor")
    assert KEY not in run("connect", client).out


def test_lines_for_a_shell(run: Run, home: Path) -> None:
    assert run("connect", "openai").out == (f'export OPENAI_BASE_URL={URL}/v1\nexport OPENAI_API_KEY="$NEWAPI_KEY"\n')
    assert run("connect", "aider", "--token", "mine").out.splitlines() == [
        f"export OPENAI_API_BASE={URL}/v1",
        f"export OPENAI_API_KEY={KEY}",
        "# then: aider --model openai/my-model",
    ]


def test_codex(run: Run, home: Path) -> None:
    assert run("connect", "codex", "-m", "gpt-5").out == (
        "# ~/.codex/config.toml\n"
        'model = "gpt-5"\n'
        'model_provider = "newapi"\n'
        "\n"
        "[model_providers.newapi]\n"
        'name = "newapi"\n'
        f'base_url = "{URL}/v1"\n'
        'env_key = "NEWAPI_KEY"\n'
        'wire_api = "responses"\n'
        "# in the environment\n"
        'export NEWAPI_KEY="$NEWAPI_KEY"\n'
    )


def test_for_programs(run: Run, home: Path) -> None:
    assert run("connect", "claude-code", "-o", "json").json()["env"] == {
        "ANTHROPIC_BASE_URL": URL,
        "ANTHROPIC_AUTH_TOKEN": "$NEWAPI_KEY",
        "ANTHROPIC_MODEL": "my-model",
        **ALIASES,
    }


def test_claude_code_has_a_model_of_each_kind() -> None:
    served = ("claude-haiku-4-5", "claude-opus-4-5", "claude-opus-4-8", "gpt-5")
    env = settings("claude-code", Target(URL, KEY, "gpt-5", served)).env
    assert [env[f"ANTHROPIC_DEFAULT_{kind}_MODEL"] for kind in ("OPUS", "SONNET", "HAIKU")] == [
        "claude-opus-4-8",
        "gpt-5",
        "claude-haiku-4-5",
    ]


def test_settings_are_merged_and_the_file_is_kept(run: Run, home: Path) -> None:
    file = home / ".claude/settings.json"
    file.parent.mkdir(parents=True)
    before = '{"theme": "dark", "env": {"OTHER": "1", "ANTHROPIC_BASE_URL": "https://old.test"}}'
    file.write_text(before)
    done = run("connect", "claude-code", "--token", "mine", "--write", "-o", "json")
    assert done.code == 0, done.err
    found = read(home, ".claude/settings.json")
    assert found["theme"] == "dark"
    assert found["env"] == {
        "OTHER": "1",
        "ANTHROPIC_BASE_URL": URL,
        "ANTHROPIC_AUTH_TOKEN": KEY,
        "ANTHROPIC_MODEL": "my-model",
        **ALIASES,
    }
    items = done.json()["items"]
    assert isinstance(items, list)
    assert Path(items[0]["backup"]).read_text() == before
    assert file.stat().st_mode & 0o777 == 0o600
    again = run("connect", "claude-code", "--token", "mine", "--write")
    assert "says so already" in again.err
    assert len(list(file.parent.iterdir())) == 2


def test_toml_is_merged(run: Run, home: Path) -> None:
    file = home / ".codex/config.toml"
    file.parent.mkdir(parents=True)
    file.write_text('# mine\nmodel = "o3"\n\n[model_providers.other]\nname = "other"\n\n[tui]\ntheme = "dark"\n')
    done = run("connect", "codex", "--token", "mine", "--write")
    assert done.code == 0, done.err
    found = read(home, ".codex/config.toml")
    assert (found["model"], found["model_provider"], found["tui"]) == ("my-model", "newapi", {"theme": "dark"})
    assert found["model_providers"]["other"] == {"name": "other"}
    assert found["model_providers"]["newapi"]["base_url"] == f"{URL}/v1"
    assert file.read_text().startswith("# mine\n")
    assert f"export NEWAPI_KEY={KEY}" in done.err
    assert KEY not in file.read_text()
    assert "says so already" in run("connect", "codex", "--token", "mine", "--write").err


def test_variables_in_a_file_are_merged(run: Run, home: Path) -> None:
    file = home / ".gemini/.env"
    file.parent.mkdir(parents=True)
    file.write_text("OTHER=1\nGEMINI_API_KEY=old\n")
    assert run("connect", "gemini-cli", "--token", "mine", "--write").code == 0
    assert file.read_text() == f"OTHER=1\nGEMINI_API_KEY={KEY}\nGOOGLE_GEMINI_BASE_URL={URL}\n"
    assert read(home, ".gemini/settings.json") == {
        "security": {"auth": {"selectedType": "gemini-api-key"}},
        "model": {"name": "my-model"},
    }


def test_a_link_stays_one(run: Run, home: Path, tmp_path: Path) -> None:
    real = tmp_path / "dotfiles.json"
    real.write_text("{}")
    (home / ".claude").mkdir(parents=True)
    (home / ".claude/settings.json").symlink_to(real)
    assert run("connect", "claude-code", "--token", "mine", "--write").code == 0
    assert (home / ".claude/settings.json").is_symlink()
    assert "env" in msgspec.json.decode(real.read_text())


@pytest.mark.parametrize(
    ("client", "path", "text"),
    [
        ("opencode", ".config/opencode/opencode.json", "{ // with a comment\n}"),
        ("claude-code", ".claude/settings.json", "[]"),
        ("codex", ".codex/config.toml", "model = "),
        ("continue", ".continue/config.yaml", "models: []\n"),
    ],
)
def test_what_cannot_be_merged_stays_as_it_is(run: Run, home: Path, client: str, path: str, text: str) -> None:
    (home / path).parent.mkdir(parents=True)
    (home / path).write_text(text)
    done = run("connect", client, "--token", "mine", "--write")
    assert (done.code, done.out) == (1, "")
    assert (home / path).read_text() == text
    assert len(list((home / path).parent.iterdir())) == 1


@pytest.mark.parametrize(
    ("argv", "code", "words"),
    [
        (("claude-cod",), 5, "did you mean 'claude-code'?"),
        (("telnet",), 5, "aider"),
        (("codex", "--write"), 2, "--token"),
        (("codex", "--token", "a", "--token-file", "b"), 2, "two ways"),
        (("codex", "--token", "nobody"), 5, "nobody"),
        (("openai", "--token", "mine", "--write"), 2, "no file of its own"),
        (("codex", "--token", "mine", "--write", "-n"), 0, "Would write"),
    ],
)
def test_exit_codes(run: Run, home: Path, argv: tuple[str, ...], code: int, words: str) -> None:
    done = run("connect", *argv)
    assert done.code == code, done.err
    assert words in done.err
    assert not home.exists()


def test_a_url(run: Run, home: Path, config: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    other = "https://other.test"
    assert f"{other}/v1" in run("connect", "openai", "--url", f"{other}/").out
    # A server that is named is the URL; to say so it is not asked, and this machine needs no gateway.
    config.unlink()
    (tmp_path / "key").write_text("sk-there")
    made = run("connect", "openai", "--server", other, "--token-file", str(tmp_path / "key"), "--model", "m")
    assert made.out == f"export OPENAI_BASE_URL={other}/v1\nexport OPENAI_API_KEY=sk-there\n"
    assert run("connect", "openai", "--server", other).code == 4
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "home"))
    assert run("context", "add", "prod", other).code == 0
    assert run("context", "use", "prod").code == 0
    assert f"{other}/v1" in run("connect", "openai", "--model", "m").out


def test_without_a_model(run: Run) -> None:
    done = run("connect", "codex")
    assert (done.code, "--model" in done.err) == (2, True)
