"""Settings of clients: what makes each of them talk to this gateway, printed or written into its own files."""

from __future__ import annotations

import base64
import os
import shlex
import shutil
import tempfile
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal, cast

import msgspec
import tomlkit
from msgspec import Struct
from tomlkit.exceptions import TOMLKitError

from newapi.base.errors import NewapiError, NotFound
from newapi.base.nearest import did_you_mean

Form = Literal["json", "toml", "dotenv", "yaml"]
PROVIDER = "newapi"
KEY_VARIABLE = "NEWAPI_KEY"


class CannotWrite(NewapiError):
    """A client's file cannot be changed without harm; nothing was written."""

    code = "cannot_write"


class Target(Struct, frozen=True):
    """What a client is to talk to.

    Attributes:
        url: Of the gateway, without a slash at its end.
        key: A token's, or what stands for it.
        model: As callers name it.
        models: All that are served, sorted; none where only `model` is to be used.
    """

    url: str
    key: str
    model: str
    models: tuple[str, ...] = ()

    @property
    def v1(self) -> str:
        """The URL that OpenAI's SDKs want."""
        return f"{self.url}/v1"


class Edit(Struct, frozen=True):
    """What a client's file is to say; in JSON, TOML and dotenv what else is in it stays.

    Attributes:
        path: Below the home directory, where it begins with `~`.
        values: The settings.
        text: Of YAML: the whole file.
    """

    path: str
    form: Form
    values: dict[str, Any] = {}
    text: str = ""


class Settings(Struct, frozen=True):
    """How a client is set.

    Attributes:
        env: Variables of the environment it is started in.
        files: Its own files.
        commands: What is run.
        notes: What else there is to know.
    """

    client: str
    env: dict[str, str] = {}
    files: tuple[Edit, ...] = ()
    commands: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()


class Written(Struct, frozen=True):
    """A file that was written. `backup` is where the one before lies, "" when there was none."""

    path: str
    backup: str
    changed: bool


class Client(Struct, frozen=True):
    """A client: what it is, and the beginnings of the names of the models it is for, the best ones first."""

    about: str
    make: Callable[[Target], Settings]
    prefers: tuple[str, ...] = ()


def settings(client: str, target: Target) -> Settings:
    """Return how `client` is set.

    Raises:
        NotFound: Nothing is known of it.
    """
    return find(client).make(target)


def find(client: str) -> Client:
    """Return what is known of a client.

    Raises:
        NotFound: Nothing is.
    """
    if client not in CLIENTS:
        hint = did_you_mean(client, CLIENTS) or f": {', '.join(sorted(CLIENTS))} are known"
        raise NotFound(f"There is no client {client!r}{hint}")
    return CLIENTS[client]


def best_model(client: str, models: list[str]) -> str:
    """Return the model of `models` that suits a client best, "" where there is none at all."""
    return _best(models, find(client).prefers) or (models[0] if models else "")


def _best(models: Sequence[str], prefixes: Iterable[str]) -> str:
    """Return the last of `models` that begins with the first prefix that any begins with, or ""."""
    for prefix in prefixes:
        if fitting := [name for name in models if name.startswith(prefix)]:
            return fitting[-1]
    return ""


def shell(variables: Mapping[str, str]) -> list[str]:
    """Return the lines that set variables in a POSIX shell; a value that is a variable itself stays one."""
    return [f"export {name}={_quoted(value)}" for name, value in variables.items()]


def _quoted(value: str) -> str:
    return f'"{value}"' if value.startswith("$") else shlex.quote(value)


def content(edit: Edit) -> str:
    """Return what a file is to say, as if nothing else were in it."""
    return _merged(edit, "")


def write(edit: Edit, home: Path, stamp: str) -> Written:
    """Put the settings into a client's file; the file before is kept beside it.

    The file is written anew and then takes its place, readable by its owner alone: there is a key in it.

    Args:
        edit: What it is to say.
        home: The home directory.
        stamp: For the backup's name.

    Raises:
        CannotWrite: The file is not what it should be, or the disk refuses.
    """
    # Where dotfiles are links into a repository, the link stays.
    path = located(edit, home).resolve()
    try:
        before = path.read_text() if path.exists() else ""
        after = _merged(edit, before)
        if after == before:
            return Written(str(path), "", changed=False)
        path.parent.mkdir(parents=True, exist_ok=True)
        backup = ""
        if path.exists():
            backup = f"{path}.{stamp}.bak"
            shutil.copy2(path, backup)
            Path(backup).chmod(0o600)
        handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
        try:
            with os.fdopen(handle, "w") as file:
                file.write(after)
            Path(temporary).replace(path)
        finally:
            Path(temporary).unlink(missing_ok=True)
    except (OSError, UnicodeDecodeError) as error:
        raise CannotWrite(f"{path} cannot be written: {error}") from None
    return Written(str(path), backup, changed=True)


def located(edit: Edit, home: Path) -> Path:
    """Return where a client's file lies."""
    return home / edit.path[2:] if edit.path.startswith("~/") else Path(edit.path)


def _merged(edit: Edit, before: str) -> str:
    match edit.form:
        case "json":
            return _merged_json(edit, before)
        case "toml":
            return _merged_toml(edit, before)
        case "dotenv":
            return _merged_dotenv(edit, before)
        case _:
            if before and before != edit.text:
                raise CannotWrite(f"{edit.path} is there already, and is YAML: add what is printed without --write")
            return edit.text


def _merged_json(edit: Edit, before: str) -> str:
    try:
        there = msgspec.json.decode(before, type=dict[str, Any]) if before.strip() else {}
    except msgspec.DecodeError as error:
        raise CannotWrite(f"{edit.path} is no JSON object that can be kept ({error}): add it by hand") from None
    after = _over(there, edit.values)
    if before and after == there:
        return before
    return msgspec.json.format(msgspec.json.encode(after), indent=2).decode() + "\n"


def _over(there: dict[str, Any], values: Mapping[str, Any]) -> dict[str, Any]:
    found = dict(there)
    for name, value in values.items():
        old = found.get(name)
        both = isinstance(value, dict) and isinstance(old, dict)
        found[name] = _over(cast(dict[str, Any], old), cast(dict[str, Any], value)) if both else value
    return found


def _merged_toml(edit: Edit, before: str) -> str:
    try:
        document = tomlkit.parse(before)
    except TOMLKitError as error:
        raise CannotWrite(f"{edit.path} is no TOML ({error}): nothing was written") from None
    _put(document, edit.values)
    return tomlkit.dumps(document)


def _put(table: Any, values: Mapping[str, Any]) -> None:
    """Set values in a TOML table: plain ones first, since what follows a table's head belongs to that table."""
    for name, value in sorted(values.items(), key=lambda pair: isinstance(pair[1], dict)):
        if isinstance(value, dict):
            if not isinstance(table.get(name), dict):
                table[name] = tomlkit.table(is_super_table=all(isinstance(v, dict) for v in value.values()))
            _put(table[name], cast(dict[str, Any], value))
        elif table.get(name) != value:
            table[name] = value  # at the top of a document, tomlkit puts it before the first table


def _merged_dotenv(edit: Edit, before: str) -> str:
    left = dict(edit.values)
    lines: list[str] = []
    for line in before.splitlines():
        name = line.removeprefix("export ").partition("=")[0].strip()
        lines.append(f"{name}={left.pop(name)}" if name in left else line)
    lines += [f"{name}={value}" for name, value in left.items()]
    return "\n".join(lines) + "\n"


# -- the clients -------------------------------------------------------------------------------


def _claude_code(to: Target) -> Settings:
    # https://code.claude.com/docs/en/llm-gateway-protocol: the URL without /v1. For sub-agents and plans it asks for
    # models of its own choice, of which these three names are; it lists the gateway's Claude models when told to.
    env = {"ANTHROPIC_BASE_URL": to.url, "ANTHROPIC_AUTH_TOKEN": to.key, "ANTHROPIC_MODEL": to.model}
    for kind in ("opus", "sonnet", "haiku"):
        env[f"ANTHROPIC_DEFAULT_{kind.upper()}_MODEL"] = _best(to.models, (f"claude-{kind}",)) or to.model
    env["CLAUDE_CODE_ENABLE_GATEWAY_MODEL_DISCOVERY"] = "1"
    return Settings("claude-code", env, (Edit("~/.claude/settings.json", "json", {"env": env}),))


def _codex(to: Target) -> Settings:
    provider = {"name": PROVIDER, "base_url": to.v1, "env_key": KEY_VARIABLE, "wire_api": "responses"}
    values = {"model": to.model, "model_provider": PROVIDER, "model_providers": {PROVIDER: provider}}
    return Settings("codex", {KEY_VARIABLE: to.key}, (Edit("~/.codex/config.toml", "toml", values),))


def _gemini_cli(to: Target) -> Settings:
    env = {"GEMINI_API_KEY": to.key, "GOOGLE_GEMINI_BASE_URL": to.url}
    # Its own default is to choose between models of Google's; a choice of one's own is asked for as it is.
    said = {"security": {"auth": {"selectedType": "gemini-api-key"}}, "model": {"name": to.model}}
    files = (Edit("~/.gemini/settings.json", "json", said), Edit("~/.gemini/.env", "dotenv", env))
    notes = ("Gemini CLI reads .env in folders alone that it trusts: in scripts, `gemini --skip-trust`",)
    return Settings("gemini-cli", env, files, ("gemini",), notes)


def _llm(to: Target) -> Settings:
    entry = [f"- model_id: {PROVIDER}", f"  model_name: {_yaml(to.model)}", f"  api_base: {_yaml(to.v1)}"]
    text = "\n".join([*entry, f"  api_key_name: {PROVIDER}", ""])
    directory = "~/.config/io.datasette.llm"
    files = (
        Edit(f"{directory}/extra-openai-models.yaml", "yaml", text=text),
        Edit(f"{directory}/keys.json", "json", {PROVIDER: to.key}),
    )
    return Settings("llm", files=files, commands=(f"llm -m {PROVIDER} hello",))


def _continue(to: Target) -> Settings:
    lines = ["name: newapi", "version: 0.0.1", "schema: v1", "models:", f"  - name: {_yaml(to.model)}"]
    lines += ["    provider: openai", f"    model: {_yaml(to.model)}", f"    apiBase: {_yaml(to.v1)}"]
    lines += [f"    apiKey: {_yaml(to.key)}", ""]
    return Settings("continue", files=(Edit("~/.continue/config.yaml", "yaml", text="\n".join(lines)),))


def _opencode(to: Target) -> Settings:
    provider = {
        "npm": "@ai-sdk/openai-compatible",
        "name": PROVIDER,
        "options": {"baseURL": to.v1, "apiKey": to.key},
        "models": {to.model: {"name": to.model}},
    }
    values = {"$schema": "https://opencode.ai/config.json", "provider": {PROVIDER: provider}}
    edit = Edit("~/.config/opencode/opencode.json", "json", values)
    return Settings("opencode", files=(edit,), commands=(f"opencode --model {PROVIDER}/{shlex.quote(to.model)}",))


def _qwen_code(to: Target) -> Settings:
    env = {"OPENAI_BASE_URL": to.v1, "OPENAI_API_KEY": to.key, "OPENAI_MODEL": to.model}
    return Settings("qwen-code", env, (Edit("~/.qwen/.env", "dotenv", env),))


def _aider(to: Target) -> Settings:
    env = {"OPENAI_API_BASE": to.v1, "OPENAI_API_KEY": to.key}
    return Settings("aider", env, commands=(f"aider --model {shlex.quote(f'openai/{to.model}')}",))


def _cherry_studio(to: Target) -> Settings:
    data = msgspec.json.encode({"id": "new-api", "baseUrl": to.url, "apiKey": to.key})
    link = f"cherrystudio://providers/api-keys?v=1&data={base64.urlsafe_b64encode(data).decode()}"
    notes = (
        f"Settings, Model Provider, New API: host {to.url} (without /v1), and the key",
        f"or open {link}",
    )
    return Settings("cherry-studio", notes=notes)


def _cursor(to: Target) -> Settings:
    notes = (
        f"Settings, Models, Override OpenAI Base URL: {to.v1}, and the key",
        "Cursor's servers call it: it has to be an HTTPS address that the internet reaches",
    )
    return Settings("cursor", notes=notes)


def _cline(to: Target) -> Settings:
    command = shlex.join(["cline", "auth", "-p", "openai", "-m", to.model, "-b", to.v1, "-k"])
    return Settings("cline", commands=(f"{command} {_quoted(to.key)}",))


def _by_environment(client: str, **variables: str) -> Callable[[Target], Settings]:
    """Return the settings of a client that has none but the environment; each value is an attribute of the target."""
    return lambda to: Settings(client, {name: getattr(to, value) for name, value in variables.items()})


def _yaml(text: str) -> str:
    """Return a YAML string: JSON's is one."""
    return msgspec.json.encode(text).decode()


_GPT = ("gpt-6.1-sol", "gpt-6", "gpt-5", "gpt-4o", "gpt-4", "gpt-", "o3", "o4")
_CLAUDE = ("claude-sonnet", "claude-opus", "claude-")
_GEMINI = ("gemini-3.1-pro", "gemini-3-pro", "gemini-2.5-pro", "gemini-2.5", "gemini-")
CLIENTS: dict[str, Client] = {
    "claude-code": Client("Anthropic's Claude Code", _claude_code, _CLAUDE),
    "codex": Client("OpenAI's Codex CLI", _codex, _GPT),
    "gemini-cli": Client("Google's Gemini CLI", _gemini_cli, _GEMINI),
    "cherry-studio": Client("Cherry Studio", _cherry_studio),
    "aider": Client("aider", _aider, _CLAUDE + _GPT),
    "llm": Client("Simon Willison's llm", _llm, _GPT),
    "opencode": Client("opencode", _opencode, _CLAUDE + _GPT),
    "continue": Client("Continue, in editors", _continue, _CLAUDE + _GPT),
    "qwen-code": Client("Qwen Code", _qwen_code, ("qwen3-coder", "qwen")),
    "cline": Client("Cline, Roo Code, Kilo Code", _cline, _CLAUDE + _GPT),
    "cursor": Client("Cursor", _cursor, _GPT),
    "openai": Client("OpenAI's SDKs", _by_environment("openai", OPENAI_BASE_URL="v1", OPENAI_API_KEY="key")),
    "anthropic": Client(
        "Anthropic's SDKs", _by_environment("anthropic", ANTHROPIC_BASE_URL="url", ANTHROPIC_API_KEY="key")
    ),
    "google-genai": Client(
        "Google's Gen AI SDKs", _by_environment("google-genai", GOOGLE_GEMINI_BASE_URL="url", GEMINI_API_KEY="key")
    ),
    "open-webui": Client("Open WebUI", _by_environment("open-webui", OPENAI_API_BASE_URLS="v1", OPENAI_API_KEYS="key")),
    "lobechat": Client("LobeChat", _by_environment("lobechat", NEWAPI_PROXY_URL="url", NEWAPI_API_KEY="key")),
}
"""What is known, by the name a person types."""
