"""Baidu Qianfan V2 (ERNIE). Source: https://cloud.baidu.com/doc/qianfan-api/s/3m7of64lb"""

from __future__ import annotations

from msgspec.structs import replace

from newapi.base.body import Body
from newapi.base.http import HttpCall
from newapi.base.secret import Secret
from newapi.providers import _openai as openai
from newapi.providers.contract import Target, bearer_call, openai_compatible

_SEARCH = {"enable": True, "enable_citation": True, "enable_trace": True, "enable_status": False}


def call(target: Target, body: bytes) -> HttpCall:
    """Return the call; a key `token|appid` says the application too."""
    token, _, application = target.key.reveal().partition("|")
    extra = (("appid", application),) if application else ()
    return bearer_call(replace(target, key=Secret(token)), body, *extra)


def edit(body: Body, target: Target) -> Target:
    """Ask for the usage of a stream; `…-search` is the model with its search turned on."""
    if target.format != "openai_chat":
        return target
    openai.usage_in_stream(body)
    if not target.model.endswith("-search"):
        return target
    if "web_search" not in body:
        body.set("web_search", _SEARCH)
    return replace(target, model=target.model.removesuffix("-search"))


PROVIDER = openai_compatible(
    "baidu_v2",
    title="Baidu Qianfan V2 (ERNIE)",
    channel_type=46,
    base_url="https://qianfan.baidubce.com",
    speaks={
        "chat": {"openai_chat": "/v2/chat/completions"},
        "embeddings": {"embeddings": "/v2/embeddings"},
        "rerank": {"rerank": "/v2/rerank"},
        "images": {"images": "/v2/images/generations"},
    },
    docs="https://cloud.baidu.com/doc/qianfan-api/s/3m7of64lb",
    call=call,
    edit=edit,
    models_path="/v2/models",
)
