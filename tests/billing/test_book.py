from __future__ import annotations

from decimal import Decimal

import pytest

from newapi.billing.book import UNPRICED_RATIO, PriceBook, Tables, builtin, normalise
from newapi.billing.price import Price
from tests.billing.wishes import Tier, Wish


def price(model: str, wish: Wish | None = None, **options: str) -> Price:
    found = PriceBook({} if wish is None else {model: wish}, **options).find(model)
    assert found is not None
    return found


NAMES = {
    "gemini-2.5-flash-lite-preview-thinking-128": "gemini-2.5-flash-lite-thinking-*",
    "gemini-2.5-flash-preview-05-20-thinking-128": "gemini-2.5-flash-thinking-*",
    "gemini-2.5-pro-thinking-1024": "gemini-2.5-pro-thinking-*",
    "gemini-2.5-flash-preview-05-20-thinking": "gemini-2.5-flash-preview-05-20-thinking",
    "gemini-2.5-flash-lite": "gemini-2.5-flash-lite",
    "gemini-3-pro-thinking-128": "gemini-3-pro-thinking-128",
    "gpt-4-gizmo-g-123": "gpt-4-gizmo-*",
    "gpt-4o-gizmo-g-123": "gpt-4o-gizmo-*",
    "gpt-4o": "gpt-4o",
}


@pytest.mark.parametrize(("model", "name"), NAMES.items())
def test_families_share_a_name(model: str, name: str) -> None:
    assert normalise(model) == name
    assert normalise(name) == name


COMPLETION = {
    "any-all": "2",
    "gpt-4o-gizmo-*": "3",
    "gpt-4-all": "2",
    "gpt-4o-2024-05-13": "3",
    "gpt-4o-mini-tts": "20",
    "gpt-4o-mini-tts-2025": "20",
    "gpt-4o": "4",
    "gpt-4o-mini": "4",
    "gpt-5.5-pro": "6",
    "gpt-5.4-nano": "6.25",
    "gpt-5.4": "6",
    "gpt-5": "8",
    "gpt-5-mini": "8",
    "gpt-4.5-preview-2025": "2",
    "gpt-4-turbo-preview": "3",
    "gpt-4-1106-preview": "2",
    "gpt-4-1106": "3",
    "gpt-4-1105": "3",
    "gpt-3.5-turbo": "2",
    "gpt-4.1": "2",
    "gpt-image-1": "8",
    "gpt-4": "2",
    "o1-mini": "4",
    "o3": "4",
    "o4-mini": "1",
    "chatgpt-4o-latest": "3",
    "claude-3-5-sonnet-20241022": "5",
    "anthropic.claude-3-haiku": "5",
    "claude-sonnet-4-5": "5",
    "claude-opus-4-8": "5",
    "claude-haiku-4-5": "5",
    "claude-2": "1",
    "mistral-large": "3",
    "gemini-1.5-pro": "4",
    "gemini-2.0-flash": "4",
    "gemini-2.5-pro": "8",
    "gemini-2.5-flash-preview-05-20-nothinking": "4",
    "gemini-2.5-flash-preview-05-20": "23.333333333333332",
    "gemini-2.5-flash-lite": "4",
    "gemini-2.5-flash": "8.333333333333334",
    "gemini-robotics-er-1.5-preview": "8.333333333333334",
    "gemini-3-pro-image-preview": "60",
    "gemini-3-pro-preview": "6",
    "gemini-3-flash": "4",
    "command-r": "3",
    "command-r-plus": "5",
    "command-r-08-2024": "4",
    "command-r-plus-08-2024": "4",
    "command-a": "4",
    "ERNIE-Speed-8K": "2",
    "ERNIE-Lite-8K": "2",
    "ERNIE-Character-8K": "2",
    "ERNIE-Functions-8K": "2",
    "ERNIE-4.0-8K": "1",
    "llama2-70b-4096": "1.25",
    "llama3-8b-8192": "2",
    "llama3-70b-8192": "1.3389830508474576",
    "qwen-max": "1",
    "grok-4": "1",
}


@pytest.mark.parametrize(("model", "ratio"), COMPLETION.items())
def test_completion_ratio_of_the_tables(model: str, ratio: str) -> None:
    assert builtin().completion(model) == Decimal(ratio)


@pytest.mark.parametrize(
    ("model", "ratio"),
    [
        pytest.param("gpt-5", "8", id="a locked rule beats the table"),
        pytest.param("gpt-4.1", "5", id="the table beats a rule that is not locked"),
        pytest.param("openai/gpt-5", "5", id="the table beats everything for a name with a slash"),
        pytest.param("unheard-of", "5", id="the table alone"),
    ],
)
def test_rules_and_table(model: str, ratio: str) -> None:
    rules = [{"prefix": ["gpt-5"], "ratio": 8, "locked": True}, {"prefix": ["gpt-"], "ratio": 2}]
    table = dict.fromkeys(("gpt-5", "gpt-4.1", "openai/gpt-5", "unheard-of"), 5)
    assert Tables({"completion_ratio": table, "hardcoded_completion_rules": rules}).completion(model) == Decimal(ratio)


def test_the_operator_beats_a_locked_rule() -> None:
    assert price("gpt-5", Wish(completion_ratio=Decimal(3))).rates.output == Decimal("0.625") * 3


def test_dollars_are_exact() -> None:
    found = price(
        "x", Wish(input=Decimal("2.50"), output=Decimal(10), cached_input=Decimal("1.25"), cache_write=Decimal("3.125"))
    )
    assert found.source == "config"
    assert (found.rates.input, found.rates.output, found.rates.cache_read) == (
        Decimal("1.25"),
        Decimal(5),
        Decimal("0.625"),
    )
    assert (found.rates.cache_write, found.rates.cache_write_1h) == (Decimal("1.5625"), Decimal("2.5"))


def test_what_dollars_do_not_say_comes_from_the_tables_factor_by_factor() -> None:
    rates = price("gpt-4o", Wish(input=Decimal(4))).rates
    assert (rates.input, rates.output, rates.cache_read) == (Decimal(2), Decimal(8), Decimal(1))
    rates = price("gpt-4o", Wish(cached_input=Decimal(1))).rates
    assert (rates.input, rates.output, rates.cache_read) == (Decimal("1.25"), Decimal(5), Decimal("0.5"))


def test_the_answer_is_billed_though_the_prompt_is_free() -> None:
    found = price("x", Wish(input=Decimal(0), output=Decimal(10)))
    assert (found.rates.input, found.rates.output) == (0, 5)
    assert not found.free


def test_ratios_are_new_apis_own_units() -> None:
    wish = Wish(
        ratio=Decimal(2),
        completion_ratio=Decimal(3),
        cache_ratio=Decimal("0.1"),
        cache_write_ratio=Decimal(2),
        image_ratio=Decimal(4),
        audio_ratio=Decimal(5),
        audio_completion_ratio=Decimal("0.5"),
    )
    found = price("x", wish)
    assert found.audio_priced
    rates = found.rates
    assert (rates.input, rates.output, rates.cache_read, rates.cache_write) == (2, 6, Decimal("0.2"), 4)
    assert (rates.cache_write_1h, rates.image, rates.audio, rates.audio_output) == (Decimal("6.4"), 8, 10, 5)


def test_rates_have_every_digit() -> None:
    long = Decimal("0.273972602739726")
    rates = price(
        "x", Wish(ratio=long, completion_ratio=Decimal("8.333333333333334"), audio_ratio=Decimal("1.234567890123456"))
    ).rates
    assert str(rates.output) == "2.283105022831050182648401826484"
    assert len(str(rates.audio)) > 29


def test_a_price_a_call() -> None:
    assert price("x", Wish(price=Decimal("0.04"))).per_call == Decimal("0.04")
    assert price("dall-e-3").per_call == Decimal("0.04")
    by_token = price("dall-e-3", Wish(ratio=Decimal(1)))
    assert (by_token.per_call, by_token.source) == (None, "config")


def test_the_price_of_a_call_comes_before_a_ratio() -> None:
    assert "gpt-4-gizmo-*" in builtin().model_ratio
    assert price("gpt-4-gizmo-g-1").per_call == Decimal("0.1")


def test_tiers() -> None:
    wish = Wish(
        tiers=(
            Tier(up_to=1000, input=Decimal(2), output=Decimal(8), cached_input=Decimal("0.5")),
            Tier(up_to=2000, input=Decimal(4), output=Decimal(12)),
        ),
        image_ratio=Decimal(3),
    )
    found = price("qwen-plus", wish)
    assert [found.rates_for(n).input for n in (0, 1000, 1001, 2000, 2001)] == [1, 1, 2, 2, 2]
    assert found.rates_for(5).cache_read == Decimal("0.25")
    assert found.rates_for(1500).cache_read == 2
    assert found.rates_for(5).image == 3
    assert found.tier_for(3000) is found.tiers[1]
    assert price("gpt-4o").tier_for(5) is None


def test_models_without_a_price() -> None:
    book = PriceBook({})
    assert book.find("unheard-of") is None
    assert not book.has_price("unheard-of")
    book = PriceBook({}, unpriced="default")
    found = book.find("unheard-of")
    assert found is not None
    assert (found.rates.input, found.source) == (UNPRICED_RATIO, "default")
    assert not book.has_price("unheard-of")
    assert book.has_price("gpt-4o")


def test_a_factor_alone_is_no_price() -> None:
    assert PriceBook({"x": Wish(completion_ratio=Decimal(2), output=Decimal(1))}).find("x") is None


def test_prices_none_forgets_the_tables() -> None:
    book = PriceBook({"x": Wish(ratio=Decimal(1))}, prices="none")
    assert book.find("gpt-4o") is None
    assert book.names() == ("x",)


def test_tables_of_a_file() -> None:
    book = PriceBook({}, prices="prices.json", tables=Tables({"model_ratio": {"y": 0.1}}))
    found = book.find("y")
    assert found is not None
    assert found.rates.input == Decimal("0.1")


def test_compaction_has_a_price_for_all() -> None:
    tables = Tables({"model_ratio": {"*-openai-compact": 3, "a-openai-compact": 4}, "model_price": {}})
    book = PriceBook({}, tables=tables)
    ratios = {m: p.rates.input if (p := book.find(m)) else None for m in ("a-openai-compact", "b-openai-compact", "b")}
    assert ratios == {"a-openai-compact": 4, "b-openai-compact": 3, "b": None}
    book = PriceBook({}, tables=Tables({"model_price": {"*-openai-compact": 0.5}}))
    found = book.find("b-openai-compact")
    assert found is not None
    assert found.per_call == Decimal("0.5")
    found = PriceBook({"*-openai-compact": Wish(ratio=Decimal(7))}).find("b-openai-compact")
    assert found is not None
    assert found.rates.input == 7


def test_a_family_may_be_priced_in_the_configuration() -> None:
    found = PriceBook({"gemini-2.5-pro-thinking-*": Wish(ratio=Decimal(9))}).find("gemini-2.5-pro-thinking-77")
    assert found is not None
    assert found.rates.input == 9


@pytest.mark.parametrize(
    ("model", "field", "value"),
    [
        pytest.param("llama-3-sonar-large-32k-chat", "input", "0.5", id="not free"),
        pytest.param("llama-3-sonar-large-32k-online", "input", "0.5", id="not free, online"),
        pytest.param("gemini-2.5-flash-lite-preview-thinking-99", "input", "0.05", id="its family has a price"),
        pytest.param("gpt-4o-realtime-preview", "audio_output", "40.0", id="2.5 * 8 * 2, not * 1"),
    ],
)
def test_what_new_apis_tables_get_wrong(model: str, field: str, value: str) -> None:
    assert getattr(price(model).rates, field) == Decimal(value)


@pytest.mark.parametrize(
    ("model", "usd"),
    [
        ("gemini-2.5-flash-preview-native-audio-dialog", "3"),
        ("gemini-2.5-flash-preview-lite", "0.5"),
        ("gemini-2.5-flash-preview-05-20", "1"),
        ("gemini-2.5-flash", "1"),
        ("gemini-2.0-flash", "0.7"),
        ("gemini-robotics-er-1.5-preview", "1"),
        ("gemini-2.5-pro", None),
    ],
)
def test_sound_in_geminis_prompt(model: str, usd: str | None) -> None:
    assert price(model, unpriced="default").audio_input_usd == (None if usd is None else Decimal(usd))


def test_lookups_are_remembered_and_forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("newapi.billing.book._REMEMBERED", 2)
    book = PriceBook({})
    first = book.find("gpt-4o")
    assert book.find("gpt-4o") is first
    book.find("a")
    book.find("b")
    again = book.find("gpt-4o")
    assert again == first
    assert again is not first


@pytest.mark.parametrize(
    ("wish", "free"),
    [
        (Wish(ratio=Decimal(0)), True),
        (Wish(price=Decimal(0)), True),
        (Wish(price=Decimal("0.1")), False),
        (Wish(ratio=Decimal(1)), False),
        (
            Wish(tiers=(Tier(up_to=5, input=Decimal(1), output=Decimal(1)), Tier(input=Decimal(0), output=Decimal(0)))),
            False,
        ),
    ],
)
def test_free(wish: Wish, free: bool) -> None:
    assert price("x", wish).free is free
