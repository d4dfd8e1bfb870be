"""What one process does for all is done by one, and by another one when that is gone."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path

import pytest

from newapi.server import jobs
from newapi.server.jobs import Job, Jobs
from newapi.store import leases
from newapi.store.database import open_database


async def until(condition: Callable[[], object]) -> None:
    async with asyncio.timeout(10):
        while not condition():  # noqa: ASYNC110  (it looks at what threads do)
            await asyncio.sleep(0.005)


@pytest.fixture(autouse=True)
def _fast(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(jobs, "LOOK_SECONDS", 0.01)
    monkeypatch.setattr(jobs, "RENEW_SECONDS", 0.02)


async def test_one_of_two_does_it_and_the_other_one_takes_over(tmp_path: Path) -> None:
    db = open_database("sqlite:///jobs.db", relative_to=tmp_path)
    done: list[str] = []
    first = Jobs(db, [Job("a job", lambda: 0.01, lambda: done.append("first"))])
    first.start()
    await until(lambda: first.leads)
    second = Jobs(db, [Job("a job", lambda: 0.01, lambda: done.append("second"))])
    second.start()
    await until(lambda: len(done) > 3)
    assert set(done) == {"first"}
    await first.stop()
    await until(lambda: "second" in done)
    assert not first.leads
    await second.stop()
    assert leases.take(db, jobs.LEASE, "somebody", 1)  # it was given back
    db.close()


async def test_one_that_died_is_replaced_when_its_lease_is_over(tmp_path: Path) -> None:
    db = open_database("sqlite:///jobs.db", relative_to=tmp_path)
    assert leases.take(db, jobs.LEASE, "dead", 0.2)
    done: list[int] = []
    after = Jobs(db, [Job("a job", lambda: 60, lambda: done.append(1), first=True)])
    after.start()
    await until(lambda: done)
    await after.stop()
    db.close()


async def test_what_fails_is_told_and_done_again_and_what_is_never_due_is_not_done(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    db = open_database("sqlite:///jobs.db", relative_to=tmp_path)
    tried: list[int] = []

    def fail() -> None:
        tried.append(1)
        raise ValueError("no")

    never: list[int] = []
    both = Jobs(db, [Job("failing", lambda: 0.01, fail, first=True), Job("never", lambda: 0, lambda: never.append(1))])
    both.start()
    await until(lambda: len(tried) > 1)
    await both.stop()
    assert "failing failed: no" in caplog.messages
    assert never == []
    db.close()


async def test_a_failure_is_said_once_until_it_works_again(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    db = open_database("sqlite:///jobs.db", relative_to=tmp_path)
    fails = [True, True, True, False, True, True]
    tried: list[int] = []

    def do() -> None:
        tried.append(1)
        if len(tried) > len(fails) or fails[len(tried) - 1]:
            raise ValueError("no")

    caplog.set_level("INFO", "newapi")
    one = Jobs(db, [Job("a job", lambda: 0.01, do, first=True)])
    one.start()
    await until(lambda: len(tried) > len(fails))
    await one.stop()
    assert [m for m in caplog.messages if m.startswith("a job")] == [
        "a job failed: no",
        "a job works again",
        "a job failed: no",
    ]
    db.close()
