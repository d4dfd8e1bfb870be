from __future__ import annotations

import pytest

from newapi.base.errors import CallerError, NewapiError, NoChannel, Unsupported, UpstreamError
from newapi.relay.retry import too_long, wait_of, worth_another

DEFAULT = ("401", "403", "408", "429", "5xx")


def upstream(status: int = 0, kind: str = "status", *, started: bool = False, mapped: int = 0) -> UpstreamError:
    error = UpstreamError("x", kind=kind, upstream_status=status, status=mapped or status or 502)  # type: ignore[arg-type]
    error.started = started
    return error


@pytest.mark.parametrize(
    ("error", "due"),
    [
        (upstream(401), True),
        (upstream(403), True),
        (upstream(408), True),
        (upstream(429), True),
        (upstream(500), True),
        (upstream(529), True),
        (upstream(400), False),
        (upstream(404), False),
        (upstream(400, mapped=500), True),
        (upstream(kind="connect"), True),
        (upstream(kind="timeout"), True),
        (upstream(kind="malformed"), True),
        (upstream(kind="error_event"), True),
        (upstream(kind="cut"), True),
        (upstream(kind="cut", started=True), False),
        (upstream(429, started=True), False),
        (CallerError("x"), False),
        (NoChannel("x"), False),
        (Unsupported("x"), True),
    ],
    ids=lambda v: f"{type(v).__name__}-{getattr(v, 'kind', '')}-{v.status}" if isinstance(v, NewapiError) else str(v),
)
def test_which_failures_another_channel_may_answer(error: NewapiError, due: bool) -> None:
    assert worth_another(error, DEFAULT) is due


def test_the_operator_chooses_the_statuses() -> None:
    assert not worth_another(upstream(500), ("429",))
    assert worth_another(upstream(404), ("4xx",))


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({}, None),
        ({"retry-after": "7"}, 7.0),
        ({"retry-after": " 1.5 "}, 1.5),
        ({"retry-after": "7", "retry-after-ms": "250"}, 0.25),
        ({"retry-after": "Tue, 14 Nov 2023 22:14:20 GMT"}, 60.0),
        ({"retry-after": "Tue, 14 Nov 2000 22:14:20 GMT"}, 0.0),
        ({"retry-after": "soon"}, None),
        ({"retry-after": "-3"}, None),
        ({"retry-after": "１"}, None),
        ({"retry-after": "Tue, 99 Nov 2023 22:14:20 GMT"}, None),
    ],
    ids=str,
)
def test_how_long_an_upstream_asks_to_wait(headers: dict[str, str], seconds: float | None) -> None:
    assert wait_of(headers, 1_700_000_000.0) == seconds


@pytest.mark.parametrize(
    ("message", "long"),
    [
        ("This model's maximum context length is 8192 tokens. However, your messages resulted in 9000 tokens.", True),
        ("Your input exceeds the context window of this model. Please adjust your input and try again.", True),
        ("prompt is too long: 210000 tokens > 200000 maximum", True),
        ("input length and `max_tokens` exceed context limit: 190000 + 20000 > 200000", True),
        ("The input token count (1200000) exceeds the maximum number of tokens allowed (1048576).", True),
        ("Input is too long for requested model.", True),
        ("This model's maximum prompt length is 131072 but the request contains 140000 tokens.", True),
        (
            "Prompt contains 40000 tokens and 0 draft tokens, too large for model with 32768 maximum context length",
            True,
        ),
        ("Range of input length should be [1, 30720]", True),
        ("Please reduce the length of the messages or completion.", True),
        ("Invalid 'messages[0].name': string too long. Expected a string with maximum length 64.", False),
        ("max_tokens is too large: 100000. This model supports at most 16384 completion tokens", False),
        ("Invalid value for tools", False),
    ],
    ids=lambda v: str(v)[:40],
)
def test_a_request_that_does_not_fit_into_the_model(message: str, long: bool) -> None:
    assert too_long(UpstreamError(message, upstream_status=400, status=400)) is long
    assert not too_long(UpstreamError(message, upstream_status=429, status=429))
    assert not too_long(CallerError(message))


def test_the_code_alone_says_it_too() -> None:
    assert too_long(UpstreamError("x", upstream_status=400, code="context_length_exceeded"))
