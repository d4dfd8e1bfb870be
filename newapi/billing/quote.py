"""A bill line by line: so many of something, at so much each."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from decimal import Decimal, localcontext
from functools import reduce

from msgspec import Struct
from msgspec.structs import replace

from newapi.base.units import QUOTA_PER_USD
from newapi.billing.price import EXACT, ONE, ZERO, Price
from newapi.ir.usage import Usage

SEARCH_USD = Decimal("0.01")
"""USD for each search that a vendor's server makes: Anthropic's, and OpenAI's `web_search`."""
PREVIEW_SEARCH_USD = Decimal("0.025")
"""USD for each search by OpenAI's `web_search_preview` with a model that does not reason."""
FILE_SEARCH_USD = Decimal("0.0025")
"""USD for each search in OpenAI's vector stores."""
_PREVIEW_PREFIXES = ("gpt-4o", "gpt-4.1")
_SOUND = ("speech", "transcription", "translation")
PICTURES = ("images", "image_edits")
"""The endpoints whose calls are priced by the picture."""
_WIDE = ("1024x1792", "1792x1024")
_DALLE_SIZES = {"256x256": Decimal("0.4"), "512x512": Decimal("0.45"), **dict.fromkeys(_WIDE, Decimal(2))}
_PICTURE_TOOL_USD = {
    "low": (Decimal("0.011"), Decimal("0.016")),
    "medium": (Decimal("0.042"), Decimal("0.063")),
    "high": (Decimal("0.167"), Decimal("0.25")),
}
"""USD for a picture of OpenAI's tool, square and not, by quality; what is not listed costs as high and square."""
_SQUARE, _OBLONG = "1024x1024", ("1024x1536", "1536x1024")
_PER_MILLION = Decimal(1_000_000)


class Call(Struct, frozen=True, kw_only=True):
    """What a price depends on besides usage.

    Attributes:
        endpoint: As in the routes.
        entry_format, upstream_format: What the caller speaks, and what the upstream was asked in.
        provider: The upstream's.
        n: Pictures asked for; they multiply the price of a call at the endpoints for pictures.
        image_size, image_quality: Of those pictures.
        multipliers: Further factors of the whole by name (New API's "other ratios": seconds, resolution, …); those that
            are not positive are ignored.
    """

    endpoint: str = "chat"
    entry_format: str = ""
    upstream_format: str = ""
    provider: str = ""
    n: int = 1
    image_size: str = ""
    image_quality: str = ""
    multipliers: Mapping[str, Decimal] = {}


class Line(Struct, frozen=True):
    """One line of a bill.

    Attributes:
        what: A bucket of `Usage`, or `call`, `web_search`, `preview_search`, `file_search`, `tool_picture`
            with quality and size.
        unit: What is counted.
        count: How many.
        rate: Quota for one, the group's ratio and other multipliers not yet applied.
        factor: Those: the group's ratio times the multipliers.
    """

    what: str
    unit: str
    count: int
    rate: Decimal
    factor: Decimal = ONE

    @property
    def quota(self) -> Decimal:
        """What the line comes to, not rounded."""
        return EXACT.multiply(EXACT.multiply(self.count, self.rate), self.factor)


def quote(price: Price, usage: Usage, group_ratio: Decimal = ONE, *, call: Call | None = None) -> list[Line]:
    """Return what `usage` costs line by line; their `total` is the bill before it is rounded.

    Only what is there has a line. The rules of a whole bill (no token, no charge; at least 1) are `charge`'s.
    """
    call = call or Call()
    factor = group_ratio
    for value in call.multipliers.values():
        factor = EXACT.multiply(factor, value if value > 0 else ONE)
    if price.per_call is not None:
        rate = EXACT.multiply(EXACT.multiply(price.per_call, picture_ratio(price.model, call)), QUOTA_PER_USD)
        lines = [("call", "call", max(1, call.n) if call.endpoint in PICTURES else 1, rate)]
    elif by_sound(usage, price, call):
        lines = _sound_lines(usage, price)
    else:
        lines = _token_lines(usage, price)
    lines += _tool_lines(usage, price, call)
    return [Line(what, unit, count, rate, factor) for what, unit, count, rate in lines if count > 0]


def total(lines: Iterable[Line]) -> Decimal:
    """Return what `lines` come to, every digit of it."""
    return reduce(EXACT.add, (line.quota for line in lines), ZERO)


def plain(number: Decimal) -> str:
    """Return every digit of `number`, without an exponent or zeros at its end."""
    text = f"{number:f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def by_sound(usage: Usage, price: Price, call: Call) -> bool:
    """Return whether New API's audio formula applies rather than the one for text (billing by sound's own ratios)."""
    if not (usage.input_audio or usage.output_audio):
        return False
    if call.endpoint in _SOUND:
        return True
    if call.entry_format == "openai_responses":
        return price.model.startswith("gpt-4o-audio")
    return price.audio_priced


def picture_ratio(model: str, call: Call) -> Decimal:
    """Return what a picture's size and quality multiply the price of a call by: New API knows it for DALL·E."""
    if not model.startswith("dall-e") or call.endpoint not in PICTURES:
        return ONE
    size = _DALLE_SIZES.get(call.image_size, ONE)
    if model == "dall-e-3" and call.image_quality == "hd":
        return size * (Decimal("1.5") if call.image_size in _WIDE else Decimal(2))
    return size


def openrouter_usage(usage: Usage, price: Price) -> Usage:
    """Return the usage that OpenRouter states in Anthropic's format, in disjoint buckets.

    Its input includes what was read from the cache, and it does not say what was written to it. What it charged does:
    with the vendor's list price the tokens written are what the sum lacks (New API, billing of OpenRouter's Claude).
    """
    with localcontext(EXACT):
        fresh = max(0, usage.input - usage.cache_read)
        written = 0
        rates = price.rates_for(usage.prompt)
        cost = Decimal(repr(usage.cost_usd)) * QUOTA_PER_USD
        extra = rates.cache_write - rates.input
        if cost and extra and not usage.cache_write and price.source == "builtin" and price.per_call is None:
            known = fresh * rates.input + usage.cache_read * rates.cache_read + usage.completion * rates.output
            derived = int(((cost - known) / extra).to_integral_value("ROUND_HALF_UP"))
            written = derived if 0 <= derived <= fresh else 0
    return replace(usage, input=fresh - written, cache_write_5m=usage.cache_write_5m + written)


_Draft = tuple[str, str, int, Decimal]


def _token_lines(usage: Usage, price: Price) -> list[_Draft]:
    rates = price.rates_for(usage.prompt)
    sound = rates.input
    if price.audio_input_usd is not None:
        sound = EXACT.divide(EXACT.multiply(price.audio_input_usd, QUOTA_PER_USD), _PER_MILLION)
    return [
        ("input", "token", usage.input, rates.input),
        ("cache_read", "token", usage.cache_read, rates.cache_read),
        ("cache_write_5m", "token", usage.cache_write_5m, rates.cache_write),
        ("cache_write_1h", "token", usage.cache_write_1h, rates.cache_write_1h),
        ("input_image", "token", usage.input_image, rates.image),
        ("input_audio", "token", usage.input_audio, sound),
        ("output", "token", usage.output, rates.output),
        ("reasoning", "token", usage.reasoning, rates.output),
        ("output_image", "token", usage.output_image, rates.output),
        ("output_audio", "token", usage.output_audio, rates.output),
    ]


def _sound_lines(usage: Usage, price: Price) -> list[_Draft]:
    rates = price.rates_for(usage.prompt)
    return [
        ("input", "token", usage.prompt - usage.input_audio, rates.input),
        ("input_audio", "token", usage.input_audio, rates.audio),
        ("output", "token", usage.completion - usage.output_audio, rates.output),
        ("output_audio", "token", usage.output_audio, rates.audio_output),
    ]


def _tool_lines(usage: Usage, price: Price, call: Call) -> list[_Draft]:
    """Return the tools that the vendor runs and charges by the call."""
    previews = usage.preview_searches
    if not usage.web_searches and not previews and call.endpoint == "chat" and price.model.endswith("search-preview"):
        # These models search each time, and OpenAI's chat format does not count it.
        previews = int(call.entry_format != "openai_responses")
    if not (usage.web_searches or previews or usage.file_searches or usage.pictures):
        return []  # as nearly always
    made = Counter(usage.pictures)
    return [
        ("web_search", "search", usage.web_searches, SEARCH_USD * QUOTA_PER_USD),
        ("preview_search", "search", previews, preview_usd(price.model) * QUOTA_PER_USD),
        ("file_search", "search", usage.file_searches, FILE_SEARCH_USD * QUOTA_PER_USD),
        *(
            (f"tool_picture {quality} {size}", "picture", count, _picture_tool_usd(quality, size) * QUOTA_PER_USD)
            for (quality, size), count in made.items()
        ),
    ]


def preview_usd(model: str) -> Decimal:
    """Return USD for one search by `web_search_preview`."""
    return PREVIEW_SEARCH_USD if model.startswith(_PREVIEW_PREFIXES) else SEARCH_USD


def _picture_tool_usd(quality: str, size: str) -> Decimal:
    square, oblong = _PICTURE_TOOL_USD.get(quality, _PICTURE_TOOL_USD["high"])
    if quality in _PICTURE_TOOL_USD and size in _OBLONG:
        return oblong
    return square if size == _SQUARE else _PICTURE_TOOL_USD["high"][0]
