"""Any OpenAI-compatible server by its full URL: the channel's base URL is where everything is posted, as it is."""

from __future__ import annotations

from urllib.parse import quote, urlencode

from msgspec.structs import replace

from newapi.base.http import HttpCall
from newapi.providers import _openai as openai
from newapi.providers._compatible import edit
from newapi.providers.contract import Target, bearer_call, openai_compatible


def call(target: Target, body: bytes) -> HttpCall:
    """Return a call to the base URL itself, `{model}` in it filled in."""
    made = bearer_call(replace(target, query=()), body)
    url = target.base_url.replace("{model}", quote(target.model, safe="/:@.-_~"))
    if target.query and target.entry == target.format:
        url += ("&" if "?" in url else "?") + urlencode(target.query)
    return HttpCall(made.method, url, made.headers, body)


# One URL can speak one kind of chat; a channel for another says so with `formats`.
PROVIDER = openai_compatible(
    "custom",
    title="Custom",
    channel_type=8,
    base_url="",
    speaks={**openai.SPEAKS, "chat": {"openai_chat": "/v1/chat/completions"}},
    docs="https://platform.openai.com/docs/api-reference/chat",
    call=call,
    profile=openai.profile,
    edit=edit,
    models_path="",
)
