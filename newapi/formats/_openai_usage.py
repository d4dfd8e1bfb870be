"""OpenAI's `usage` object: read as vendors really fill it in, and written. Shared by OpenAI's chat formats.

Source: https://platform.openai.com/docs/api-reference/chat/object#chat/object-usage
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, cast

from newapi.ir.usage import Usage, split_prompt


def as_int(value: Any) -> int:
    """Return a count that may be a number, a numeric string or nothing at all; never negative."""
    if value is None:  # most often there is nothing
        return 0
    if type(value) is int:
        return max(0, value)
    if isinstance(value, float):
        return max(0, int(value)) if value == value and abs(value) < 1e15 else 0
    if isinstance(value, str) and value.strip().isdecimal():
        return int(value)
    return 0


def as_dict(value: Any) -> dict[str, Any]:
    """Return a JSON object, or an empty one where something else is."""
    return cast("dict[str, Any]", value) if isinstance(value, dict) else {}


def read(said: Any, *, timings: Any = None, choices: Iterable[Any] = ()) -> Usage | None:
    """Return a usage object in disjoint buckets, None when it states nothing or only zeros.

    Cached tokens are where the vendor put them: OpenAI in `prompt_tokens_details`, DeepSeek in
    `prompt_cache_hit_tokens`, Moonshot in the usage of a choice, llama.cpp in `timings.cache_n`. xAI leaves reasoning
    out of `completion_tokens`, which its total shows.

    Args:
        said: The decoded `usage`.
        timings: llama.cpp's `timings` beside it.
        choices: The `usage` objects of the choices.
    """
    usage = as_dict(said)
    into, out = as_dict(usage.get("prompt_tokens_details")), as_dict(usage.get("completion_tokens_details"))
    out = out or as_dict(usage.get("output_tokens_details"))
    prompt = as_int(usage.get("prompt_tokens")) or as_int(usage.get("input_tokens"))
    completion = as_int(usage.get("completion_tokens")) or as_int(usage.get("output_tokens"))
    total = as_int(usage.get("total_tokens"))
    if not prompt and total > completion > 0:
        prompt = total - completion
    elif not completion and "completion_tokens" not in usage and total > prompt:
        completion = total - prompt
    reasoning = as_int(out.get("reasoning_tokens")) or as_int(usage.get("reasoning_tokens"))
    if reasoning and total - prompt - completion == reasoning:
        completion += reasoning
    if not prompt and not completion:
        return None
    written = _written(usage, into)
    hour = min(as_int(usage.get("claude_cache_creation_1_h_tokens")), written)
    text, cached, written, image, audio = split_prompt(
        prompt,
        cached=_cached(usage, into, timings, choices),
        written=written,
        image=as_int(into.get("image_tokens")),
        audio=as_int(into.get("audio_tokens")),
    )
    out_audio, out_image = as_int(out.get("audio_tokens")), as_int(out.get("image_tokens"))
    reasoning = min(reasoning, max(0, completion - out_audio - out_image))
    return Usage(
        input=text,
        cache_read=cached,
        cache_write_5m=written - hour,
        cache_write_1h=hour,
        input_image=image,
        input_audio=audio,
        output=max(0, completion - reasoning - out_audio - out_image),
        reasoning=reasoning,
        output_image=out_image,
        output_audio=out_audio,
        web_searches=as_int(as_dict(usage.get("server_tool_use")).get("web_search_requests"))
        or as_int(usage.get("num_search_queries")),
        cost_usd=_cost(usage.get("cost")),
    )


def write(usage: Usage) -> dict[str, Any]:
    """Return `usage` as OpenAI's object; the details that most vendors lack are there only when they are not zero."""
    prompt: dict[str, int] = {"cached_tokens": usage.cache_read, "audio_tokens": usage.input_audio}
    if usage.input_image:
        prompt["image_tokens"] = usage.input_image
    if usage.cache_write:
        prompt["cached_creation_tokens"] = usage.cache_write
    completion: dict[str, int] = {"reasoning_tokens": usage.reasoning, "audio_tokens": usage.output_audio}
    if usage.output_image:
        completion["image_tokens"] = usage.output_image
    out: dict[str, Any] = {
        "prompt_tokens": usage.prompt,
        "completion_tokens": usage.completion,
        "total_tokens": usage.total,
        "prompt_tokens_details": prompt,
        "completion_tokens_details": completion,
    }
    if usage.cache_write_1h:
        out["claude_cache_creation_1_h_tokens"] = usage.cache_write_1h
    if usage.web_searches:
        out["server_tool_use"] = {"web_search_requests": usage.web_searches}
    if usage.cost_usd:
        out["cost"] = usage.cost_usd
    return out


def _cached(usage: dict[str, Any], into: dict[str, Any], timings: Any, choices: Iterable[Any]) -> int:
    return (
        as_int(into.get("cached_tokens"))
        or as_int(usage.get("prompt_cache_hit_tokens"))
        or as_int(usage.get("cached_tokens"))
        or next((n for c in choices if (n := as_int(as_dict(c).get("cached_tokens")))), 0)
        or as_int(as_dict(usage.get("input_tokens_details")).get("cached_tokens"))
        or as_int(as_dict(timings).get("cache_n"))
    )


def _written(usage: dict[str, Any], into: dict[str, Any]) -> int:
    return (
        as_int(into.get("cached_creation_tokens"))
        or as_int(into.get("cache_write_tokens"))
        or as_int(into.get("cache_creation_tokens"))
    )


def _cost(value: Any) -> float:
    """OpenRouter says a number, Perplexity an object with `total_cost`."""
    value = as_dict(value).get("total_cost") if isinstance(value, dict) else value
    return float(value) if isinstance(value, int | float) and not isinstance(value, bool) and value > 0 else 0.0
