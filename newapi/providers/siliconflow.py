"""SiliconFlow, hosting of open models. Source: https://docs.siliconflow.cn/cn/api-reference/chat-completions/chat-completions"""

from __future__ import annotations

from newapi.base.body import Body
from newapi.providers import _openai as openai
from newapi.providers.contract import Target, openai_compatible


def edit(body: Body, target: Target) -> Target:
    """Ask for the usage of a stream; name the sizes and counts of pictures SiliconFlow's way."""
    if target.endpoint == "images":
        for theirs, ours in (("image_size", "size"), ("batch_size", "n")):
            value = body.pop(ours)
            if value is not None and theirs not in body:
                body.set(theirs, value)
        return target
    if target.format not in ("openai_chat", "openai_completions"):
        return target
    openai.usage_in_stream(body)
    if ("prefix" in body or "suffix" in body) and not body.get("messages"):
        # Filling in the middle is a chat there, and a chat needs a message.
        body.set("messages", [{"role": "user", "content": ""}])
    return target


PROVIDER = openai_compatible(
    "siliconflow",
    title="SiliconFlow",
    channel_type=40,
    base_url="https://api.siliconflow.cn",
    speaks=openai.only("embeddings", "rerank", "images", "speech", "transcription"),
    docs="https://docs.siliconflow.cn/cn/api-reference/chat-completions/chat-completions",
    profile=openai.profile,
    edit=edit,
)
