"""LiteLLM's `config.yaml` as a configuration of ours: its deployments are channels, its groups of them model names.

Source: https://docs.litellm.ai/docs/proxy/config_settings, https://docs.litellm.ai/docs/routing and
https://docs.litellm.ai/docs/proxy/reliability (read 2026-11).
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import Any, cast

import yaml
from msgspec import Struct
from msgspec.structs import replace

from newapi.base.errors import StoreError
from newapi.base.secret import Secret
from newapi.billing.book import PriceBook
from newapi.config.schema import ChannelSpec, Config, HealthSpec, ModelSpec, RoutingSpec, TokenSpec

_MILLION = 1_000_000
_USD_PER_RATE = 2
"""Quota of 1 a token is two US dollars a million tokens."""


class _Provider(Struct, frozen=True):
    """Where LiteLLM sends what it calls by a prefix: the type here, the address where that is another, the variable."""

    type: str
    base_url: str = ""
    variable: str = ""


_PROVIDERS: Mapping[str, _Provider] = {
    "openai": _Provider("openai", variable="OPENAI_API_KEY"),
    "text-completion-openai": _Provider("openai", variable="OPENAI_API_KEY"),
    "anthropic": _Provider("anthropic", variable="ANTHROPIC_API_KEY"),
    "azure": _Provider("azure", variable="AZURE_API_KEY"),
    "gemini": _Provider("gemini", variable="GEMINI_API_KEY"),
    "mistral": _Provider("mistral", variable="MISTRAL_API_KEY"),
    "deepseek": _Provider("deepseek", variable="DEEPSEEK_API_KEY"),
    "xai": _Provider("xai", variable="XAI_API_KEY"),
    "openrouter": _Provider("openrouter", variable="OPENROUTER_API_KEY"),
    "perplexity": _Provider("perplexity", variable="PERPLEXITYAI_API_KEY"),
    "dashscope": _Provider("ali", variable="DASHSCOPE_API_KEY"),
    "moonshot": _Provider("moonshot", variable="MOONSHOT_API_KEY"),
    "volcengine": _Provider("volcengine", variable="VOLCENGINE_API_KEY"),
    "groq": _Provider("openai", "https://api.groq.com/openai/v1", "GROQ_API_KEY"),
    "together_ai": _Provider("openai", "https://api.together.xyz/v1", "TOGETHERAI_API_KEY"),
    "fireworks_ai": _Provider("openai", "https://api.fireworks.ai/inference/v1", "FIREWORKS_AI_API_KEY"),
    "cerebras": _Provider("openai", "https://api.cerebras.ai/v1", "CEREBRAS_API_KEY"),
    "nvidia_nim": _Provider("openai", "https://integrate.api.nvidia.com/v1", "NVIDIA_NIM_API_KEY"),
    "sambanova": _Provider("openai", "https://api.sambanova.ai/v1", "SAMBANOVA_API_KEY"),
    "deepinfra": _Provider("custom", "https://api.deepinfra.com/v1/openai", "DEEPINFRA_API_KEY"),
    "ollama": _Provider("openai", "http://localhost:11434/v1"),
    "ollama_chat": _Provider("openai", "http://localhost:11434/v1"),
    "hosted_vllm": _Provider("openai"),
    "vllm": _Provider("openai"),
    "lm_studio": _Provider("openai"),
    "llamafile": _Provider("openai"),
    "xinference": _Provider("openai"),
    "litellm_proxy": _Provider("openai"),
    "openai_like": _Provider("openai"),
    "azure_ai": _Provider("openai", variable="AZURE_AI_API_KEY"),
    "bedrock": _Provider("aws"),
    "vertex_ai": _Provider("vertex"),
    "cohere": _Provider("cohere", variable="COHERE_API_KEY"),
    "cohere_chat": _Provider("cohere", variable="COHERE_API_KEY"),
    "replicate": _Provider("replicate", variable="REPLICATE_API_KEY"),
}
_UNSERVED = ("aws", "vertex", "cohere", "replicate")
_BY_NAME = (("claude", "anthropic"), ("gpt-", "openai"), ("o1", "openai"), ("o3", "openai"), ("o4", "openai"))
"""How LiteLLM finds a provider that is not said: it knows the model's name."""
_LOCAL = ("ollama", "ollama_chat", "hosted_vllm", "vllm", "lm_studio", "llamafile", "xinference", "openai_like")
"""Servers that ask for no key; a channel sends one all the same."""
_STRATEGIES = {
    "simple-shuffle": "weighted",
    "least-busy": "least-busy",
    "latency-based-routing": "lowest-latency",
    "cost-based-routing": "lowest-cost",
    "usage-based-routing": "least-busy",
    "usage-based-routing-v2": "least-busy",
}
_KNOWN_PARAMS = (
    *("model", "api_key", "api_base", "base_url", "api_version", "organization", "weight", "order", "rpm", "tpm"),
    *("custom_llm_provider", "extra_headers", "litellm_credential_name", "input_cost_per_token"),
    *("output_cost_per_token", "cache_read_input_token_cost", "cache_creation_input_token_cost"),
)
_BODY = (
    *("temperature", "top_p", "max_tokens", "max_completion_tokens", "presence_penalty", "frequency_penalty", "stop"),
    *("seed", "response_format", "reasoning_effort", "extra_body", "thinking", "service_tier"),
)
"""What LiteLLM puts into every body."""
_PRICES = {
    "input_cost_per_token": "input",
    "output_cost_per_token": "output",
    "cache_read_input_token_cost": "cached_input",
    "cache_creation_input_token_cost": "cache_write",
}
_TOLD = {
    "litellm_settings": ("num_retries", "fallbacks", "default_fallbacks", "drop_params", "set_verbose"),
    "router_settings": (
        *("routing_strategy", "num_retries", "fallbacks", "default_fallbacks", "allowed_fails", "cooldown_time"),
        "model_group_alias",
    ),
    "general_settings": ("master_key",),
}
"""What of a section is taken over (or means nothing here)."""
_ELSEWHERE = {
    "database_url": "virtual keys, users and teams of LiteLLM's database are not taken over",
    "redis_host": 'the cache is `[server] cache = "redis://…"`',
    "redis_url": 'the cache is `[server] cache = "redis://…"`',
    "request_timeout": "timeouts are in [limits]",
    "timeout": "timeouts are in [limits]",
    "stream_timeout": "timeouts are in [limits]",
    "context_window_fallbacks": "a model falls back for every failure here: see `fallback` of [models]",
    "content_policy_fallbacks": "a model falls back for every failure here: see `fallback` of [models]",
}

Keep = Callable[[Secret], str]
"""Keeps a secret that stands in the file, and returns the reference to it."""


class Missed(Struct, frozen=True):
    """What of the file was not taken over: where it stands, and why."""

    where: str
    reason: str


class Converted(Struct, frozen=True):
    """The configuration, and what of the file is not in it. Sections are those that the file says something of."""

    config: Config
    sections: tuple[str, ...]
    missed: tuple[Missed, ...]


def convert(
    text: str,
    keep: Keep,
    *,
    routing: RoutingSpec,
    health: HealthSpec,
    environment: Mapping[str, str] = os.environ,
) -> Converted:
    """Return the configuration that a `config.yaml` of LiteLLM's proxy means.

    Args:
        text: The file.
        keep: What keeps keys that stand in the file.
        routing: What is set so far: the file may change some of it.
        health: Likewise.
        environment: For addresses that the file takes from there.

    Raises:
        StoreError: It is no YAML, or no such file.
    """
    return _Conversion(_read(text), keep, environment).run(routing, health)


def _read(text: str) -> dict[str, Any]:
    try:
        data: Any = yaml.safe_load(text)
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        where = f", line {mark.line + 1}, column {mark.column + 1}" if mark else ""
        raise StoreError(f"The file is no YAML{where}: {getattr(error, 'problem', error)}") from None
    if not isinstance(data, dict) or not isinstance(cast(dict[str, Any], data).get("model_list"), list):
        raise StoreError("The file is no configuration of LiteLLM: it has no `model_list`")
    return cast(dict[str, Any], data)


class _Conversion:
    def __init__(self, data: dict[str, Any], keep: Keep, environment: Mapping[str, str]) -> None:
        self._data, self._keep, self._environment = data, keep, environment
        self._missed: list[Missed] = []
        self._channels: list[ChannelSpec] = []
        self._models: dict[str, ModelSpec] = {}

    def run(self, routing: RoutingSpec, health: HealthSpec) -> Converted:
        for i, entry in enumerate(self._data["model_list"]):
            where = f"model_list[{i}]"
            if not isinstance(entry, dict) or not isinstance(cast(dict[str, Any], entry).get("litellm_params"), dict):
                self._miss(where, "it has no litellm_params")
                continue
            self._deployment(where, cast(dict[str, Any], entry))
        litellm, router = self._section("litellm_settings"), self._section("router_settings")
        settings = {**litellm, **router}
        self._aliases(settings.get("model_group_alias"))
        self._fallbacks(settings)
        self._alias_prices()
        changed = {"routing": self._routing(routing, settings), "health": self._health(health, settings)}
        sections = tuple(name for name, spec in changed.items() if spec not in (routing, health))
        self._elsewhere()
        config = Config(
            **{name: changed[name] for name in sections},
            channels=_named(self._channels),
            models=self._models,
            tokens=self._tokens(),
        )
        return Converted(config, sections, tuple(self._missed))

    def _miss(self, where: str, reason: str) -> None:
        self._missed.append(Missed(where, reason))

    def _section(self, name: str) -> dict[str, Any]:
        found = self._data.get(name)
        return cast(dict[str, Any], found) if isinstance(found, dict) else {}

    # -- a deployment ------------------------------------------------------------------------------

    def _deployment(self, where: str, entry: dict[str, Any]) -> None:
        name = str(entry.get("model_name") or "")
        params = self._credentials(where, entry["litellm_params"])
        prefix, model = self._split(params)
        provider = _PROVIDERS.get(prefix)
        if not name or provider is None:
            self._miss(
                f"{where} ({name})", f"provider {prefix!r} is not known here" if name else "it has no model_name"
            )
            return
        if ("*" in name or "*" in model) and name != model:
            if name.removeprefix(f"{prefix}/") == model and name != "*":
                self._miss(f"{where} ({name})", "a pattern with a prefix: name the models, or the pattern without it")
                return
            if name != "*":
                self._miss(f"{where} ({name})", f"a pattern that stands for another, {model!r}")
                return
        if provider.type in _UNSERVED:
            self._miss(f"{where} ({name})", f"channels of type {provider.type!r} are kept, and not used")
        spec = self._spec(where, prefix, provider, params, entry)
        self._add(spec, name, name if "*" in name else model)
        self._price(name, {**params, **_mapping(entry.get("model_info"))})

    def _credentials(self, where: str, said: dict[str, Any]) -> dict[str, Any]:
        wanted = said.get("litellm_credential_name")
        for entry in self._data.get("credential_list") or ():
            if wanted and entry.get("credential_name") == wanted:
                return {**_mapping(entry.get("credential_values")), **said}
        if wanted:
            self._miss(where, f"there are no credentials {wanted!r}")
        return said

    def _split(self, params: Mapping[str, Any]) -> tuple[str, str]:
        """Return the provider and the model, as `openai/gpt-4o` says them."""
        text = str(params.get("model") or "")
        prefix, slash, model = text.partition("/")
        if provider := params.get("custom_llm_provider"):
            return str(provider), text.removeprefix(f"{provider}/")
        if slash and prefix in _PROVIDERS:
            return prefix, model
        return next(
            (provider for start, provider in _BY_NAME if text.startswith(start)), prefix if slash else "openai"
        ), text

    def _spec(
        self, where: str, prefix: str, provider: _Provider, params: Mapping[str, Any], entry: Mapping[str, Any]
    ) -> ChannelSpec:
        type_, base_url = provider.type, self._plain(where, params.get("api_base") or params.get("base_url"))
        base_url = base_url or provider.base_url
        base_url = base_url.rstrip("/")
        if type_ in ("openai", "custom") and base_url and not prefix.startswith("ollama"):
            type_, base_url = _address(base_url)
        elif type_ != "azure":
            base_url = base_url.removesuffix("/v1").removesuffix("/v1beta")
        options: dict[str, Any] = {}
        if type_ == "azure" and params.get("api_version"):
            options["api_version"] = self._plain(where, params["api_version"])
        limits = {name: params.get(name, entry.get(name)) for name in ("rpm", "tpm")}
        limits = {name: value for name, value in limits.items() if isinstance(value, int | float)}
        if limits:
            told = ", ".join(f"{name} {value}" for name, value in limits.items())
            self._miss(where, f"{told}: taken for its share; limits belong to tokens and groups here")
        body = {name: params[name] for name in _BODY if params.get(name) is not None}
        for name in params:
            if name not in _KNOWN_PARAMS and name not in _BODY:
                self._miss(f"{where}.litellm_params.{name}", _ELSEWHERE.get(name, "there is nothing like it here"))
        return ChannelSpec(
            type=type_,
            base_url=base_url,
            key=self._key(prefix, provider, params.get("api_key")),
            priority=-int(params.get("order") or 0),
            weight=_weight(params.get("weight"), limits),
            headers={str(k): self._plain(where, v) for k, v in _mapping(params.get("extra_headers")).items()},
            params={**{k: v for k, v in body.items() if k != "extra_body"}, **_mapping(body.get("extra_body"))},
            organization=self._plain(where, params.get("organization")),
            options=options,
        )

    def _key(self, prefix: str, provider: _Provider, said: Any) -> str:
        if said:
            return self._reference(str(said))
        if provider.variable:
            return f"env:{provider.variable}"
        return self._keep(Secret("none")) if prefix in _LOCAL else ""

    def _reference(self, text: str) -> str:
        variable = text.removeprefix("os.environ/")
        return f"env:{variable}" if variable != text else self._keep(Secret(text))

    def _plain(self, where: str, value: Any) -> str:
        """Return a text that may be in the environment: here it has to be said."""
        text = str(value or "")
        if not text.startswith("os.environ/"):
            return text
        variable = text.removeprefix("os.environ/")
        if variable not in self._environment:
            self._miss(where, f"{variable} is not in the environment: it is left out")
        return self._environment.get(variable, "")

    def _add(self, spec: ChannelSpec, name: str, model: str) -> None:
        """Add a model to the channel that is the same account, or as a new channel where that serves the name."""
        for i, there in enumerate(self._channels):
            if replace(there, models=(), model_mapping={}) == spec and name not in there.models:
                mapping = there.model_mapping | ({name: model} if name != model else {})
                if not _circular(mapping):
                    self._channels[i] = replace(there, models=(*there.models, name), model_mapping=mapping)
                    return
        self._channels.append(replace(spec, models=(name,), model_mapping={name: model} if name != model else {}))

    def _price(self, name: str, said: Mapping[str, Any]) -> None:
        prices = {
            field: Decimal(str(said[cost])) * _MILLION
            for cost, field in _PRICES.items()
            if isinstance(said.get(cost), int | float | str) and _is_number(said[cost])
        }
        if prices and "input" in prices:
            self._models[name] = ModelSpec(**{field: price.normalize() for field, price in prices.items()})  # type: ignore[arg-type]

    def _alias_prices(self) -> None:
        """Price a name that callers use as the model it stands for; tell which names have no price."""
        book = PriceBook(self._models)
        for spec in self._channels:
            for name in spec.models:
                if "*" in name or book.has_price(name):
                    continue
                price = book.find(spec.model_mapping.get(name, name))
                there = self._models.get(name, ModelSpec())
                if price is None:
                    self._miss(f"model {name}", f"it has no price, and is refused until [models.{name}] says one")
                elif price.per_call is not None:
                    self._models[name] = replace(there, price=price.per_call)
                else:
                    rates = price.rates
                    usd = {"input": rates.input, "output": rates.output, "cached_input": rates.cache_read}
                    usd["cache_write"] = rates.cache_write
                    self._models[name] = replace(there, **{key: rate * _USD_PER_RATE for key, rate in usd.items()})
                book = PriceBook(self._models)

    # -- what is said of all ------------------------------------------------------------------------

    def _aliases(self, said: Any) -> None:
        for alias, target in _mapping(said).items():
            model = str(target.get("model")) if isinstance(target, dict) else str(target)
            found = [i for i, spec in enumerate(self._channels) if model in spec.models and alias not in spec.models]
            if not found:
                self._miss(f"model_group_alias.{alias}", f"nothing serves {model!r}")
            for i in found:
                spec = self._channels[i]
                mapping = {**spec.model_mapping, alias: spec.model_mapping.get(model, model)}
                self._channels[i] = replace(spec, models=(*spec.models, alias), model_mapping=mapping)

    def _fallbacks(self, settings: Mapping[str, Any]) -> None:
        said: dict[str, tuple[str, ...]] = {}
        for entry in settings.get("fallbacks") or ():
            said |= {str(model): tuple(map(str, others)) for model, others in _mapping(entry).items()}
        if default := tuple(map(str, settings.get("default_fallbacks") or ())):
            served = {model for spec in self._channels for model in spec.models if "*" not in model}
            said = {
                model: others for model in sorted(served) if (others := tuple(o for o in default if o != model))
            } | said
        for model, others in said.items():
            self._models[model] = replace(self._models.get(model, ModelSpec()), fallback=others)

    def _routing(self, routing: RoutingSpec, settings: Mapping[str, Any]) -> RoutingSpec:
        if isinstance(retries := settings.get("num_retries"), int):
            routing = replace(routing, retries=retries)
        if strategy := settings.get("routing_strategy"):
            found: Any = _STRATEGIES.get(str(strategy))
            if found is None or str(strategy).startswith("usage"):
                instead = f": {found!r} is taken for it" if found else ""
                self._miss("router_settings.routing_strategy", f"there is no {strategy!r} here{instead}")
            routing = replace(routing, strategy=found or routing.strategy)
        return routing

    def _health(self, health: HealthSpec, settings: Mapping[str, Any]) -> HealthSpec:
        if isinstance(fails := settings.get("allowed_fails"), int):
            health = replace(health, failures=fails + 1)
        if isinstance(seconds := settings.get("cooldown_time"), int | float):
            health = replace(health, cooldown=float(seconds))
        return health

    def _tokens(self) -> dict[str, TokenSpec]:
        master = self._section("general_settings").get("master_key")
        if not master:
            return {}
        return {"litellm-master": TokenSpec(key=self._reference(str(master)), unlimited=True)}

    def _elsewhere(self) -> None:
        for section, value in self._data.items():
            if section in ("model_list", "credential_list"):
                continue
            if section == "environment_variables":
                names = ", ".join(_mapping(value))
                self._miss(section, f"the service's environment has to have them: {names}")
            elif section not in _TOLD:
                self._miss(section, "there is nothing like it here")
            else:
                for name in _mapping(value):
                    if name not in _TOLD[section]:
                        self._miss(f"{section}.{name}", _ELSEWHERE.get(name, "there is nothing like it here"))


def _named(specs: list[ChannelSpec]) -> dict[str, ChannelSpec]:
    found: dict[str, ChannelSpec] = {}
    for spec in specs:
        name, number = spec.type, 1
        while name in found:
            number += 1
            name = f"{spec.type}-{number}"
        found[name] = spec
    return found


def _address(url: str) -> tuple[str, str]:
    """Return the type and the base URL for an address to which LiteLLM adds `/chat/completions`."""
    if url == "https://api.openai.com/v1":
        return "openai", ""
    return ("openai", url.removesuffix("/v1")) if url.endswith("/v1") else ("custom", f"{url}/chat/completions")


def _weight(said: Any, limits: Mapping[str, Any]) -> int:
    """Return a share: LiteLLM goes by the weight, else by `rpm`, else by `tpm`."""
    if isinstance(said, int | float):
        return round(said) if float(said).is_integer() else max(1, round(said * 100))
    share = limits.get("rpm") or (limits["tpm"] / 1000 if limits.get("tpm") else None)
    return 100 if share is None else max(1, round(share))


def _circular(mapping: Mapping[str, str]) -> bool:
    return any(target in mapping and mapping[target] != target for target in mapping.values())


def _mapping(value: Any) -> dict[str, Any]:
    return {str(k): v for k, v in cast(dict[Any, Any], value).items()} if isinstance(value, dict) else {}


def _is_number(value: Any) -> bool:
    try:
        return Decimal(str(value)).is_finite()
    except ArithmeticError:
        return False
