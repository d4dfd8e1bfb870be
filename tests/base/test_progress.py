from __future__ import annotations

from threading import Thread

import pytest

from newapi.base.progress import each, tell, watched

Told = list[tuple[str, int, int]]


def _noted(told: Told) -> None:
    with watched(lambda *said: told.append(said)):
        assert list(each("Counting", "ab", 2)) == ["a", "b"]
        tell("Resting")


def test_what_is_done_is_told() -> None:
    told: Told = []
    _noted(told)
    assert told == [("Counting", 0, 2), ("Counting", 1, 2), ("Counting", 2, 2), ("Resting", 0, 0)]
    tell("Afterwards")
    assert list(each("Afterwards", [1])) == [1]
    assert len(told) == 4


def test_nobody_is_told_of_the_work_of_others() -> None:
    told: Told = []

    def elsewhere() -> None:
        tell("Something else")

    with watched(lambda *said: told.append(said)):
        other = Thread(target=elsewhere)
        other.start()
        other.join()
    assert told == []


def test_what_fails_is_watched_no_longer() -> None:
    told: Told = []

    def fail() -> None:
        with watched(lambda *said: told.append(said)):
            raise ValueError

    with pytest.raises(ValueError):  # noqa: PT011
        fail()
    tell("Afterwards")
    assert told == []
