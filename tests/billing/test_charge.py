from __future__ import annotations

from decimal import Decimal

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from newapi.billing.charge import Call, charge, logged_prompt
from newapi.billing.price import ZERO, Price, PriceTier
from newapi.billing.quote import Line, quote, total
from newapi.ir.usage import Usage
from tests.billing.wishes import FREE, rates

BUCKETS = (
    "input",
    "cache_read",
    "cache_write_5m",
    "cache_write_1h",
    "input_image",
    "input_audio",
    "output",
    "reasoning",
    "output_image",
    "output_audio",
)

ratios = st.decimals(0, 1000, places=9)
small = st.decimals(0, 10, places=15)
counts = st.integers(0, 10_000_000)
usages = st.builds(
    Usage, **dict.fromkeys(BUCKETS, counts), web_searches=st.integers(0, 3), file_searches=st.integers(0, 3)
)


@st.composite
def prices(draw: st.DrawFn) -> Price:
    def some() -> Decimal:
        return draw(small)

    def one() -> Decimal:
        return draw(ratios)

    made = rates(one(), one(), cache=some(), write=some(), image=some(), audio=some(), spoken=some())
    return Price(
        "m",
        draw(st.none() | small),
        made,
        audio_priced=draw(st.booleans()),
        audio_input_usd=draw(st.none() | small),
    )


calls = st.builds(
    Call,
    endpoint=st.sampled_from(("chat", "images", "speech", "embeddings")),
    upstream_format=st.sampled_from(("openai_chat", "anthropic_messages")),
    n=st.integers(0, 4),
)


@given(usages, prices(), small, calls)
def test_the_bill_is_the_sum_of_its_lines(usage: Usage, price: Price, group: Decimal, call: Call) -> None:
    bill = charge(usage, price, group_ratio=group, call=call)
    lines = quote(price, usage, group, call=call)
    exact = Decimal(bill.factors["exact"])
    assert exact == total(lines)
    assert type(bill.quota) is int
    assert bill.quota >= 0
    assert all(type(line.rate) is Decimal and type(line.quota) is Decimal for line in lines)
    if bill.quota > 1:
        assert abs(bill.quota - exact) <= Decimal("0.5")
    msgspec.json.encode(bill.factors)


@given(usages, prices(), calls)
def test_a_group_that_pays_nothing_pays_nothing(usage: Usage, price: Price, call: Call) -> None:
    assert charge(usage, price, group_ratio=ZERO, call=call).quota == 0


@given(usages, prices(), st.sampled_from(BUCKETS), st.integers(1, 10_000))
def test_more_tokens_never_cost_less(usage: Usage, price: Price, bucket: str, more: int) -> None:
    price = msgspec.structs.replace(price, audio_priced=False)
    larger = msgspec.structs.replace(usage, **{bucket: getattr(usage, bucket) + more})
    assert charge(larger, price).quota >= charge(usage, price).quota


@given(usages, prices(), small)
def test_free_is_free_and_paid_costs_something(usage: Usage, price: Price, group: Decimal) -> None:
    usage = msgspec.structs.replace(usage, web_searches=0, file_searches=0)
    free = Price("m", None, FREE)
    assert charge(usage, free, group_ratio=group).quota == 0
    price = msgspec.structs.replace(price, per_call=None, audio_priced=False)
    if usage.total and Decimal(charge(usage, price, group_ratio=group).factors["exact"]) > 0:
        assert charge(usage, price, group_ratio=group).quota >= 1


def test_negative_counts_earn_nothing() -> None:
    price = Price("m", None, rates(Decimal(1)))
    assert charge(Usage(input=10, output=-5), price).quota == 10
    assert charge(Usage(input=-10), price).quota >= 0


HALVES = [(1, "0.5", 1), (3, "0.5", 2), (5, "0.5", 3), (7, "0.5", 4), (249, "0.01", 2), (1, "0.001", 1)]


@pytest.mark.parametrize(("tokens", "ratio", "quota"), HALVES)
def test_halves_go_up(tokens: int, ratio: str, quota: int) -> None:
    assert charge(Usage(input=tokens), Price("m", None, rates(Decimal(ratio)))).quota == quota


def test_twenty_nine_digits_do_not_round_up() -> None:
    # 2.4999999999999999999999999999975: with 28 digits it would be 2.5 and then 3.
    ratio = Decimal("0.4999999999999999999999999999995")
    assert charge(Usage(input=5), Price("m", None, rates(ratio))).quota == 2


def test_a_tier_is_chosen_by_the_whole_prompt() -> None:
    tiers = (PriceTier(100, rates(Decimal(1))), PriceTier(None, rates(Decimal(10))))
    price = Price("m", None, tiers[-1].rates, tiers)
    bill = charge(Usage(input=50, cache_read=50), price)
    assert (bill.quota, bill.factors["tier"]) == (100, 100)
    bill = charge(Usage(input=50, cache_read=51), price)
    assert (bill.quota, bill.factors["tier"]) == (1010, None)


@pytest.mark.parametrize(
    ("model", "size", "quality", "n", "quota"),
    [
        ("dall-e-3", "1024x1024", "standard", 1, 20_000),
        ("dall-e-3", "1024x1024", "hd", 1, 40_000),
        ("dall-e-3", "1792x1024", "hd", 3, 180_000),
        ("dall-e-3", "1024x1792", "", 1, 40_000),
        ("dall-e-2", "256x256", "hd", 2, 16_000),
        ("dall-e-2", "512x512", "", 1, 9_000),
        ("imagen-3.0-generate-002", "256x256", "hd", 4, 80_000),
        ("imagen-3.0-generate-002", "", "", 0, 20_000),
    ],
)
def test_pictures(model: str, size: str, quality: str, n: int, quota: int) -> None:
    call = Call(endpoint="images", n=n, image_size=size, image_quality=quality)
    price = Price(model, Decimal("0.04"), FREE)
    assert charge(Usage(), price, call=call).quota == quota
    assert charge(Usage(input=1), price, call=call).quota == quota


def test_alternatives_of_a_chat_do_not_multiply_the_price_of_a_call() -> None:
    assert charge(Usage(input=1), Price("m", Decimal("0.02"), FREE), call=Call(n=5)).quota == 10_000


SOUND = Usage(input=10, input_audio=100, output=20, output_audio=200)


@pytest.mark.parametrize(
    ("price", "call", "quota"),
    [
        pytest.param({"audio_priced": True}, Call(), 10 + 80 + 800 + 3200, id="chat, with prices for sound"),
        pytest.param({}, Call(), 10 + 80 + 100 + 800, id="chat, without"),
        pytest.param({}, Call(endpoint="speech"), 10 + 80 + 800 + 3200, id="speech"),
        pytest.param(
            {"audio_priced": True}, Call(entry_format="openai_responses"), 10 + 80 + 100 + 800, id="responses"
        ),
        pytest.param(
            {"model": "gpt-4o-audio-preview"},
            Call(entry_format="openai_responses"),
            10 + 80 + 800 + 3200,
            id="responses, a model for sound",
        ),
        pytest.param({"audio_input_usd": Decimal("0.7")}, Call(), 10 + 80 + 35 + 800, id="Gemini"),
    ],
)
def test_sound(price: dict[str, object], call: Call, quota: int) -> None:
    base = Price("m", None, rates(Decimal(1), Decimal(4), audio=Decimal(8), spoken=Decimal(2)))
    assert charge(SOUND, msgspec.structs.replace(base, **price), call=call).quota == quota


def test_sound_has_no_minimum() -> None:
    price = Price("m", None, rates(Decimal("0.01")), audio_priced=True)
    assert charge(Usage(input_audio=10), price).quota == 0
    assert charge(Usage(input_audio=100), price).quota == 1


def test_sound_has_no_discount_for_what_is_cached() -> None:
    price = Price("m", None, rates(Decimal(1), cache=Decimal("0.1"), audio=Decimal(2)), audio_priced=True)
    assert charge(Usage(input=5, cache_read=10, input_audio=1), price).quota == 17


TOOLS = [
    pytest.param("m", Usage(input=1, web_searches=3), Call(), 15_001, id="searches"),
    pytest.param("gpt-4o", Usage(input=1, preview_searches=2), Call(), 25_001, id="preview"),
    pytest.param("o3", Usage(input=1, preview_searches=2), Call(), 10_001, id="preview, reasoning"),
    pytest.param("gpt-4o-search-preview", Usage(input=1), Call(), 12_501, id="a model that always searches"),
    pytest.param("x-search-preview", Usage(input=1), Call(), 5_001, id="another"),
    pytest.param(
        "gpt-4o-search-preview", Usage(input=1), Call(entry_format="openai_responses"), 1, id="Responses counts them"
    ),
    pytest.param("gpt-4o-search-preview", Usage(input=1, web_searches=1), Call(), 5_001, id="counted"),
    pytest.param("m", Usage(input=1, file_searches=2), Call(), 2_501, id="files"),
    pytest.param("m", Usage(input=1, pictures=(("low", "1024x1024"),)), Call(), 5_501, id="a picture"),
    pytest.param("m", Usage(input=1, pictures=(("medium", "1536x1024"),)), Call(), 31_501, id="oblong"),
    pytest.param("m", Usage(input=1, pictures=(("high", "auto"),)), Call(), 83_501, id="of unknown size"),
    pytest.param("m", Usage(input=1, pictures=(("auto", "1024x1536"),)), Call(), 83_501, id="of unknown quality"),
    pytest.param(
        "m",
        Usage(input=1, pictures=(("low", "1024x1024"), ("low", "1024x1536"), ("low", "1024x1024"))),
        Call(),
        19_001,
        id="three pictures of two prices",
    ),
    pytest.param("m", Usage(web_searches=3), Call(), 0, id="no token, no charge"),
]


@pytest.mark.parametrize(("model", "usage", "call", "quota"), TOOLS)
def test_tools_of_the_vendor(model: str, usage: Usage, call: Call, quota: int) -> None:
    assert charge(usage, Price(model, None, rates(Decimal(1))), call=call).quota == quota


def test_the_group_pays_its_share_of_tools() -> None:
    bill = charge(Usage(input=10, web_searches=1), Price("m", Decimal("0.02"), FREE), group_ratio=Decimal("0.5"))
    assert bill.quota == 7_500


def test_multipliers() -> None:
    call = Call(multipliers={"seconds": Decimal(8), "size": Decimal("1.666667"), "nothing": Decimal(0)})
    bill = charge(Usage(input=1), Price("m", Decimal("0.3"), FREE), call=call)
    assert bill.quota == 2_000_000
    assert bill.factors["multipliers"] == {"seconds": 8.0, "size": 1.666667, "nothing": 0.0}


def test_openrouter_in_anthropics_format() -> None:
    call = Call(provider="openrouter", upstream_format="anthropic_messages")
    price = Price("m", None, rates(Decimal("1.5"), Decimal(5), cache=Decimal("0.1")))
    said = Usage(input=1000, cache_read=300, output=200, cost_usd=0.00549)
    bill = charge(said, price, call=call)
    assert (bill.quota, bill.prompt_tokens) == (2745, 300)
    assert bill.factors["cache_creation_tokens"] == 400
    unknown = charge(msgspec.structs.replace(said, cost_usd=0.0), price, call=call)
    assert (unknown.prompt_tokens, unknown.factors["cache_creation_tokens"]) == (700, 0)
    absurd = charge(msgspec.structs.replace(said, cost_usd=9.0), price, call=call)
    assert absurd.factors["cache_creation_tokens"] == 0
    own = msgspec.structs.replace(price, source="config")
    assert charge(said, own, call=call).factors["cache_creation_tokens"] == 0


def test_tokens_as_new_api_logs_them() -> None:
    usage = Usage(input=500, cache_read=1200, cache_write_5m=300, output=60, reasoning=30)
    assert logged_prompt(usage, "anthropic_messages") == 500
    assert logged_prompt(usage, "gemini") == 2000
    price = Price("m", None, rates(Decimal("2.5"), Decimal(4)))
    bill = charge(usage, price, call=Call(upstream_format="anthropic_messages"))
    assert (bill.quota, bill.prompt_tokens, bill.completion_tokens) == (6088, 500, 90)


def test_every_factor_is_stated() -> None:
    usage = Usage(
        input=100, cache_read=50, cache_write_5m=10, cache_write_1h=20, input_image=5, output=30, web_searches=2
    )
    price = Price("m", None, rates(Decimal("1.5"), Decimal(5), cache=Decimal("0.1"), image=Decimal(2)), source="config")
    bill = charge(usage, price, group_ratio=Decimal("0.8"), call=Call(upstream_format="anthropic_messages"))
    assert bill.factors == {
        "model_ratio": 1.5,
        "completion_ratio": 5.0,
        "cache_ratio": 0.1,
        "cache_creation_ratio": 1.25,
        "model_price": -1,
        "group_ratio": 0.8,
        "cache_tokens": 50,
        "cache_creation_tokens": 30,
        "price_source": "config",
        "claude": True,
        "usage_semantic": "anthropic",
        "cache_write_tokens": 30,
        "cache_creation_tokens_5m": 10,
        "cache_creation_ratio_5m": 1.25,
        "cache_creation_tokens_1h": 20,
        "cache_creation_ratio_1h": 2.0,
        "image": True,
        "image_ratio": 2.0,
        "image_output": 5,
        "lines": {
            "input": [100, "1.5"],
            "cache_read": [50, "0.15"],
            "cache_write_5m": [10, "1.875"],
            "cache_write_1h": [20, "3"],
            "input_image": [5, "3"],
            "output": [30, "7.5"],
            "web_search": [2, "5000"],
        },
        "web_search": True,
        "web_search_call_count": 2,
        "web_search_price": 10.0,
        "exact": "8381",
    }


def test_factors_of_sound_and_pictures() -> None:
    price = Price("m", None, rates(Decimal(1), audio=Decimal(8), spoken=Decimal(2)), audio_priced=True)
    factors = charge(SOUND, price).factors
    assert {k: factors[k] for k in ("audio", "audio_input", "audio_output", "text_input", "text_output")} == {
        "audio": True,
        "audio_input": 100,
        "audio_output": 200,
        "text_input": 10,
        "text_output": 20,
    }
    assert (factors["audio_ratio"], factors["audio_completion_ratio"]) == (8.0, 2.0)
    gemini = msgspec.structs.replace(price, audio_priced=False, audio_input_usd=Decimal(1))
    factors = charge(SOUND, gemini).factors
    assert (factors["audio_input_token_count"], factors["audio_input_price"]) == (100, 1.0)
    factors = charge(Usage(input=1, pictures=(("low", "1024x1024"),)), price).factors
    assert (factors["image_generation_call"], factors["image_generation_call_price"]) == (True, 0.011)
    assert charge(Usage(), Price("m", Decimal(1), FREE), call=Call(endpoint="images", n=2)).factors["n"] == 2


def test_a_quotation() -> None:
    lines = quote(
        Price("m", None, rates(Decimal("1.25"), Decimal(4))), Usage(input=1_000_000, output=10), Decimal("0.5")
    )
    assert lines == [
        Line("input", "token", 1_000_000, Decimal("1.25"), Decimal("0.5")),
        Line("output", "token", 10, Decimal("5.00"), Decimal("0.5")),
    ]
    assert [line.quota for line in lines] == [625_000, 25]
