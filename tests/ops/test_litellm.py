from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from newapi.base.errors import StoreError
from newapi.base.secret import Secret
from newapi.config.schema import ChannelSpec, HealthSpec, ModelSpec, RoutingSpec
from newapi.ops import channels
from newapi.ops.import_litellm import import_litellm, is_litellm
from newapi.ops.importing import Imported
from newapi.ops.litellm import Converted, convert
from newapi.ops.local import Local, open_local
from newapi.store import declared, snapshot

FILE = """
model_list:
  - model_name: gpt-4o
    litellm_params:
      model: azure/gpt-4o-eu
      api_base: https://eu.openai.azure.com/
      api_key: os.environ/AZURE_EU
      api_version: "2024-02-01"
      rpm: 6
  - model_name: gpt-4o
    litellm_params: {model: openai/gpt-4o, api_key: os.environ/OPENAI_API_KEY, order: 2, weight: 3}
  - model_name: gpt-4o-mini
    litellm_params: {model: gpt-4o-mini, api_key: os.environ/OPENAI_API_KEY, order: 2, weight: 3}
  - model_name: sonnet
    litellm_params: {model: anthropic/claude-3-5-sonnet-20241022, api_key: sk-ant-canary, max_tokens: 4096}
  - model_name: local
    litellm_params: {model: ollama_chat/llama3, api_base: "http://127.0.0.1:11434"}
    model_info: {input_cost_per_token: 0.0000005, output_cost_per_token: 1.0e-6}
  - model_name: titan
    litellm_params: {model: bedrock/amazon.titan, aws_region_name: us-east-1}
litellm_settings: {drop_params: true, success_callback: [langfuse]}
router_settings:
  routing_strategy: latency-based-routing
  num_retries: 2
  fallbacks: [{"gpt-4o": [sonnet]}]
  allowed_fails: 3
  cooldown_time: 30
  model_group_alias: {gpt-4: gpt-4o}
general_settings: {master_key: sk-1234, database_url: "postgresql://u:pw-canary@h/d"}
environment_variables: {OPENAI_API_KEY: sk-env-canary}
"""


def read(text: str, **environment: str) -> Converted:
    def keep(secret: Secret) -> str:
        return f"secret:{secret.reveal()}"

    return convert(text, keep, routing=RoutingSpec(), health=HealthSpec(), environment=environment)


def one(params: str, name: str = "m", more: str = "", **environment: str) -> ChannelSpec:
    made = read(f"model_list: [{{model_name: '{name}', litellm_params: {{{params}}}{more}}}]", **environment)
    (spec,) = made.config.channels.values()
    return spec


def test_a_whole_file() -> None:
    made = read(FILE)
    assert made.config.channels == {
        "azure": ChannelSpec(
            type="azure",
            base_url="https://eu.openai.azure.com",
            key="env:AZURE_EU",
            models=("gpt-4o", "gpt-4"),
            model_mapping={"gpt-4o": "gpt-4o-eu", "gpt-4": "gpt-4o-eu"},
            weight=6,
            options={"api_version": "2024-02-01"},
        ),
        "openai": ChannelSpec(
            type="openai",
            key="env:OPENAI_API_KEY",
            models=("gpt-4o", "gpt-4o-mini", "gpt-4"),
            model_mapping={"gpt-4": "gpt-4o"},
            priority=-2,
            weight=3,
        ),
        "anthropic": ChannelSpec(
            type="anthropic",
            key="secret:sk-ant-canary",
            models=("sonnet",),
            model_mapping={"sonnet": "claude-3-5-sonnet-20241022"},
            params={"max_tokens": 4096},
        ),
        "openai-2": ChannelSpec(
            type="openai",
            base_url="http://127.0.0.1:11434",
            key="secret:none",
            models=("local",),
            model_mapping={"local": "llama3"},
        ),
        "aws": ChannelSpec(type="aws", models=("titan",), model_mapping={"titan": "amazon.titan"}),
    }
    assert made.sections == ("routing", "health")
    assert (made.config.routing.retries, made.config.routing.strategy) == (2, "lowest-latency")
    assert (made.config.health.failures, made.config.health.cooldown) == (4, 30.0)
    assert made.config.tokens["litellm-master"].key == "secret:sk-1234"
    assert made.config.models["gpt-4o"] == ModelSpec(fallback=("sonnet",))
    assert made.config.models["local"] == ModelSpec(input=Decimal("0.5"), output=Decimal(1))
    sonnet = made.config.models["sonnet"]
    assert (sonnet.input, sonnet.output) == (3, 15), "what it stands for costs that"
    missed = {m.where: m.reason for m in made.missed}
    assert set(missed) == {
        "model_list[0]",
        "model_list[5] (titan)",
        "model_list[5].litellm_params.aws_region_name",
        "model titan",
        "litellm_settings.success_callback",
        "general_settings.database_url",
        "environment_variables",
    }
    assert not any("canary" in reason for reason in missed.values())


@pytest.mark.parametrize(
    ("params", "expected"),
    [
        ("model: claude-3-5-haiku-latest", {"type": "anthropic", "key": "env:ANTHROPIC_API_KEY"}),
        ("model: groq/llama", {"type": "openai", "base_url": "https://api.groq.com/openai", "key": "env:GROQ_API_KEY"}),
        (
            "model: deepinfra/meta/llama",
            {"type": "custom", "base_url": "https://api.deepinfra.com/v1/openai/chat/completions"},
        ),
        ("model: openai/x, api_base: 'http://h:8000/v1/'", {"type": "openai", "base_url": "http://h:8000"}),
        (
            "model: openai/x, api_base: 'http://h:8000'",
            {"type": "custom", "base_url": "http://h:8000/chat/completions"},
        ),
        ("model: openai/x, api_base: os.environ/BASE", {"type": "openai", "base_url": "http://env"}),
        ("model: openai/x, api_base: os.environ/NOT_SET", {"type": "openai", "base_url": ""}),
        ("model: x, custom_llm_provider: mistral", {"type": "mistral", "model_mapping": {"m": "x"}}),
        ("model: openrouter/anthropic/claude-x", {"type": "openrouter", "model_mapping": {"m": "anthropic/claude-x"}}),
        ("model: hosted_vllm/x, api_base: 'http://h/v1'", {"type": "openai", "key": "secret:none"}),
        ("model: gpt-4o, weight: 0.25", {"weight": 25}),
        ("model: gpt-4o, tpm: 90000", {"weight": 90}),
        ("model: gpt-4o, order: 3", {"priority": -3}),
        ("model: gpt-4o, extra_headers: {X-Team: a}", {"headers": {"X-Team": "a"}}),
        ("model: gpt-4o, extra_body: {a: 1}, temperature: 0", {"params": {"temperature": 0, "a": 1}}),
        ("model: gpt-4o, organization: os.environ/BASE", {"organization": "http://env/v1"}),
    ],
)
def test_a_deployment(params: str, expected: dict[str, Any]) -> None:
    spec = one(params, BASE="http://env/v1")
    assert {name: getattr(spec, name) for name in expected} == expected


def test_patterns() -> None:
    assert one("model: '*'", "*").models == ("*",)
    assert one("model: 'gpt-*'", "gpt-*").model_mapping == {}
    for name, model in (("anthropic/*", "anthropic/*"), ("x-*", "openai/y-*")):
        made = read(f"model_list: [{{model_name: '{name}', litellm_params: {{model: '{model}'}}}}]")
        assert made.config.channels == {}
        assert "pattern" in made.missed[0].reason


def test_named_credentials_and_default_fallbacks() -> None:
    made = read("""
credential_list: [{credential_name: eu, credential_values: {api_key: os.environ/EU, api_base: "http://eu/v1"}}]
model_list:
  - {model_name: gpt-4o, litellm_params: {model: openai/gpt-4o, litellm_credential_name: eu}}
  - {model_name: gpt-4, litellm_params: {model: openai/gpt-4, litellm_credential_name: none}}
litellm_settings: {default_fallbacks: [gpt-4]}
""")
    assert made.config.channels["openai"].base_url == "http://eu"
    assert made.config.channels["openai"].key == "env:EU"
    assert made.config.models["gpt-4o"].fallback == ("gpt-4",)
    assert "there are no credentials 'none'" in [m.reason for m in made.missed]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a: [", "no YAML, line 1"),
        ("a: !!python/object:os.system x", "no YAML"),
        ("- 1", "no `model_list`"),
        ("model_list: 5", "no `model_list`"),
    ],
)
def test_what_is_no_such_file(text: str, message: str) -> None:
    with pytest.raises(StoreError, match=message):
        read(text)


@pytest.mark.parametrize("entry", ["5", "{model_name: m}", "{litellm_params: {model: gpt-4o}}"])
def test_entries_that_make_no_sense_are_told(entry: str) -> None:
    made = read(f"model_list: [{entry}]")
    assert made.config.channels == {}
    assert made.missed[0].where.startswith("model_list[0]")


# -- into a database ---------------------------------------------------------------------------


@pytest.fixture
def here(tmp_path: Path, empty_database: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Local]:
    config = tmp_path / "config.toml"
    config.write_text('version = 1\n[server]\ndatabase = "env:SQL_DSN"\n')
    monkeypatch.setenv("SQL_DSN", empty_database)
    local = open_local(config)
    yield local
    local.db.close()


def take(here: Local, **options: Any) -> Imported:
    file = here.path.parent / "litellm.yaml"
    if not file.exists():
        file.write_text(FILE)
    return import_litellm(here, file, who="test", **options)


def test_it_is_in_force_and_no_file_takes_it_away(here: Local) -> None:
    done = take(here)
    assert [(c.kind, c.new, c.there) for c in done.counts] == [("channels", 5, 0), ("models", 3, 0), ("tokens", 1, 0)]
    there = snapshot.load(here.db)
    assert there.routing.retries == 2
    assert {token.name for token in there.tokens} == {"litellm-master"}
    (found,) = [view for view in channels.list_channels(here.db) if view.name == "anthropic"]
    assert [key.reveal() for key in channels.keys_of(here, found)] == ["sk-ant-canary"]
    with here.db.reading() as c:
        assert {row.managed for row in declared.read(c).channels.values()} == {""}
    assert {channel.name for channel in there.channels} == {"azure", "openai", "anthropic", "openai-2", "aws"}
    assert "canary" not in done.toml + repr(done)


def test_a_second_time_doubles_nothing(here: Local) -> None:
    before = take(here).toml
    again = take(here)
    assert [(c.kind, c.new) for c in again.counts] == [("channels", 0), ("models", 0), ("tokens", 0)]
    assert again.toml == before


def test_only_looking_changes_nothing(here: Local) -> None:
    assert "anthropic" in take(here, dry_run=True).toml
    assert channels.list_channels(here.db) == []
    assert snapshot.load(here.db).generation == 0


def test_another_channel_of_that_name_stays(here: Local) -> None:
    first = here.path.parent / "litellm.yaml"
    first.write_text("model_list: [{model_name: gpt-4, litellm_params: {model: gpt-4, api_key: sk-mine}}]")
    take(here)
    first.write_text(FILE)
    done = take(here)
    assert {"openai", "openai-2", "openai-3"} <= {view.name for view in channels.list_channels(here.db)}
    assert "it is called 'openai-2' here" in [row.reason for row in done.left]


def test_a_file_that_cannot_be_read(here: Local, tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="cannot be read"):
        import_litellm(here, tmp_path / "none.yaml", who="test")
    assert is_litellm("a/config.yml")
    assert not is_litellm("mysql://h/x")
