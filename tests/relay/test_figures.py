from __future__ import annotations

import pytest

from newapi.relay.figures import STALE_SECONDS, Figures


def test_requests_under_way_are_counted() -> None:
    figures = Figures()
    figures.began(1)
    figures.began(1)
    figures.ended(1)
    assert (figures.under_way(1), figures.under_way(2)) == (1, 0)


def test_the_mean_decays_towards_what_is_new() -> None:
    figures = Figures()
    figures.took(1, "m", True, 1.0, 0.0)
    means = []
    for n in range(20):
        figures.took(1, "m", True, 3.0, float(n))
        means.append(figures.latency(1, "m", True, float(n)))
    assert means == sorted(means)
    assert means[0] == pytest.approx(1.6)
    assert means[-1] == pytest.approx(3.0, abs=0.01)
    assert figures.latencies(1, "m")[True].answers == 21


def test_what_is_old_is_not_believed_and_does_not_count() -> None:
    figures = Figures()
    figures.took(1, "m", False, 9.0, 0.0)
    assert figures.latency(1, "m", False, STALE_SECONDS - 1) == 9.0
    assert figures.latency(1, "m", False, STALE_SECONDS) is None
    figures.took(1, "m", False, 1.0, STALE_SECONDS)
    assert figures.latency(1, "m", False, STALE_SECONDS) == 1.0


def test_names_that_a_caller_makes_up_do_not_fill_the_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("newapi.relay.figures._PLACES", 10)
    figures = Figures()
    for n in range(25):
        figures.took(1, f"m{n}", False, 1.0, 0.0)
    assert sum(bool(figures.latencies(1, f"m{n}")) for n in range(25)) <= 10
