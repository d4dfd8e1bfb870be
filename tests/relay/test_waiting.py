from __future__ import annotations

import asyncio

import pytest

from newapi.relay import waiting
from newapi.relay.waiting import Waiting


async def test_who_has_waited_longest_is_next_and_those_who_left_are_passed_over() -> None:
    it, order = Waiting(), []

    async def wait(name: str) -> None:
        await it.wait(30)
        order.append(name)

    tasks = [asyncio.create_task(wait(name)) for name in "abc"]
    await asyncio.sleep(0)
    tasks[0].cancel()
    await asyncio.gather(tasks[0], return_exceptions=True)
    it.freed()
    await tasks[1]
    assert order == ["b"]
    it.freed()
    await tasks[2]
    it.freed()
    assert not it._waiting


async def test_one_looks_again_by_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(waiting, "_LOOK_AGAIN", 0.001)
    async with asyncio.timeout(10):
        await Waiting().wait(3600)


async def test_only_so_many_may_wait(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(waiting, "MOST", 2)
    it = Waiting()
    tasks = [asyncio.create_task(it.wait(30)) for _ in range(2)]
    assert not it.full
    await asyncio.sleep(0)
    assert it.full
    it.freed()
    await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    assert not it.full
    it.freed()
    await asyncio.gather(*tasks)


async def test_a_turn_that_nobody_takes_goes_to_the_next(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(waiting, "_LOOK_AGAIN", 3600)
    it = Waiting()
    gone, there = (asyncio.create_task(it.wait(3600)) for _ in range(2))
    await asyncio.sleep(0)
    it.freed()
    gone.cancel()  # before it has looked
    async with asyncio.timeout(10):
        await asyncio.gather(gone, return_exceptions=True)
        await there
    assert not it._waiting


async def test_who_has_waited_in_vain_leaves_nothing_behind() -> None:
    it = Waiting()
    for _ in range(3):
        await it.wait(0.001)
    assert not it._waiting
