"""The request of those who copy OpenAI's API without more: OpenAI's rules, and no `stream_options`."""

from __future__ import annotations

from newapi.base.body import Body
from newapi.providers import _openai as openai
from newapi.providers.contract import Target


def edit(body: Body, target: Target) -> Target:
    """Put the request right for OpenAI's thinking models, which may be behind any such API.

    `stream_options` is taken out, as New API does: servers that do not know it refuse it.
    """
    if target.format in ("openai_chat", "openai_completions"):
        openai.usage_in_stream(body, wanted=False)
    return openai.reasoner_rules(body, target)


def edit_with_usage(body: Body, target: Target) -> Target:
    """Ask for the usage of a stream, and change nothing else."""
    if target.format in ("openai_chat", "openai_completions"):
        openai.usage_in_stream(body)
    return target
