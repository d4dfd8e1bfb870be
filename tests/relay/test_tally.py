from __future__ import annotations

import pytest

from newapi.base.errors import CallerError, NewapiError, NoChannel, Unsupported, UpstreamError
from newapi.ir.usage import Usage
from newapi.relay.settle import Outcome, _outcome
from newapi.relay.tally import ROWS, Tally, refusal
from newapi.relay.values import EndReason, Try
from newapi.store.ledger import UsageRecord


def record(number: int = 1, **about: object) -> UsageRecord:
    known = {"model": "m", "channel_name": "c", "token_name": "t", "group": "g", "endpoint": "chat"}
    return UsageRecord(request_id=f"r{number}", created_at=float(number), **{**known, **about})  # type: ignore[arg-type]


def test_requests_are_summed_by_where_they_went_and_how_they_ended() -> None:
    tally = Tally()
    usage = Usage(input=10, cache_read=4, cache_write_5m=1, cache_write_1h=2, output=5, reasoning=3, input_audio=7)
    tally.note(record(quota=5, duration_ms=30, first_token_ms=9), usage, 1, "ok")
    tally.note(record(quota=6, duration_ms=40), Usage(input=1, source="estimate"), 2, "ok")
    tally.note(record(), Usage(source="none"), 3, "upstream_error")
    tally.note(record(model="other"), Usage(input_image=1, output_image=2), 1, "ok")
    drained = tally.drain()
    good = drained.cells["chat", "m", "c", "t", "g", "ok"]
    assert (good.requests, good.quota, good.durations, good.firsts) == (2, 11, [30, 40], [9])
    assert (good.input, good.cache_read, good.cache_write, good.output, good.reasoning) == (11, 4, 3, 5, 3)
    assert (good.audio_in, good.audio_out, good.estimated, good.uncounted) == (7, 0, 1, 0)
    bad = drained.cells["chat", "m", "c", "t", "g", "upstream_error"]
    assert (bad.requests, bad.uncounted) == (1, 1)
    other = drained.cells["chat", "other", "c", "t", "g", "ok"]
    assert (other.image_in, other.image_out) == (1, 2)
    assert [tries for _, _, tries in drained.rows] == [1, 2, 3, 1]
    assert not tally.drain().cells


def test_of_a_busy_second_the_last_rows_are_kept_and_all_are_counted() -> None:
    tally = Tally()
    for number in range(1, 3 * ROWS + 6):
        tally.note(record(number), Usage(), 1, "ok")
    drained = tally.drain()
    assert drained.settled == 3 * ROWS + 5
    assert sorted(int(r.created_at) for r, _, _ in drained.rows) == list(range(2 * ROWS + 6, 3 * ROWS + 6))


def test_attempts_are_counted_by_channel_and_why_they_failed() -> None:
    tally = Tally()
    tally.attempted(1)
    tally.attempted(1, "timeout", "nothing came", 5.0)
    tally.attempted(1, "timeout", "nothing came again", 6.0)
    tally.attempted(2)
    lanes = tally.drain().lanes
    assert (lanes[1].ended, lanes[1].failed, lanes[1].error, lanes[1].error_at) == (
        3,
        {"timeout": 2},
        "nothing came again",
        6.0,
    )
    assert (lanes[2].ended, lanes[2].failed) == (1, {})


@pytest.mark.parametrize(
    ("error", "outcome"),
    [
        (CallerError("x", status=401), "rejected_auth"),
        (CallerError("x", status=403), "rejected_auth"),
        (CallerError("x", status=401, code="token_exhausted"), "rejected_quota"),
        (CallerError("x", status=403, code="insufficient_user_quota"), "rejected_quota"),
        (CallerError("x", status=429, code="budget_exceeded"), "rejected_quota"),
        (CallerError("x", status=429), "rejected_rate"),
        (CallerError("x"), "invalid"),
        (Unsupported("x"), "invalid"),
        (NoChannel("x"), "no_channel"),
        (UpstreamError("x"), "internal_error"),
        (NewapiError("x"), "internal_error"),
    ],
)
def test_what_is_turned_away_is_counted_by_why(error: NewapiError, outcome: str) -> None:
    tally = Tally()
    tally.refuse(error)
    tally.refuse(error)
    assert tally.drain().refused == {outcome: 2}
    assert refusal(error) == outcome


UPSTREAM = Try("c", 1, 0, 5, 500, "status", "x")
SLOW = Try("c", 1, 0, 5, 0, "timeout", "x")
OURS = Try("c", 1, 0, 5, 400, "unsupported", "x")


@pytest.mark.parametrize(
    ("end", "status", "tries", "outcome"),
    [
        ("done", 200, (), "ok"),
        ("done", 200, (UPSTREAM, Try("d", 2, 0, 5)), "ok"),
        ("client_gone", 499, (UPSTREAM,), "client_abort"),
        ("stopped", 200, (), "internal_error"),
        ("upstream_broken", 200, (Try("c", 1, 0, 5, 0, "cut"),), "upstream_error"),
        ("error", 500, (UPSTREAM,), "upstream_error"),
        ("error", 504, (UPSTREAM, SLOW), "upstream_timeout"),
        ("error", 400, (OURS,), "invalid"),
        ("error", 503, (), "no_channel"),
        ("error", 500, (), "internal_error"),
    ],
)
def test_how_a_logged_request_ended(end: EndReason, status: int, tries: tuple[Try, ...], outcome: str) -> None:
    ended = Outcome(status, answered=False, end=end, error="x", usage=Usage(), tries=tries, prepared=None, meter=None)
    assert _outcome(ended) == outcome
