"""Azure OpenAI: a deployment for each model, and an API version. Source: https://learn.microsoft.com/azure/ai-foundry/openai/reference"""

from __future__ import annotations

from msgspec.structs import replace

from newapi.base.body import Body
from newapi.base.http import HttpCall
from newapi.providers import _openai as openai
from newapi.providers.contract import Target, bearer_call, openai_compatible, url

DEFAULT_VERSION = "2025-04-01-preview"
_RESPONSES = "/openai/v1/responses"


def call(target: Target, body: bytes) -> HttpCall:
    """Return the call: the deployment is the model, the key an `api-key`.

    `api-version` is the caller's, or the channel's `api_version`, or `2025-04-01-preview`. The Responses API has a
    version of its own, `responses_version`. `strip_dots` names deployments as Azure once did: `gpt-35-turbo`.
    """
    options = target.options
    version = dict(target.query).get("api-version") or str(options.get("api_version") or DEFAULT_VERSION)
    path = target.path
    if path.startswith(_RESPONSES):
        if "cognitiveservices.azure.com" in target.base_url:
            path = path.replace("/v1/", "/", 1)
        else:
            version = "preview"
        version = str(options.get("responses_version") or version)
    elif target.base_url.startswith("https://gateway.ai.cloudflare.com"):
        path = path.removeprefix("/openai/deployments")
    model = target.model.replace(".", "") if options.get("strip_dots") else target.model
    made = bearer_call(replace(target, query=()), body)
    key = ("api-key", target.key.reveal())
    headers = tuple(key if name == "authorization" else (name, value) for name, value in made.headers)
    there = replace(target, path=path, model=model)
    return HttpCall(made.method, url(there, (("api-version", version),)), headers, body)


def edit(body: Body, target: Target) -> Target:
    """Put the request right for the models that think, and ask for the usage of a stream."""
    if target.format in ("openai_chat", "openai_completions"):
        openai.usage_in_stream(body)
        openai.drop_cache_marks(body, target.model)
    return openai.reasoner_rules(body, target)


def _deployment(path: str) -> str:
    return path.replace("/v1/", "/openai/deployments/{model}/", 1)


PROVIDER = openai_compatible(
    "azure",
    title="Azure OpenAI",
    channel_type=3,
    base_url="",
    speaks={
        **{e: {f: _deployment(p) for f, p in paths.items()} for e, paths in openai.SPEAKS.items()},
        "chat": {**{f: _deployment(p) for f, p in openai.CHAT.items()}, "openai_responses": _RESPONSES},
        "compact": {"openai_compact": f"{_RESPONSES}/compact"},
    },
    docs="https://learn.microsoft.com/azure/ai-foundry/openai/reference",
    call=call,
    profile=openai.own_profile,
    edit=edit,
    options=("api_version", "responses_version", "strip_dots"),
    models_path="",
)
