"""Cloudflare Workers AI. Source: https://developers.cloudflare.com/workers-ai/configuration/open-ai-compatibility/"""

from __future__ import annotations

from urllib.parse import quote

from msgspec.structs import replace

from newapi.base.errors import UpstreamError
from newapi.base.http import HttpCall
from newapi.providers import _openai as openai
from newapi.providers._compatible import edit_with_usage
from newapi.providers.contract import Target, bearer_call, openai_compatible

_ACCOUNT = "/client/v4/accounts/{account_id}/ai/v1"


def call(target: Target, body: bytes) -> HttpCall:
    """Return the call under the channel's `account_id`.

    Raises:
        UpstreamError: The channel names no account.
    """
    account = target.options.get("account_id")
    if not account:
        raise UpstreamError("the channel has no account_id", kind="refused", code="channel:account_id_missing")
    return bearer_call(replace(target, path=target.path.replace("{account_id}", quote(str(account), safe=""))), body)


PROVIDER = openai_compatible(
    "cloudflare",
    title="Cloudflare Workers AI",
    channel_type=39,
    base_url="https://api.cloudflare.com",
    speaks={
        "chat": {
            "openai_chat": f"{_ACCOUNT}/chat/completions",
            "openai_responses": f"{_ACCOUNT}/responses",
        },
        "embeddings": {"embeddings": f"{_ACCOUNT}/embeddings"},
    },
    docs="https://developers.cloudflare.com/workers-ai/configuration/open-ai-compatibility/",
    call=call,
    profile=openai.profile,
    edit=edit_with_usage,
    options=("account_id",),
    models_path="",
)
