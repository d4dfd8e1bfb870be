from __future__ import annotations

import pytest

from newapi.base.errors import CallerError, NewapiError, NoChannel, Unsupported, UpstreamError
from newapi.relay.retry import wait_of, worth_another

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
