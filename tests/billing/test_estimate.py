from __future__ import annotations

from decimal import Decimal
from math import ceil
from unittest import mock

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from newapi.billing import estimate
from newapi.billing.estimate import (
    BLOB_TOKENS,
    TextCounter,
    count_body_fast,
    count_request,
    count_text,
    reserve_amount,
)
from newapi.billing.price import Price, PriceTier
from newapi.billing.quote import Call
from newapi.ir.request import (
    CustomTool,
    Inline,
    Media,
    Message,
    Native,
    NativeTool,
    Part,
    Reasoning,
    Refusal,
    Request,
    Text,
    Tool,
    ToolCall,
    ToolResult,
    Url,
)
from tests.billing.wishes import FREE, rates

# -- text: a hundred of one kind, so that its weight shows --------------------------------------

COLUMNS = ("word", "number", "cjk", "symbol", "math", "url", "at", "emoji", "newline", "space")
WEIGHTS = {
    "gemini-2.5-pro": (1.15, 2.8, 0.68, 0.38, 1.05, 1.2, 2.5, 1.08, 1.15, 0.2),
    "claude-sonnet-4-5": (1.13, 1.63, 1.21, 0.4, 4.52, 1.26, 2.82, 2.6, 0.89, 0.39),
    "qwen-max": (1.02, 1.55, 0.85, 0.4, 2.68, 1.0, 2.0, 2.12, 0.5, 0.42),
    "gpt-4o": (1.0, 1.55, 0.85, 0.4, 2.68, 1.0, 2.0, 2.12, 0.5, 0.1),
}
SAMPLES = {
    "word": ("a", "Word", "é", "ß", "слово", "ＡＢ", "café"),
    "number": ("1", "1234567890", "²", "Ⅷ", "½", "٣٤"),
    "cjk": ("中", "あ", "カ", "한", "々", "〇", "𠀀", "豈"),
    "symbol": (".", "{", "_", "—", "。", "，", "́", "\x00"),
    "math": ("±", "×", "÷", "∑", "≤", "⨁", "°", "′"),
    "url": tuple("/:?&=;#%"),
    "at": ("@",),
    "emoji": ("😀", "☀", "🪀", "❶"),
    "newline": ("\n", "\t"),
    "space": (" ", "\r", "\u00a0", "\u3000", "\u2028"),
}


@pytest.mark.parametrize("model", WEIGHTS)
@pytest.mark.parametrize("kind", COLUMNS)
def test_the_table_of_weights(kind: str, model: str) -> None:
    weight = dict(zip(COLUMNS, WEIGHTS[model], strict=True))
    for sample in SAMPLES[kind]:
        # A symbol between them, so that runs of letters or digits do not join.
        text = (sample + "|") * 100
        expected = 100 * (weight[kind] + weight["symbol"])
        assert count_text(text, model) == ceil(round(expected, 6)), repr(sample)


def test_the_emoji_block_ends_where_the_table_says() -> None:
    assert count_text("\U0001f9ff" * 100, "x") == 212
    assert count_text("\U0001fa00" * 100, "x") == 212


@pytest.mark.parametrize(
    ("text", "tokens"),
    [
        ("", 0),
        ("a", 2),  # 1.02
        ("hello world", 3),  # 2 * 1.02 + 0.42
        ("abc123def", 4),  # 1.02 + 1.55 + 1.02
        ("don't", 3),  # 1.02 + 0.4 + 1.02
        ("中文a中", 4),  # 3 * 0.85 + 1.02
        ("a中b", 3),  # 2 * 1.02 + 0.85: two words
        ("x@y.z", 6),  # 3 * 1.02 + 2 + 0.4
        ("four words right here", 6),
    ],
)
def test_texts(text: str, tokens: int) -> None:
    assert count_text(text, "some-model") == tokens


@pytest.mark.parametrize(
    ("model", "openai"),
    [
        ("gpt-4o", True),
        ("openai/o3-mini", True),
        ("o1", True),
        ("chatgpt-4o-latest", True),
        ("ft:gpt-4o:me", True),
        ("qwen-o1x", False),
        ("foo1", False),
        ("glm-o4", False),
    ],
)
def test_openais_tokens_take_a_space_with_them(model: str, openai: bool) -> None:
    assert (count_text("a b " * 100, model) < count_text("a b " * 100, "other")) == openai


@given(st.lists(st.text(max_size=20), max_size=20), st.sampled_from(list(WEIGHTS)), st.integers(1, 30))
def test_where_the_text_is_cut_does_not_matter(pieces: list[str], model: str, batch: int) -> None:
    with mock.patch.object(estimate, "_BATCH", batch):
        counter = TextCounter(model)
        for piece in pieces:
            counter.add(piece)
        assert counter.total() == count_text("".join(pieces), model)
        assert counter.total() == counter.total()


@given(st.text(), st.text())
def test_more_text_never_has_fewer_tokens(a: str, b: str) -> None:
    assert count_text(a + " " + b, "x") >= count_text(a, "x")


def test_a_counter_keeps_no_more_than_a_batch() -> None:
    counter = TextCounter("x")
    for _ in range(1000):
        counter.add("word " * 100)
        assert counter._size <= estimate._BATCH
    assert counter.total() == ceil(100_000 * 1.44)


def test_characters_beyond_the_memory_are_classed_all_the_same() -> None:
    with mock.patch.object(estimate, "_CLASSES", estimate._Classes()) as classes:
        classes.update(dict.fromkeys(range(0xE000, 0xE000 + 0x1_0000), "y"))
        assert count_text("中" * 100, "x") == 85
        assert ord("中") not in classes


# -- requests ------------------------------------------------------------------------------------


def request(*parts: Part, origin: str = "anthropic_messages", **more: object) -> Request:
    return msgspec.structs.replace(Request("m", (Message("user", parts),), origin=origin), **more)


def picture(**more: object) -> Media:
    return msgspec.structs.replace(Media("image", "image/png", Url("https://x.test/a.png")), **more)


@pytest.mark.parametrize(
    ("asked", "tokens"),
    [
        pytest.param(request(Text("a b")), 3, id="text"),
        pytest.param(request(Text("a b"), origin="openai_chat"), 10, id="OpenAI counts the message and its role"),
        pytest.param(request(Reasoning("a"), Refusal("b")), 3, id="reasoning, refusal"),
        pytest.param(request(ToolCall("1", "f", "{}")), 3, id="call"),
        pytest.param(request(ToolResult("1", (Text("a"), picture()))), 522, id="result with a picture"),
        pytest.param(request(picture()), 520, id="picture"),
        pytest.param(request(Native("gemini", msgspec.Raw(b"{}"))), 0, id="a part of the vendor"),
        pytest.param(request(picture(kind="audio")), 256, id="sound"),
        pytest.param(request(picture(kind="video")), 8192, id="film"),
        pytest.param(request(picture(kind="document")), 4096, id="document"),
        pytest.param(request(tools=(Tool("f", "d", msgspec.Raw(b"{}")),)), 4, id="tool"),
        pytest.param(request(tools=(CustomTool("f", "d", msgspec.Raw(b"{}")),)), 4, id="custom tool"),
        pytest.param(request(tools=(NativeTool("gemini", msgspec.Raw(b"{}")),)), 0, id="a tool of the vendor"),
        pytest.param(request(tools=(Tool("f"),), origin="openai_chat"), 18, id="OpenAI counts each tool"),
    ],
)
def test_requests(asked: Request, tokens: int) -> None:
    assert count_request(asked, "m") == tokens


def test_a_name_is_counted_as_openai_counts_it() -> None:
    asked = Request("m", (Message("user", (Text("a"),), name="bob"),), origin="openai_chat")
    plain = Request("m", (Message("user", (Text("a"),)),), origin="openai_chat")
    assert count_request(asked, "m") == count_request(plain, "m") + 3 + 2


def test_pictures_are_counted_by_their_size_for_openai() -> None:
    asked = request(picture(detail="low"))
    assert count_request(asked, "gpt-4o") == 85
    assert count_request(asked, "claude-sonnet-4-5") == 520
    inline = picture(source=Inline("R0lGODlhAAQABA=="))  # a GIF of 1024 by 1024
    assert count_request(request(inline), "gpt-4o") == 765


# -- bodies ----------------------------------------------------------------------------------------

BLOB = b"QUJD" * 5000


@pytest.mark.parametrize(
    ("body", "blobs", "rest"),
    [
        pytest.param(b"", 0, 0, id="empty"),
        pytest.param(b'{"x": "' + b"word " * 100_000 + b'"}', 0, 500_009, id="long text is text"),
        pytest.param(b'{"url": "data:image/png;base64,' + BLOB + b'"}', 1, 33, id="a data URL"),
        pytest.param(b'{"source":{"data":"' + BLOB + b'"}}', 1, 22, id="Anthropic"),
        pytest.param(b'{"inlineData": {"data" : "' + BLOB + b'"}}', 1, 29, id="Gemini, spaced"),
        pytest.param(b'["data:image/png;base64,' + BLOB + b'","data:a/b;base64,' + BLOB + b'"]', 2, 45, id="two"),
        pytest.param(b'["data:image/png;base64,' + BLOB, 1, 24, id="cut off"),
        pytest.param(b'{"data": "' + b"a word " * 1000 + b'"}', 0, 7012, id="text called data"),
        pytest.param(b'{"data": {"x": 1}}', 0, 18, id="an object called data"),
        pytest.param(b'{"data": "QUJD", "t": ";base64,"}', 0, 33, id="short ones are text"),
        pytest.param(
            b'--b\r\nContent-Disposition: form-data; name="image"; filename="a.png"\r\n\r\n'
            + b"\x00" * 9000
            + b'\r\n--b\r\nContent-Disposition: form-data; name="prompt"\r\n\r\n'
            + b"cat " * 100
            + b"\r\n--b--\r\n",
            1,
            None,
            id="a form",
        ),
        pytest.param(b"--", 0, 2, id="no form at all"),
        pytest.param(b"--b\r\nx", 0, 6, id="a form without parts"),
    ],
)
def test_bodies(body: bytes, blobs: int, rest: int | None) -> None:
    counted = count_body_fast(body)
    if rest is None:
        assert blobs * BLOB_TOKENS + 100 < counted < blobs * BLOB_TOKENS + 200
    else:
        assert counted == blobs * BLOB_TOKENS + rest // 4


@given(st.binary(max_size=2000))
def test_any_bytes_have_an_estimate(body: bytes) -> None:
    for some in (body, b"--" + body, b'{"data":"' + body, b";base64," + body):
        assert count_body_fast(some) >= 0


# -- what is set aside -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("price", "prompt", "output", "call", "amount"),
    [
        pytest.param(Price("m", None, rates(Decimal("1.25"), Decimal(4))), 1000, 4096, Call(), 6370, id="by token"),
        pytest.param(Price("m", None, rates(Decimal("0.075"))), 12, 0, Call(), 37, id="at least 500, rounded down"),
        pytest.param(
            Price("m", None, rates(Decimal("2.5"))), 20, 0, Call(endpoint="images"), 5210, id="pictures by token"
        ),
        pytest.param(Price("m", Decimal("0.02"), FREE), 9, 99, Call(), 10_000, id="by call"),
        pytest.param(
            Price("dall-e-3", Decimal("0.04"), FREE),
            9,
            0,
            Call(endpoint="images", n=3, image_size="1792x1024", image_quality="hd"),
            60_000,
            id="one picture of them",
        ),
        pytest.param(
            Price("m", None, msgspec.structs.replace(FREE, output=Decimal(5))), 9, 100, Call(), 500, id="a free prompt"
        ),
        pytest.param(
            Price(
                "m",
                None,
                rates(Decimal(9)),
                (PriceTier(1000, rates(Decimal(1))), PriceTier(None, rates(Decimal(9)))),
            ),
            1001,
            0,
            Call(),
            9009,
            id="the tier of the prompt",
        ),
    ],
)
def test_what_is_set_aside(price: Price, prompt: int, output: int, call: Call, amount: int) -> None:
    assert reserve_amount(price, prompt, output, call=call) == amount
    assert reserve_amount(price, prompt, output, call=call, group_ratio=Decimal(0)) == 0


def test_the_group_pays_its_share_of_what_is_set_aside() -> None:
    price = Price("m", None, rates(Decimal("0.55")))
    assert reserve_amount(price, 1001, 0, group_ratio=Decimal("0.9")) == 495
