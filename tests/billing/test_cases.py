"""The worked cases of New API's billing (`data/cases.json`): what its own functions answered to these inputs."""

from __future__ import annotations

import re
from decimal import Decimal
from pathlib import Path
from typing import Any

import msgspec
import pytest

from newapi.billing.book import PriceBook, builtin
from newapi.billing.charge import Call, charge
from newapi.billing.estimate import reserve_amount
from newapi.billing.price import Price
from newapi.ir.usage import Usage, split_prompt
from tests.billing.wishes import Tier, Wish, rates

CASES: list[dict[str, Any]] = msgspec.json.decode((Path(__file__).parent / "data" / "cases.json").read_bytes())

BILLED_ELSEWHERE = {
    "tiered_error_fallback": "there are no expressions here, so none that fails",
    "preconsume_tiered": "tiers are chosen by size, not by an expression",
    "per_call": "tasks: their amounts are cut off, not rounded",
    "task_tokens": "tasks",
    "violation_fee": "not a request's bill",
    "settle_delta": "the ledger's",
    "plan_balance": "payments",
    "channel_test": "a probe is a request like any other",
    "topup_epay": "payments",
    "topup_stripe": "payments",
    "topup_creem": "payments",
    "redeem": "redemption codes",
    "aff_transfer": "invitations",
}

DIFFERENT = {
    "text_negative_base_clamped_to_one": (10, "a hundred cached tokens are billed, whatever the prompt is said to be"),
    "clamp_overflow": (500_000_000_000_000, "nothing is cut at 32 bits"),
    "claude_split_cache_creation": (112, "writing for five minutes is the price of writing: there is no third one"),
    "audio_min_one": (0, "no token, no charge"),
    "audio_sub_one_rounds_to_zero": (1, "without sound it is text, and text costs at least 1"),
    "tiered_claude_unsplit_remainder_dropped": (2438, "what is written for no stated time is billed too"),
    "tiered_no_minimum": (1, "a tier is a price by the token, and has its minimum"),
    "tiered_overflow": (500_000_000_000_000_000, "nothing is cut at 32 bits"),
}
"""Where we differ on purpose: our quota, and why."""


def number(value: Any) -> Decimal:
    return Decimal(str(value))


def usage_of(case: dict[str, Any]) -> Usage:
    """Return New API's usage record in disjoint buckets, as the formats read it."""
    said, ctx = case["usage"], case["ctx"]
    if ctx.get("nil_usage"):
        return Usage(input=ctx["estimate_prompt_tokens"], source="estimate")
    details = said.get("prompt_tokens_details", {})
    into, read, whole = said.get("prompt_tokens", 0), details.get("cached_tokens", 0), said.get("usage_source")
    five, hour = said.get("claude_cache_creation_5_m_tokens", 0), said.get("claude_cache_creation_1_h_tokens", 0)
    written = details.get("cached_creation_tokens", 0)
    semantic = said.get("usage_semantic") or ("anthropic" if ctx.get("final_format") == "claude" else "")
    out = {
        "output": said.get("completion_tokens", 0),
        "web_searches": ctx.get("claude_web_search", 0),
        "preview_searches": ctx.get("tools", {}).get("web_search_preview", 0),
        "file_searches": ctx.get("tools", {}).get("file_search", 0),
        "pictures": ((ctx["image_quality"], ctx["image_size"]),) if ctx.get("image_generation_call") else (),
        "cost_usd": float(said.get("cost", 0)),
    }
    if semantic == "anthropic" or (not semantic and not whole and (five or hour)):
        five += max(0, written - five - hour)
        return Usage(input=into, cache_read=read, cache_write_5m=five, cache_write_1h=hour, **out)
    sound, picture = details.get("audio_tokens", 0), details.get("image_tokens", 0)
    text, *_ = split_prompt(into, cached=read, written=written, image=picture, audio=sound)
    return Usage(input=text, cache_read=read, cache_write_5m=written, input_image=picture, input_audio=sound, **out)


def price_of(case: dict[str, Any]) -> Price:
    said, model = case["ratios"], case["ctx"].get("model", "m")
    one = {
        name: number(said[key])
        for name, key in (("cache", "cache"), ("write", "cache_creation"), ("image", "image"), ("audio", "audio"))
        if key in said
    }
    spoken = {"spoken": number(said["audio_completion"])} if "audio_completion" in said else {}
    return Price(
        model,
        number(said["price"]) if said.get("use_price") else None,
        rates(number(said.get("model", 0)), number(said.get("completion", 1)), **one, **spoken),
        audio_priced=case["kind"] == "audio",
        audio_input_usd=builtin().audio_input(model),
    )


def call_of(case: dict[str, Any]) -> Call:
    ctx = case["ctx"]
    return Call(
        entry_format="openai_responses" if "tools" in ctx else "openai_chat",
        upstream_format="anthropic_messages" if ctx.get("final_format") == "claude" else "openai_chat",
        provider="openrouter" if ctx.get("openrouter") else "openai",
        multipliers={k: number(v) for k, v in case["ratios"].get("other", {}).items()},
    )


def expected(case: dict[str, Any]) -> int:
    return DIFFERENT.get(case["name"], (case["expected_quota"],))[0]


def of_kind(*kinds: str) -> Any:
    return pytest.mark.parametrize("case", [pytest.param(c, id=c["name"]) for c in CASES if c["kind"] in kinds])


@of_kind("text")
def test_text(case: dict[str, Any]) -> None:
    bill = charge(usage_of(case), price_of(case), group_ratio=number(case["group_ratio"]), call=call_of(case))
    assert bill.quota == expected(case), case["formula"]


@of_kind("audio")
def test_sound(case: dict[str, Any]) -> None:
    ctx = case["ctx"]
    usage = Usage(
        input=ctx.get("text_in", 0),
        output=ctx.get("text_out", 0),
        input_audio=ctx.get("audio_in", 0),
        output_audio=ctx.get("audio_out", 0),
    )
    assert charge(usage, price_of(case)).quota == expected(case), case["formula"]


@of_kind("preconsume")
def test_reservation(case: dict[str, Any]) -> None:
    ctx, price = case["ctx"], price_of(case)
    if "image_price_ratio" in ctx:
        price = msgspec.structs.replace(price, per_call=price.per_call * number(ctx["image_price_ratio"]))
    amount = reserve_amount(
        price, ctx["prompt_estimate"], ctx.get("max_tokens", 0), group_ratio=number(case["group_ratio"])
    )
    assert amount == case["expected_quota"], case["formula"]


_STEP = re.compile(r'(?:(?:len|p) <= (\d+) \? )?tier\("\w+", ([^()]*)\)(?: : )?')
_TERM = re.compile(r"(p|c|cr|cc|cc1h) \* ([\d.]+)")


def tiers_of(expression: str) -> tuple[Tier, ...] | None:
    """Return an expression of New API's as tiers; None where it says more than tiers do."""
    tiers: list[Tier] = []
    rest = expression.removeprefix("v1:")
    while match := _STEP.match(rest):
        rest = rest[match.end() :]
        terms = [_TERM.fullmatch(t.strip()) for t in match[2].split("+")]
        said = {t[1]: Decimal(t[2]) for t in terms if t}
        if len(said) != len(terms) or ("cc1h" in said and said["cc1h"] != said["cc"] * Decimal("1.6")):
            return None
        one = said["p"]
        tiers.append(
            Tier(
                up_to=int(match[1]) if match[1] else None,
                input=one,
                output=said.get("c", Decimal(0)),
                cached_input=said.get("cr", one),
                cache_write=said.get("cc", one),
            )
        )
    return tuple(tiers) if tiers and not rest else None


TIERED = [c for c in CASES if c["kind"] == "tiered" and tiers_of(c["ratios"]["expr"])]


@pytest.mark.parametrize("case", [pytest.param(c, id=c["name"]) for c in TIERED])
def test_tiers(case: dict[str, Any]) -> None:
    book = PriceBook({"m": Wish(tiers=tiers_of(case["ratios"]["expr"]) or ())}, prices="none")
    price = book.find("m")
    assert price is not None
    bill = charge(usage_of(case), price, group_ratio=number(case["group_ratio"]), call=call_of(case))
    assert bill.quota == expected(case), case["formula"]


def test_every_case_is_here_or_elsewhere() -> None:
    kinds = {c["kind"] for c in CASES}
    assert kinds == {"text", "audio", "preconsume", "tiered"} | BILLED_ELSEWHERE.keys()
    assert len(CASES) == 137
    assert len(TIERED) >= 15
    assert DIFFERENT.keys() <= {c["name"] for c in CASES}
