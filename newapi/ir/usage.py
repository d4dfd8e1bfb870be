"""How many tokens an answer took, each counted once."""

from __future__ import annotations

from typing import Literal

from msgspec import Struct


class Usage(Struct, frozen=True, gc=False):
    """Tokens in disjoint buckets: a token is counted in exactly one, so their sum is the total.

    Readers normalise: OpenAI's `prompt_tokens` include cached ones, Anthropic's `input_tokens` do not; Gemini counts
    thoughts beside the candidates, OpenAI inside `completion_tokens`.
    """

    input: int = 0
    """Text (and any other unlisted) prompt tokens read at full price."""
    cache_read: int = 0
    cache_write_5m: int = 0
    cache_write_1h: int = 0
    input_image: int = 0
    input_audio: int = 0
    output: int = 0
    """Text (and any other unlisted) tokens produced, reasoning apart."""
    reasoning: int = 0
    output_image: int = 0
    output_audio: int = 0
    web_searches: int = 0
    """Server-side searches made, where the vendor counts them: calls, not tokens; in no sum."""
    preview_searches: int = 0
    """The same by OpenAI's `web_search_preview`, which has a price of its own."""
    file_searches: int = 0
    """Searches in OpenAI's vector stores."""
    pictures: tuple[tuple[str, str], ...] = ()
    """(quality, size) of each picture that OpenAI's image tool made; beside the tokens, in no sum."""
    cost_usd: float = 0.0
    """What the upstream says it charged (OpenRouter), in USD; in no sum."""
    source: Literal["upstream", "estimate", "none"] = "upstream"
    """Whether the vendor counted, or we did."""

    @property
    def cache_write(self) -> int:
        """Prompt tokens written to the cache, whatever their lifetime."""
        return self.cache_write_5m + self.cache_write_1h

    @property
    def prompt(self) -> int:
        """Every prompt token, cached and written ones included: OpenAI's `prompt_tokens`."""
        return self.input + self.cache_read + self.cache_write + self.input_image + self.input_audio

    @property
    def completion(self) -> int:
        """Every produced token, reasoning included: OpenAI's `completion_tokens`."""
        return self.output + self.reasoning + self.output_image + self.output_audio

    @property
    def total(self) -> int:
        """Prompt and completion together."""
        return self.prompt + self.completion


def split_prompt(
    prompt: int, *, cached: int = 0, written: int = 0, image: int = 0, audio: int = 0
) -> tuple[int, int, int, int, int]:
    """Return (input, cache_read, written, image, audio) that are disjoint and sum to `prompt`.

    For vendors that count the parts inside the whole. Parts that claim more than the whole are kept as said (they
    are what is billed), and the rest is zero, never negative.
    """
    return max(0, prompt - cached - written - image - audio), cached, written, image, audio
