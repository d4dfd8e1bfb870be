"""Who is asked when one fails: other models, other groups, the same conversation's channel; in which time, with limits.

Everything over real sockets."""

from __future__ import annotations

import asyncio
from typing import Any

import msgspec
import pytest

from newapi.base.errors import UpstreamError
from newapi.config.schema import HealthSpec
from newapi.relay import failover
from newapi.relay.limits import Limiter
from newapi.relay.pipeline import relay
from newapi.relay.snapshot import Channel, Snapshot
from tests.relay.test_pipeline import (
    STREAMED,
    Stage,
    Staging,
    answers,
    chunk,
    entry,
    event,
    fails,
    hangs_up,
    says,
    staged,
    whole,
)
from tests.relay.world import KEY, FakeSink, channel, snapshot, token, user
from tests.support.upstream import Conversation

__all__ = ["staged"]

LONG = "This model's maximum context length is 8192 tokens. However, your messages resulted in 9000 tokens."
PRICES = {
    "gpt-4o": {"input": "2", "output": "8", "fallback": ["mini", "tiny"]},
    "mini": {"input": "0.2", "output": "0.8"},
    "tiny": {"input": "0.02", "output": "0.08"},
}


def prices(fallback: list[str] | None = None, **models: Any) -> dict[str, Any]:
    return {**PRICES, "gpt-4o": {**PRICES["gpt-4o"], "fallback": fallback or []}, **models}


def tries(stage: Stage) -> list[dict[str, Any]]:
    return [t for s in stage.world.rows() for t in msgspec.json.decode(s.record.tries)]


def served(*models: str) -> dict[str, Any]:
    return {"models": list(models)}


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(failover, "_PAUSE", 0.001)


# -- other models ----------------------------------------------------------------------------


@pytest.mark.parametrize("stream", [False, True])
async def test_another_model_serves_at_its_own_price(staged: Staging, stream: bool) -> None:
    stage = await staged(
        fails(500),
        fails(503),
        STREAMED if stream else answers(whole()),
        prices=PRICES,
        each={0: served("gpt-4o"), 1: served("gpt-4o"), 2: served("mini")},
    )
    sink = await stage.ask(entry("openai_chat", stream=stream))
    assert (sink.status, sink.headers["x-newapi-model"]) == (200, "mini")
    row = stage.row()
    assert (row.model, row.channel_name, row.upstream_model) == ("mini", "c3", "mini")
    assert row.quota == round((10 * 1 + 4 * 4) / 10)
    assert [(t["channel"], t.get("model")) for t in tries(stage)] == [("c1", None), ("c2", None), ("c3", "mini")]
    assert msgspec.json.decode(row.bill)["asked_model"] == "gpt-4o"


async def test_a_converted_answer_names_the_model_that_was_asked_for(staged: Staging) -> None:
    stage = await staged(fails(500), answers(whole()), prices=PRICES, each={0: served("gpt-4o"), 1: served("mini")})
    sink = await stage.ask(entry("anthropic_messages", stream=False))
    assert sink.json["model"] == "gpt-4o"


async def test_fallbacks_are_tried_in_order_each_with_all_its_tries(staged: Staging) -> None:
    stage = await staged(
        *[fails(500)] * 5,
        answers(whole()),
        prices=PRICES,
        routing={"retries": 1},
        each={**{n: served("gpt-4o") for n in range(3)}, 3: served("mini"), 4: served("mini"), 5: served("tiny")},
    )
    await stage.ask(entry("openai_chat", stream=False))
    assert stage.tried() == ["c1", "c2", "c4", "c5", "c6"]


async def test_a_model_that_nobody_serves_falls_back_at_once(staged: Staging) -> None:
    stage = await staged(answers(whole()), prices=PRICES, each={0: served("tiny")})
    assert (await stage.ask(entry("openai_chat", stream=False))).status == 200
    assert stage.row().model == "tiny"


async def test_when_all_fail_the_last_error_is_told_and_the_log_has_what_was_asked(staged: Staging) -> None:
    stage = await staged(
        fails(500, "first"), fails(503, "last"), prices=PRICES, each={0: served("gpt-4o"), 1: served("mini")}
    )
    sink = await stage.ask(entry("openai_chat", stream=False))
    assert (sink.status, sink.json["error"]["message"].split(" (")[0]) == (503, "last")
    row = stage.row()
    assert (row.model, row.quota, row.kind) == ("gpt-4o", 0, "error")
    assert [t.get("model", "") for t in tries(stage)] == ["", "mini"]


async def test_what_is_applied_meanwhile_is_for_the_next_request(staged: Staging) -> None:
    async def applies(c: Conversation) -> None:
        await c.request()
        before: Snapshot = stage.world.gateway.snapshot
        stage.world.gateway.snapshot = snapshot(
            before.channels, tokens={KEY: token()}, models={"mini": {"input": "2", "output": "8"}}
        )
        await c.answer(b"{}", status=500)

    stage = await staged(applies, answers(whole()), prices=PRICES, each={0: served("gpt-4o"), 1: served("mini")})
    assert (await stage.ask(entry("openai_chat", stream=False))).status == 200
    assert (stage.row().model, stage.row().quota) == ("mini", round((10 * 1 + 4 * 4) / 10))


async def test_the_caller_s_own_fault_does_not_fall_back(staged: Staging) -> None:
    stage = await staged(
        fails(400, "bad"), answers(whole()), prices=PRICES, each={0: served("gpt-4o"), 1: served("mini")}
    )
    assert (await stage.ask(entry("openai_chat", stream=False))).status == 400
    assert stage.tried() == ["c1"]


@pytest.mark.parametrize("stream", [False, True])
async def test_a_prompt_that_is_too_long_goes_to_the_next_model_at_once(staged: Staging, stream: bool) -> None:
    stage = await staged(
        fails(400, LONG),
        answers(whole("never")),
        STREAMED if stream else answers(whole()),
        prices=PRICES,
        each={0: served("gpt-4o"), 1: served("gpt-4o"), 2: served("tiny")},
    )
    assert (await stage.ask(entry("openai_chat", stream=stream))).status == 200
    assert stage.tried() == ["c1", "c3"]


async def test_one_that_is_too_long_for_all_is_told_so(staged: Staging) -> None:
    stage = await staged(
        fails(400, LONG), fails(400, LONG + "!"), prices=PRICES, each={0: served("gpt-4o"), 1: served("mini")}
    )
    sink = await stage.ask(entry("openai_chat", stream=False))
    assert (sink.status, LONG + "!" in sink.json["error"]["message"]) == (400, True)


async def test_without_a_fallback_it_is_the_caller_s_fault(staged: Staging) -> None:
    stage = await staged(fails(400, LONG), answers(whole()), prices=prices())
    assert (await stage.ask(entry("openai_chat", stream=False))).status == 400
    assert stage.tried() == ["c1"]


async def test_nothing_falls_back_after_the_first_word(staged: Staging) -> None:
    stage = await staged(
        says(event({"role": "assistant", "content": ""}), event({"content": "hel"}), end=False),
        STREAMED,
        prices=PRICES,
        each={0: served("gpt-4o"), 1: served("mini")},
    )
    sink = await stage.ask(entry("openai_chat", stream=True))
    assert sink.body.count(b'"hel"') == 1
    assert stage.tried() == ["c1"]


async def test_what_a_fallback_broke_off_is_billed_at_its_own_price(staged: Staging) -> None:
    cut = says(event({"role": "assistant", "content": ""}), event({"content": "hel"}), end=False)
    stage = await staged(fails(500), cut, prices=PRICES, each={0: served("gpt-4o"), 1: served("mini")})
    await stage.ask(entry("openai_chat", stream=True))
    row = stage.row()
    assert (row.model, row.kind, row.end_reason) == ("mini", "consume", "upstream_broken")


async def test_a_dearer_model_that_cannot_be_paid_is_passed_over(staged: Staging) -> None:
    models = prices(["dear", "tiny"], dear={"price": "999999"})
    stage = await staged(
        fails(500),
        answers(whole()),
        answers(whole()),
        prices=models,
        each={0: served("gpt-4o"), 1: served("dear"), 2: served("tiny")},
    )
    assert (await stage.ask(entry("openai_chat", stream=False))).status == 200
    assert stage.row().model == "tiny"


async def test_one_without_a_price_is_passed_over(staged: Staging) -> None:
    stage = await staged(
        fails(500), answers(whole()), prices=prices(["zzz"]), each={0: served("gpt-4o"), 1: served("zzz")}
    )
    assert (await stage.ask(entry("openai_chat", stream=False))).status == 500


async def test_a_body_that_goes_through_as_it_is_names_no_other_model(staged: Staging) -> None:
    stage = await staged(
        fails(500),
        answers(whole()),
        prices=PRICES,
        each={0: served("gpt-4o"), 1: {**served("mini"), "pass_through_body": True}},
    )
    assert (await stage.ask(entry("openai_chat", stream=False))).status == 500
    assert stage.upstreams[1].connections == 0


async def test_a_pinned_channel_has_no_fallback(staged: Staging) -> None:
    stage = await staged(fails(500), answers(whole()), prices=PRICES, each={0: served("gpt-4o"), 1: served("mini")})
    stage.world.gateway.snapshot.users[1].role = "root"
    request = entry("openai_chat", stream=False)
    request = msgspec.structs.replace(request, headers={**request.headers, "authorization": f"Bearer {KEY}-1"})
    assert (await stage.ask(request)).status == 500


# -- lists of groups ---------------------------------------------------------------------------


GROUPS = {
    "default": {"ratio": "2", "selectable": True},
    "cheap": {"ratio": "0.5", "selectable": True},
    "secret": {"ratio": "0.1"},
    "auto": {"members": ["secret", "cheap", "default"], "requests_per_minute": 2},
}


def listed(stage: Stage, **about: Any) -> None:
    """Let the caller's token be of the list."""
    before: Snapshot = stage.world.gateway.snapshot
    stage.world.gateway.snapshot = snapshot(
        before.channels,
        tokens={KEY: token(group="auto", unlimited=False)},
        users=[user(unlimited=False, **about)],
        models=PRICES,
        groups=GROUPS,
    )


async def test_the_group_that_serves_is_the_one_that_is_paid(staged: Staging) -> None:
    stage = await staged(fails(500), answers(whole()), each={0: {"groups": ["cheap"]}, 1: {"groups": ["default"]}})
    listed(stage)
    assert (await stage.ask(entry("openai_chat", stream=False))).status == 200
    row = stage.row()
    assert (row.group, row.quota) == ("default", 2 * (10 * 1 + 4 * 4))
    assert [(t["channel"], t["group"]) for t in tries(stage)] == [("c1", "cheap"), ("c2", "default")]
    assert msgspec.json.decode(row.bill)["asked_group"] == "auto"


@pytest.mark.parametrize(("role", "group"), [("user", "cheap"), ("root", "secret")])
async def test_a_user_gets_to_what_is_open_to_him(staged: Staging, role: str, group: str) -> None:
    stage = await staged(answers(whole()), answers(whole()), each={0: {"groups": ["secret"]}, 1: {"groups": ["cheap"]}})
    listed(stage, role=role)
    assert (await stage.ask(entry("openai_chat", stream=False))).status == 200
    assert stage.row().group == group


async def test_limits_are_those_of_the_list(staged: Staging) -> None:
    stage = await staged(answers(whole()), each={0: {"groups": ["cheap"]}})
    listed(stage)
    assert [(await stage.ask(entry("openai_chat", stream=False))).status, (await stage.again()).status] == [200, 200]
    assert (await stage.again()).status == 429


async def test_nobody_in_the_list_serves_it(staged: Staging) -> None:
    stage = await staged(answers(whole()), each={0: {"groups": ["other"]}})
    listed(stage)
    sink = await stage.ask(entry("openai_chat", stream=False))
    assert (sink.status, "under group auto" in sink.json["error"]["message"]) == (404, True)


async def test_what_rests_comes_after_other_groups_and_other_models(staged: Staging) -> None:
    each = {0: {"groups": ["cheap"], **served("gpt-4o")}, 1: {"groups": ["default"], **served("gpt-4o")}}
    stage = await staged(*[answers(whole())] * 3, each={**each, 2: {"groups": ["default"], **served("mini")}})
    listed(stage)
    gateway = stage.world.gateway
    one, two, _ = gateway.snapshot.channels

    def rests(found: Channel, model: str) -> None:
        for _ in range(3):
            failure = UpstreamError("broke", upstream_status=500, status=500)
            gateway.health.failed(found, 0, model, failure, HealthSpec(), gateway.clock())

    rests(one, "gpt-4o")
    await stage.ask(entry("openai_chat", stream=False))
    rests(two, "gpt-4o")
    await stage.again()
    assert stage.tried() == ["c2", "c3"]


async def test_what_rests_is_asked_when_nobody_else_answers(staged: Staging) -> None:
    stage = await staged(answers(whole()), fails(500), prices=PRICES, each={0: served("gpt-4o"), 1: served("mini")})
    gateway = stage.world.gateway
    for _ in range(3):
        failure = UpstreamError("broke", upstream_status=500, status=500)
        gateway.health.failed(gateway.snapshot.channels[0], 0, "gpt-4o", failure, HealthSpec(), gateway.clock())
    assert (await stage.ask(entry("openai_chat", stream=False))).status == 200
    assert stage.tried() == ["c2", "c1"]
    row = stage.row()
    assert (row.model, row.quota) == ("gpt-4o", 10 * 1 + 4 * 4)
    assert "asked_model" not in row.bill


# -- conversations -------------------------------------------------------------------------------


async def test_a_conversation_stays_with_its_channel_and_moves_when_that_fails(staged: Staging) -> None:
    up = [True, True, True]

    def moody(n: int) -> Any:
        async def handler(c: Conversation) -> None:
            while True:
                await c.request()
                await c.answer(whole(), status=200 if up[n] else 500)

        return handler

    stage = await staged(moody(0), moody(1), moody(2), each={n: {"priority": 0} for n in range(3)})
    asked = {"prompt_cache_key": "talk-1"}

    async def ask() -> str:
        stage.sink = FakeSink()
        assert (await stage.ask(entry("openai_chat", stream=False, **asked))).status == 200
        return stage.world.rows()[-1].record.channel_name

    first = await ask()
    assert [await ask() for _ in range(5)] == [first] * 5
    up[int(first[1:]) - 1] = False
    second = await ask()
    assert second != first
    up[int(first[1:]) - 1] = True
    assert [await ask() for _ in range(5)] == [second] * 5
    asked["prompt_cache_key"] = "talk-2"
    others = {await ask()}
    asked["prompt_cache_key"] = "talk-3"
    assert len(others | {await ask(), second}) > 1


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("store", [None, False])
async def test_who_goes_on_from_an_answer_asks_who_keeps_it(staged: Staging, stream: bool, store: bool | None) -> None:
    def keeper(n: int) -> Any:
        async def handler(c: Conversation) -> None:
            for turn in range(1000):
                await c.request()
                answer = {"object": "response", "status": "completed", "model": "gpt-4o", "output": []}
                answer |= {"id": f"resp_{n}_{turn}", "usage": {"input_tokens": 1, "output_tokens": 1}}
                said = [{"type": f"response.{kind}", "response": answer} for kind in ("created", "completed")]
                events = b"".join(b"data: %b\n\n" % msgspec.json.encode(e) for e in said)
                body = events if stream else msgspec.json.encode(answer)
                kind = "text/event-stream" if stream else "application/json"
                await c.answer(body, headers=f"content-type: {kind}\r\n")

        return handler

    about = {"priority": 0, "formats": ["openai_responses"]}
    stage = await staged(*map(keeper, range(3)), each=dict.fromkeys(range(3), about))
    asked: dict[str, Any] = {"prompt_cache_key": "talk"} | ({} if store is None else {"store": store})

    async def ask(**more: Any) -> str:
        stage.sink = FakeSink()
        assert (await stage.ask(entry("openai_responses", stream=stream, **more))).status == 200
        return stage.world.rows()[-1].record.channel_name

    served = [await ask(store=store) for _ in range(3)]
    assert len(set(served)) == 3
    known = [place for place in stage.world.gateway.affinity._held if place[2].startswith("response:")]
    if store is False:
        assert not known
        return
    assert len(known) == 3
    for name in (*served, *served):
        assert await ask(**asked, previous_response_id=f"resp_{int(name[1:]) - 1}_0") == name
    assert stage.world.ledger.reserved == 0


# -- time ------------------------------------------------------------------------------------------


async def silent(c: Conversation) -> None:
    await c.request()
    await c.gone()


async def test_one_that_does_not_begin_to_answer_in_time_is_another_s(staged: Staging) -> None:
    from newapi.relay.gateway import Limits

    stage = await staged(silent, answers(whole()), limits=Limits(first_byte_timeout=0.05))
    assert (await stage.ask(entry("openai_chat", stream=False))).status == 200
    assert [t.get("kind", "") for t in tries(stage)] == ["timeout", ""]


async def test_the_budget_of_time_is_that_of_all_tries(staged: Staging) -> None:
    stage = await staged(silent, answers(whole()), routing={"time_budget": 0.05})
    sink = await stage.ask(entry("openai_chat", stream=False))
    assert (sink.status, tries(stage)[0]["kind"]) == (504, "timeout")
    assert stage.tried() == ["c1"]
    assert stage.upstreams[1].connections == 0


async def test_an_upstream_that_failed_has_a_moment_before_it_is_asked_again(
    staged: Staging, monkeypatch: pytest.MonkeyPatch
) -> None:
    pauses: list[float] = []

    async def slept(seconds: float) -> None:
        pauses.append(seconds)

    monkeypatch.setattr(failover, "_PAUSE", 1.0)
    monkeypatch.setattr(failover, "sleep", slept)
    stage = await staged(fails(500), fails(500), keys=("a", "b", "c"))
    await stage.ask(entry("openai_chat", stream=False))
    assert stage.tried() == ["c1", "c1", "c1", "c2"]
    assert len(pauses) == 2
    assert 0.5 <= pauses[0] <= 1.5
    assert 1.0 <= pauses[1] <= 3.0


@pytest.mark.parametrize(("status", "pauses"), [(401, 0), (403, 0), (429, 2)])
async def test_a_key_that_is_refused_says_nothing_of_the_next(
    staged: Staging, monkeypatch: pytest.MonkeyPatch, status: int, pauses: int
) -> None:
    slept: list[float] = []

    async def sleep(seconds: float) -> None:
        slept.append(seconds)

    monkeypatch.setattr(failover, "sleep", sleep)
    stage = await staged(fails(status), keys=("a", "b", "c"))
    await stage.ask(entry("openai_chat", stream=False))
    assert len(tries(stage)) == 3
    assert len(slept) == pauses


async def test_where_nobody_listens_no_other_key_is_tried(staged: Staging) -> None:
    stage = await staged(hangs_up, answers(whole()), each={0: {"keys": ("a", "b", "c")}})
    assert (await stage.ask(entry("openai_chat", stream=False))).status == 200
    assert stage.tried() == ["c1", "c2"]


async def test_a_refused_connection_is_another_s(staged: Staging) -> None:
    stage = await staged(hangs_up, answers(whole()))
    nobody = channel(9, base_url="http://127.0.0.1:1", priority=99, models=["*"], formats=["openai_chat"])
    before = stage.world.gateway.snapshot
    stage.world.gateway.snapshot = snapshot(
        [nobody, before.channels[1]], tokens={KEY: token(unlimited=False)}, users=[user(unlimited=False)], models=PRICES
    )
    assert (await stage.ask(entry("openai_chat", stream=False))).status == 200
    assert [(t["channel"], t.get("kind", "")) for t in tries(stage)] == [("c9", "connect"), ("c2", "")]


# -- limits of channels ----------------------------------------------------------------------------


@pytest.mark.parametrize("limit", ["requests_per_minute", "key_requests_per_minute"])
async def test_a_channel_at_its_limit_is_passed_over(staged: Staging, limit: str) -> None:
    stage = await staged(answers(whole()), answers(whole()), each={0: {limit: 2}})
    await stage.ask(entry("openai_chat", stream=False))
    for _ in range(2):
        await stage.again()
    assert stage.tried() == ["c1", "c1", "c2"]


async def test_each_key_has_its_own_limit(staged: Staging) -> None:
    stage = await staged(answers(whole()), key_requests_per_minute=1, keys=("a", "b"))
    await stage.ask(entry("openai_chat", stream=False))
    await stage.again()
    assert [t["key"] for t in tries(stage)] == [0, 1]


async def test_where_all_are_at_their_limit_the_caller_is_told_when_to_come_again(staged: Staging) -> None:
    stage = await staged(answers(whole()), requests_per_minute=1)
    await stage.ask(entry("openai_chat", stream=False))
    sink = await stage.again()
    assert (sink.status, sink.headers["retry-after"]) == (429, "60")
    assert sink.json["error"]["message"].startswith("Every channel for model gpt-4o is at its limit")


async def test_a_limit_of_tokens_counts_what_it_was(staged: Staging) -> None:
    stage = await staged(answers(whole()), answers(whole()), each={0: {"tokens_per_minute": 30}})
    await stage.ask(entry("openai_chat", stream=False))  # 14
    await stage.again()
    await stage.again()
    assert stage.tried() == ["c1", "c1", "c2"]


async def test_one_that_waits_for_a_place_gets_the_next(staged: Staging) -> None:
    asked, let = asyncio.Event(), asyncio.Event()

    async def slow(c: Conversation) -> None:
        while True:
            await c.request()
            asked.set()
            await let.wait()
            await c.answer(whole())

    stage = await staged(slow, concurrency=1, routing={"queue": 30.0})
    gateway = stage.world.gateway
    first = asyncio.create_task(relay(entry("openai_chat", stream=False), gateway, FakeSink()))
    await asked.wait()
    sinks = [FakeSink() for _ in range(3)]
    rest = [
        asyncio.create_task(
            relay(msgspec.structs.replace(entry("openai_chat", stream=False), request_id=f"r{n}"), gateway, sink)
        )
        for n, sink in enumerate(sinks)
    ]
    async with asyncio.timeout(10):
        while len(gateway.waiting._waiting) < 3:  # noqa: ASYNC110  (nobody tells who begins to wait)
            await asyncio.sleep(0)
        assert gateway.figures.under_way(1) == 1
        let.set()
        await asyncio.gather(first, *rest)
    assert [s.status for s in sinks] == [200] * 3


async def test_a_caller_who_hangs_up_before_a_fallback_is_asked_leaves_no_place_taken(
    staged: Staging, monkeypatch: pytest.MonkeyPatch
) -> None:
    stage = await staged(
        fails(500),
        answers(whole()),
        prices=PRICES,
        each={0: served("gpt-4o"), 1: {**served("mini"), "concurrency": 1}},
    )
    gateway, obtain = stage.world.gateway, stage.world.ledger.obtain
    waits = asyncio.Event()

    async def slowly(caller: Any, amount: int) -> Any:
        if caller.group and stage.upstreams[0].connections:
            waits.set()
            await asyncio.Event().wait()
        return await obtain(caller, amount)

    monkeypatch.setattr(stage.world.ledger, "obtain", slowly)
    request = asyncio.create_task(relay(entry("openai_chat", stream=False), gateway, FakeSink()))
    async with asyncio.timeout(10):
        await waits.wait()
    request.cancel()
    await asyncio.gather(request, return_exceptions=True)
    assert isinstance(gateway.limiter, Limiter)
    assert gateway.limiter._tickets == {}
    assert stage.world.ledger.reserved == 0


@pytest.mark.parametrize("queue", [0.0, 0.02])
async def test_nobody_waits_longer_than_the_queue_allows(staged: Staging, queue: float) -> None:
    asked = asyncio.Event()

    async def never(c: Conversation) -> None:
        await c.request()
        asked.set()
        await c.gone()

    stage = await staged(never, concurrency=1, routing={"queue": queue})
    gateway = stage.world.gateway
    first = asyncio.create_task(relay(entry("openai_chat", stream=False), gateway, FakeSink()))
    await asked.wait()
    sink = FakeSink()
    await relay(msgspec.structs.replace(entry("openai_chat", stream=False), request_id="r2"), gateway, sink)
    assert (sink.status, sink.headers["retry-after"]) == (429, "1")
    first.cancel()
    with pytest.raises(asyncio.CancelledError):
        await first
    assert gateway.limiter._tickets == {}


async def test_a_queue_that_is_full_refuses(staged: Staging, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("newapi.relay.waiting.MOST", 0)
    stage = await staged(answers(whole()), requests_per_minute=1, routing={"queue": 3600.0})
    await stage.ask(entry("openai_chat", stream=False))
    assert (await stage.again()).status == 429


async def test_a_short_retry_after_is_waited_for(staged: Staging) -> None:
    replies = [(429, "retry-after-ms: 20\r\n"), (200, "")]

    async def handler(c: Conversation) -> None:
        while True:
            await c.request()
            status, header = replies.pop(0)
            await c.answer(whole(), status=status, headers=f"content-type: application/json\r\n{header}")

    stage = await staged(handler)
    gateway = stage.world.gateway
    loop = asyncio.get_running_loop()
    began = loop.time()
    gateway.clock = gateway.router._clock = lambda: 1_700_000_000.0 + loop.time() - began
    assert (await stage.ask(entry("openai_chat", stream=False))).status == 429
    assert (await stage.again()).status == 200


async def test_a_stream_that_was_begun_is_not_another_s(staged: Staging) -> None:
    """Pings go out while nobody has answered; the next channel still may."""

    async def slow(c: Conversation) -> None:
        await c.request()
        await c.send(b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n")
        await c.send(chunk(b": ping\n\n"))
        await asyncio.sleep(0.1)

    from newapi.relay.gateway import Limits

    stage = await staged(slow, STREAMED, limits=Limits(keepalive=0.02))
    sink = await stage.ask(entry("openai_chat", stream=True))
    assert sink.status == 200
    assert b"hel" in sink.body
    assert stage.tried() == ["c1", "c2"]


async def test_one_that_asked_to_be_left_alone_is_asked_where_nobody_else_is_there(staged: Staging) -> None:
    replies = [(429, "retry-after: 3600\r\n"), (200, ""), (200, "")]

    async def handler(c: Conversation) -> None:
        while True:
            await c.request()
            status, header = replies.pop(0)
            await c.answer(whole(), status=status, headers=f"content-type: application/json\r\n{header}")

    stage = await staged(handler)
    assert (await stage.ask(entry("openai_chat", stream=False))).status == 429
    assert (await stage.again()).status == 200
