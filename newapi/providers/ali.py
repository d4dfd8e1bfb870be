"""Alibaba Cloud Model Studio (DashScope, Qwen). Source: https://help.aliyun.com/zh/model-studio/compatibility-of-openai-with-dashscope"""

from __future__ import annotations

from newapi.base.body import Body
from newapi.base.http import HttpCall
from newapi.formats.contract import Profile
from newapi.providers import _openai as openai
from newapi.providers.contract import Speaks, Target, bearer_call, openai_compatible

_COMPATIBLE = "/compatible-mode/v1"
_CLAUDE_MODELS = ("qwen", "deepseek-v4", "kimi", "glm", "minimax-m")
"""Parts of the names of the models that DashScope serves in Anthropic's format."""

_SPEAKS: Speaks = {
    "chat": {
        "openai_chat": f"{_COMPATIBLE}/chat/completions",
        "openai_completions": f"{_COMPATIBLE}/completions",
        "openai_responses": "/api/v2/apps/protocols/compatible-mode/v1/responses",
    },
    "embeddings": {"embeddings": f"{_COMPATIBLE}/embeddings"},
    "rerank": {"ali_rerank": "/api/v1/services/rerank/text-rerank/text-rerank"},
}
_WITH_CLAUDE: Speaks = {
    **_SPEAKS,
    "chat": {**_SPEAKS["chat"], "anthropic_messages": "/apps/anthropic/v1/messages"},
}


def speaks_for(model: str, base_url: str) -> Speaks:
    """Return what `model` can be asked: some models in Anthropic's format too.

    Source: https://help.aliyun.com/zh/model-studio/anthropic-api-messages
    """
    return _WITH_CLAUDE if any(part in model.lower() for part in _CLAUDE_MODELS) else _SPEAKS


def profile(model: str) -> Profile:
    """Return where DashScope departs from OpenAI: `top_k` is taken, reasoning may be sent back."""
    return Profile(reasoning_echo="optional", top_k=True)


def call(target: Target, body: bytes) -> HttpCall:
    """Return the call, with DashScope's headers for streams and for the channel's `plugin`."""
    extra = (("x-dashscope-sse", "enable"),) if target.stream else ()
    if plugin := target.options.get("plugin"):
        extra += (("x-dashscope-plugin", str(plugin)),)
    return bearer_call(target, body, *extra)


def edit(body: Body, target: Target) -> Target:
    """Ask for the usage of a stream; bring `top_p` between 0 and 1, both excluded there, where it was said."""
    if target.format not in ("openai_chat", "openai_completions"):
        return target
    openai.usage_in_stream(body)
    openai.lower_top_p(body, 0.999)
    top_p: object = body.get("top_p")
    if isinstance(top_p, int | float) and top_p <= 0:
        body.set("top_p", 0.001)
    return target


PROVIDER = openai_compatible(
    "ali",
    title="Alibaba Cloud Model Studio (Qwen)",
    channel_type=17,
    base_url="https://dashscope.aliyuncs.com",
    speaks=_WITH_CLAUDE,
    docs="https://help.aliyun.com/zh/model-studio/compatibility-of-openai-with-dashscope",
    call=call,
    profile=profile,
    edit=edit,
    options=("plugin",),
    models_path=f"{_COMPATIBLE}/models",
    speaks_for=speaks_for,
)
