from __future__ import annotations

import io
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from newapi.ops.live import Link, Told
from newapi.ops.live_record import NotARecording, Recorder, read, recorded, replay
from tests.support.live import recording

TOLD = [Told("", Link("connecting", "unix:/x")), *recording(1)]


async def told(events: list[Told]) -> AsyncIterator[Told]:
    for event in events:
        yield event


async def test_what_is_recorded_is_played_again_at_its_own_pace_or_faster(tmp_path: Path) -> None:
    times = iter(i * 0.25 for i in range(len(TOLD)))
    path = tmp_path / "a.ndjson"
    with path.open("wb") as file:
        passed = [t async for t in recorded(told(TOLD), Recorder(file, lambda: next(times)))]
    assert passed == TOLD
    for speed, expected in ((1.0, 0.25), (10.0, 0.025)):
        slept: list[float] = []

        async def sleep(seconds: float) -> None:
            slept.append(seconds)  # noqa: B023

        *played, end = [t async for t in replay(path, speed=speed, sleep=sleep)]
        assert played == TOLD
        assert isinstance(end.event, Link)
        assert end.event.state == "ended"
        assert slept == pytest.approx([expected] * (len(TOLD) - 1))


async def test_a_replay_without_waiting(tmp_path: Path) -> None:
    path = tmp_path / "a.ndjson"
    with path.open("wb") as file:
        recorder = Recorder(file)
        for event in TOLD:
            recorder.write(event)

    slept: list[float] = []

    async def sleep(seconds: float) -> None:
        slept.append(seconds)

    assert len([t async for t in replay(path, speed=0, sleep=sleep)]) == len(TOLD) + 1
    assert set(slept) <= {0}  # others have their turn, and nothing is waited for


def lines() -> list[bytes]:
    file = io.BytesIO()
    recorder = Recorder(file, lambda: 0.0)
    for event in TOLD[:3]:
        recorder.write(event)
    return file.getvalue().splitlines(keepends=True)


def test_a_recorder_that_was_killed_leaves_what_can_be_played() -> None:
    there = lines()
    assert [t for _, t in read([*there[:2], there[2][:40]])] == TOLD[:2]


def test_events_of_a_newer_version_are_passed_over() -> None:
    newer = b'{"t":1.0,"event":"orders","data":{}}\n'
    assert [t for _, t in read([lines()[0], newer, lines()[1]])] == TOLD[:2]


@pytest.mark.parametrize("line", [b"hello\n", b"{}\n", b'{"t":1,"event":"stats","data":{"at":"x"}}\n', b"\xff\n", b"x"])
def test_another_file_is_told_with_its_line(line: bytes) -> None:
    with pytest.raises(NotARecording, match="line 1 "):
        list(read([line]))
