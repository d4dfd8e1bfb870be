"""The headers in which vendors say where a caller stands with its limits."""

from __future__ import annotations

from datetime import UTC, datetime

from newapi.base.standing import Standing

Headers = list[tuple[str, str]]


def openai(standing: Standing, now: float) -> Headers:
    """Return OpenAI's: `x-ratelimit-{limit,remaining,reset}-{requests,tokens}`, the reset as how long it takes.

    Source: https://platform.openai.com/docs/guides/rate-limits#rate-limits-in-headers
    """
    found: Headers = []
    for name, gauge in (("requests", standing.requests), ("tokens", standing.tokens)):
        if gauge is not None:
            found += [
                (f"x-ratelimit-limit-{name}", str(gauge.limit)),
                (f"x-ratelimit-remaining-{name}", str(gauge.left)),
                (f"x-ratelimit-reset-{name}", duration(gauge.reset)),
            ]
    return found


def anthropic(standing: Standing, now: float) -> Headers:
    """Return Anthropic's: `anthropic-ratelimit-{requests,tokens}-{limit,remaining,reset}`, the reset as a time.

    Source: https://docs.claude.com/en/api/rate-limits#response-headers
    """
    found: Headers = []
    for name, gauge in (("requests", standing.requests), ("tokens", standing.tokens)):
        if gauge is not None:
            at = datetime.fromtimestamp(now + gauge.reset, UTC)
            found += [
                (f"anthropic-ratelimit-{name}-limit", str(gauge.limit)),
                (f"anthropic-ratelimit-{name}-remaining", str(gauge.left)),
                (f"anthropic-ratelimit-{name}-reset", at.strftime("%Y-%m-%dT%H:%M:%SZ")),
            ]
    return found


def none(standing: Standing, now: float) -> Headers:
    """Return no headers: Google says it in the error's body alone."""
    return []


def duration(seconds: float) -> str:
    """Return a time as OpenAI writes it: `1s`, `6m0s`, `120ms`."""
    ms = round(seconds * 1000)
    if ms < 1000:
        return f"{ms}ms"
    minutes, rest = divmod(ms, 60_000)
    text = f"{rest / 1000:.3f}".rstrip("0").rstrip(".")
    return f"{minutes}m{text}s" if minutes else f"{text}s"
