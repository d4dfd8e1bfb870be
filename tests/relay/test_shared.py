"""What several processes count together: the same for every way of sharing."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest

from newapi.relay.escrow import HOLD_SECONDS, Known, Lent, Replay
from newapi.relay.limits import Limit, LimitReached, beginning
from tests.relay.sharing import World, hub_world, until, valkey_world
from tests.support import valkey

KEY = ("token", 1, "")


@pytest.fixture(params=["hub", "valkey"])
async def world(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Any]:
    async with hub_world() if request.param == "hub" else valkey_world(valkey.empty(tmp_path_factory)) as made:
        yield made


async def passes(process: Any, ticket: str, limit: Limit, tokens: int = 0, quota: int = 0) -> bool:
    try:
        await process.enter(ticket, [(KEY, limit)], tokens, quota)
    except LimitReached:
        return False
    return True


# -- limits ----------------------------------------------------------------------------------


@pytest.mark.parametrize("limit", [Limit(requests=10), Limit(at_once=10), Limit(tokens=100), Limit(budget={"day": 50})])
async def test_what_passes_in_all_processes_together_is_the_limit(world: World, limit: Limit) -> None:
    processes = [await world.process(f"p{n}") for n in range(3)]
    asked = [passes(processes[n % 3], f"r{n}", limit, 10, 5) for n in range(60)]
    assert sum(await asyncio.gather(*asked)) == 10


async def test_a_refusal_says_when_to_come_again_and_where_one_stands(world: World) -> None:
    one, other = await world.process("p1"), await world.process("p2")
    await one.enter("a", [(KEY, Limit(requests=1, tokens=50))], 20, 0)
    world.now += 20
    with pytest.raises(LimitReached, match="1 requests a minute") as caught:
        await other.enter("b", [(KEY, Limit(requests=1, tokens=50))], 20, 0)
    error = caught.value
    assert (error.status, error.code, error.type) == (429, "rate_limit_exceeded", "rate_limit_error")
    assert error.retry_after == pytest.approx(40, abs=0.01)
    assert error.standing.requests is not None
    assert error.standing.tokens is not None
    assert (error.standing.requests.limit, error.standing.requests.left) == (1, 0)
    assert error.standing.requests.reset == pytest.approx(40, abs=0.01)
    assert (error.standing.tokens.limit, error.standing.tokens.left) == (50, 30)
    world.now += 41
    standing = await other.enter("b", [(KEY, Limit(requests=1, tokens=50))], 20, 0)
    assert (standing.requests.left, standing.tokens.left) == (0, 30)


async def test_what_one_leaves_the_other_may_take(world: World) -> None:
    one, other = await world.process("p1"), await world.process("p2")
    limit = Limit(at_once=1, tokens=100, budget={"month": 100})
    assert await passes(one, "a", limit, 90, 90)
    one.leave("a", 20, 30)
    one.leave("a", 20, 30)
    await world.settled(one)
    assert not await passes(other, "b", limit, 81, 0)
    assert not await passes(other, "b", limit, 0, 71)
    assert await passes(other, "b", limit, 80, 70)


async def test_a_refusal_by_one_limit_touches_no_other(world: World) -> None:
    one = await world.process("p1")
    token, group = (KEY, Limit(requests=3)), (("group", 1, "vip"), Limit(at_once=1))
    await one.enter("g", [group], 0, 0)
    for n in range(5):
        with pytest.raises(LimitReached):
            await one.enter(f"r{n}", [token, group], 0, 0)
    assert [await passes(one, f"t{n}", token[1]) for n in range(4)] == [True, True, True, False]


async def test_a_budget_counts_what_was_spent_before_and_begins_anew(world: World) -> None:
    one, other = await world.process("p1"), await world.process("p2")
    limit = Limit(budget={"day": 100})
    for process in (one, other):
        process.learn(KEY, {"day": (beginning("day", world.now), 60)})
        await world.settled(process)
    assert await passes(one, "a", limit, 0, 30)
    other.learn(KEY, {"day": (beginning("day", world.now), 60)})
    await world.settled(other)
    with pytest.raises(LimitReached, match=r"budget of \$0.0002 a day is used up") as caught:
        await other.enter("b", [(KEY, limit)], 0, 20)
    assert (caught.value.code, caught.value.type) == ("budget_exceeded", "insufficient_quota")
    assert caught.value.retry_after == pytest.approx(12 * 3600)
    assert await passes(other, "c", limit, 0, 10)
    world.now += 24 * 3600
    assert await passes(other, "d", limit, 0, 100)


async def test_who_hangs_up_while_it_is_let_in_holds_no_place(world: World) -> None:
    one = await world.process("p1")
    limit = Limit(at_once=1)
    for n in range(20):
        entering = asyncio.create_task(one.enter(f"r{n}", [(KEY, limit)], 0, 0))
        for _ in range(n % 4):
            await asyncio.sleep(0)
        entering.cancel()
        await asyncio.gather(entering, return_exceptions=True)
        if not entering.cancelled() and entering.exception() is None:
            one.leave(f"r{n}", 0, 0)
    async with asyncio.timeout(10):
        while not await passes(one, "last", limit):
            await world.settled(one)


async def test_the_places_of_a_process_that_died_are_free_and_its_requests_counted(world: World) -> None:
    one, other = await world.process("p1"), await world.process("p2")
    limit = Limit(at_once=2, requests=3)
    assert await passes(one, "a", limit)
    assert await passes(one, "b", limit)
    assert not await passes(other, "c", limit)
    await world.kill(one)
    assert await passes(other, "c", limit)
    assert not await passes(other, "d", limit)  # three a minute, two of them the dead one's


async def test_a_successor_says_what_the_dead_one_s_requests_cost(world: World) -> None:
    one, other = await world.process("p1"), await world.process("p2")
    limit = Limit(budget={"day": 100})
    assert await passes(one, "a", limit, 0, 40)
    assert await passes(one, "b", limit, 0, 40)
    await world.kill(one)
    assert not await passes(other, "c", limit, 0, 30)  # nobody knows yet
    three = await world.process("p3")
    await asyncio.to_thread(three.bury, [Replay("p1", "p1-1", {"t1": 15})], {"a": 15}, world.now)
    assert await passes(other, "c", limit, 0, 85)
    assert not await passes(other, "d", limit, 0, 1)


# -- balances --------------------------------------------------------------------------------


async def test_far_from_zero_a_part_is_lent_and_near_it_what_is_needed(world: World) -> None:
    one, other = await world.process("p1"), await world.process("p2")
    known = Known(8000, 0, 1)
    assert await one.lend("t1", known, 10) == Lent(1000, 8000)
    assert await other.lend("t1", known, 10) == Lent(875, 8000)
    assert await other.lend("t1", known, 6000) == Lent(6000, 8000)
    assert await other.lend("t1", known, 100) == Lent(100, 8000)
    assert (await other.lend("t1", known, 100)).amount == 0
    assert (await one.lend("t1", known, 25)).amount == 25
    assert (await one.lend("t1", known, 1)).amount == 0


async def test_others_give_back_what_they_do_not_need(world: World) -> None:
    one, other = await world.process("p1"), await world.process("p2")
    asked: list[str] = []

    def recall(account: str) -> int:
        asked.append(account)
        return 60

    one.recall = recall
    known = Known(100, 0, 1)
    assert (await one.lend("u7", known, 100)).amount == 100
    assert await other.lend("u7", known, 60) == Lent(60, 100)
    assert (await other.lend("u7", known, 61)).amount == 0
    assert set(asked) == {"u7"}


async def test_many_who_ask_at_once_are_lent_no_more_than_there_is(world: World) -> None:
    processes = [await world.process(f"p{n}") for n in range(3)]
    for process in processes:
        process.recall = lambda _: 0
    lent = await asyncio.gather(*(processes[n % 3].lend("t1", Known(100, 0, 1), 10) for n in range(30)))
    assert sum(one.amount for one in lent) <= 100
    assert sum(one.amount for one in lent) > 90


async def test_what_is_given_back_and_what_is_spent_is_known_to_all(world: World) -> None:
    one, other = await world.process("p1"), await world.process("p2")
    known = Known(100, 0, 1)
    assert (await one.lend("t1", known, 100)).amount == 100
    one.give_back("t1", 30)
    await asyncio.to_thread(one.spend, ["p1-1"], {"t1": 50}, first=True)
    assert (await other.lend("t1", known, 31)) == Lent(0, 50)
    assert (await other.lend("t1", known, 30)) == Lent(30, 50)
    one.overdraw("t1", known, 20)
    other.give_back("t1", 10)
    await world.settled(one)
    await world.settled(other)
    assert (await other.lend("t1", known, 1)).amount == 0


async def test_what_is_told_twice_counts_once(world: World) -> None:
    one, other = await world.process("p1"), await world.process("p2")
    known = Known(100, 0, 1)
    assert (await one.lend("t1", known, 100)).amount == 100
    for _ in range(2):
        await asyncio.to_thread(one.spend, ["p1-1"], {"t1": 40}, first=True)
    one.give_back("t1", 60)
    await world.settled(one)
    assert (await other.lend("t1", known, 60)) == Lent(60, 60)


async def test_more_is_granted_and_less(world: World) -> None:
    one = await world.process("p1")
    assert (await one.lend("t1", Known(100, 0, 1), 100)).amount == 100
    assert (await one.lend("t1", Known(150, 0, 2), 50)).amount == 50
    assert (await one.lend("t1", Known(100, 0, 1), 10)).amount == 0  # older than what is known
    assert (await one.lend("t1", Known(160, 0, 2), 10)).amount == 10
    one.give_back("t1", 160)
    await world.settled(one)
    assert (await one.lend("t1", Known(50, 0, 3), 51)).amount == 0
    assert (await one.lend("t1", Known(50, 20, 3), 31)).amount == 0  # used, and never told
    assert (await one.lend("t1", Known(50, 20, 3), 30)).amount == 30


async def test_what_a_dead_process_was_lent_is_free_when_its_journal_is_replayed(world: World) -> None:
    one, other = await world.process("p1"), await world.process("p2")
    known = Known(100, 0, 1)
    assert (await one.lend("t1", known, 100)).amount == 100
    await asyncio.to_thread(one.spend, ["p1-1"], {"t1": 10}, first=True)
    await world.kill(one)
    assert (await other.lend("t1", known, 1)).amount == 0
    three = await world.process("p3")
    replays = [Replay("p1", "p1-1", {"t1": 10}), Replay("p1", "p1-2", {"t1": 25})]
    await asyncio.to_thread(three.bury, replays, {}, world.now)
    assert await other.lend("t1", known, 66) == Lent(0, 65)
    assert await other.lend("t1", known, 65) == Lent(65, 65)


async def test_what_a_dead_process_was_lent_is_free_after_a_while_though_nobody_comes(world: World) -> None:
    one, other = await world.process("p1"), await world.process("p2")
    known = Known(100, 0, 1)
    assert (await one.lend("t1", known, 100)).amount == 100
    await world.kill(one)
    world.now += HOLD_SECONDS + 1
    await world.swept()
    assert (await other.lend("t1", known, 100)).amount == 100


# -- the bus ---------------------------------------------------------------------------------


async def test_a_message_reaches_everyone_once(world: World) -> None:
    heard: dict[str, list[bytes]] = {}
    processes = {name: await world.process(name) for name in ("p1", "p2", "p3")}
    for name, process in processes.items():
        process.subscribe("topic", heard.setdefault(name, []).append)
        process.subscribe("other", lambda _: heard.clear())
    processes["p1"].publish("topic", b"\x00one")
    processes["p2"].publish("topic", b"two")
    await until(lambda: all(len(messages) >= 2 for messages in heard.values()))
    assert {name: sorted(messages) for name, messages in heard.items()} == {
        name: [b"\x00one", b"two"] for name in processes
    }


async def test_who_ends_listening_hears_no_more(world: World) -> None:
    one, other = await world.process("p1"), await world.process("p2")
    heard: list[bytes] = []
    end = other.subscribe("topic", heard.append)
    other.subscribe("last", heard.append)
    end()
    one.publish("topic", b"1")
    one.publish("last", b"2")
    await until(lambda: bool(heard))
    assert heard == [b"2"]
