from __future__ import annotations

from typing import Any

import msgspec
import pytest

from newapi.base.errors import CallerError, NewapiError, UpstreamError
from newapi.base.http import HttpCall, HttpReply
from newapi.base.progress import watched
from newapi.base.secret import Secret
from newapi.config.schema import ChannelSpec
from newapi.ops import channel_probe as probes
from newapi.ops import channels
from newapi.ops.channels import ChannelView, Draft
from newapi.ops.legacy import Told
from newapi.ops.local import Local
from newapi.store import clock
from newapi.store import options as store_options
from tests.ops.sealing import sealing

CHAT = {
    "id": "c1",
    "object": "chat.completion",
    "created": 1,
    "model": "m",
    "choices": [{"index": 0, "message": {"role": "assistant", "content": "Hello"}, "finish_reason": "stop"}],
    "usage": {"prompt_tokens": 10, "completion_tokens": 2, "total_tokens": 12},
}
STREAM = (
    b'data: {"id":"c","object":"chat.completion.chunk","created":1,"model":"m","choices":[{"index":0,"delta":'
    b'{"content":"Hi"},"finish_reason":"stop"}]}\n\ndata: [DONE]\n\n'
)
LIST = {"object": "list", "data": [{"id": "gpt-4o", "object": "model"}, {"id": "o3"}]}


class Script:
    """An upstream that answers what a test says, and remembers what it was asked."""

    def __init__(self, *replies: Any) -> None:
        self.replies = list(replies)
        self.calls: list[HttpCall] = []
        self.proxies: list[str] = []

    def __call__(self, call: HttpCall, timeout: float, proxy: str) -> HttpReply:
        self.calls.append(call)
        self.proxies.append(proxy)
        reply = self.replies.pop(0)
        if isinstance(reply, Exception):
            raise reply
        return reply if isinstance(reply, HttpReply) else say(reply)

    @property
    def body(self) -> dict[str, Any]:
        return msgspec.json.decode(self.calls[-1].body)

    def header(self, name: str) -> str:
        return next((v for k, v in self.calls[-1].headers if k == name), "")


def say(body: Any, status: int = 200, content_type: str = "application/json") -> HttpReply:
    raw = body if isinstance(body, bytes) else msgspec.json.encode(body)
    return HttpReply(status, (("content-type", content_type),), raw)


@pytest.fixture
def local(local: Local) -> Local:
    return sealing(local)


def make(local: Local, *keys: str, **spec: Any) -> ChannelView:
    values = {"type": "openai", "base_url": "https://up.test", "models": ("gpt-4o", "o3"), **spec}
    draft = Draft("main", Told(ChannelSpec(**values)), [Secret(k) for k in keys or ("sk-upstream",)])
    return channels.create(local, [draft], who="ann")[0]


# -- a test ----------------------------------------------------------------------------------


def test_asks_and_notes_how_long_it_took(local: Local) -> None:
    view, up = make(local), Script(CHAT)
    before = clock.generation(local.db)
    tested = probes.probe(local, view, send=up)
    assert (tested.error, tested.code, tested.model) == ("", "", "gpt-4o")
    assert (up.calls[0].method, up.calls[0].url) == ("POST", "https://up.test/v1/chat/completions")
    assert up.header("authorization") == "Bearer sk-upstream"
    after = channels.find(local.db, view.id)
    assert after.tested_at > 1_700_000_000
    assert after.response_ms == tested.ms >= 0
    assert clock.generation(local.db) == before


@pytest.mark.parametrize(
    ("asked", "spec", "model"),
    [
        ("o3", {}, "o3"),
        ("", {"test_model": "o3"}, "o3"),
        ("", {}, "gpt-4o"),
        ("", {"models": ()}, "gpt-4o-mini"),
        ("", {"models": ("claude-*", "o3")}, "o3"),
        ("", {"models": ("gpt-*",)}, "gpt-4o-mini"),
        ("", {"models": ("*",)}, "gpt-4o-mini"),
        ("", {"models": ("claude-sonnet-4*",)}, "claude-sonnet-4"),
        ("gpt-4o", {"model_mapping": {"gpt-4o": "gpt-4o-x"}}, "gpt-4o-x"),
    ],
)
def test_which_model(local: Local, asked: str, spec: dict[str, Any], model: str) -> None:
    up = Script(CHAT)
    probes.probe(local, make(local, **spec), model=asked, send=up)
    assert up.body["model"] == model


@pytest.mark.parametrize(
    ("endpoint", "model", "path", "field"),
    [
        ("", "gpt-4o", "/v1/chat/completions", "messages"),
        ("", "text-embedding-3-small", "/v1/embeddings", "input"),
        ("", "bge-reranker-v2", "/v1/rerank", "documents"),
        ("", "dall-e-3", "/v1/images/generations", "prompt"),
        ("", "gpt-5-codex", "/v1/responses", "input"),
        ("", "omni-moderation-latest", "/v1/moderations", "input"),
        ("", "tts-1", "/v1/audio/speech", "voice"),
        ("", "gpt-4o-mini-tts", "/v1/audio/speech", "voice"),
        ("openai-response", "gpt-4o", "/v1/responses", "input"),
        ("embeddings", "gpt-4o", "/v1/embeddings", "input"),
        ("jina-rerank", "gpt-4o", "/v1/rerank", "query"),
        ("image-generation", "gpt-4o", "/v1/images/generations", "size"),
        ("openai", "bge-m3", "/v1/chat/completions", "messages"),
    ],
)
def test_what_is_asked(local: Local, endpoint: str, model: str, path: str, field: str) -> None:
    up = Script(say({}, 500))
    probes.probe(local, make(local), model=model, endpoint=endpoint, send=up)
    assert up.calls[0].url == f"https://up.test{path}"
    assert field in up.body


def test_another_format_is_spoken_to_one_that_speaks_it(local: Local) -> None:
    up = Script(say({"error": {"message": "no"}}, 400))
    probes.probe(local, make(local, type="anthropic"), model="claude-x", send=up)
    assert up.calls[0].url == "https://up.test/v1/messages"
    assert up.header("x-api-key") == "sk-upstream"


def test_overrides_are_in_force_but_not_what_a_caller_would_send(local: Local) -> None:
    headers = {"X-Team": "red", "X-Own": "{client_header:X-Own}", "*": ""}
    up = Script(CHAT)
    view = make(local, params={"temperature": 0.25}, headers=headers, proxy="socks5://127.0.0.1:1", system_prompt="Hi")
    assert probes.probe(local, view, send=up).error == ""
    assert up.body["temperature"] == 0.25
    assert up.header("x-team") == "red"
    assert up.proxies == ["socks5://127.0.0.1:1"]


@pytest.mark.parametrize(
    ("reply", "words", "status"),
    [
        (say({"error": {"message": "Incorrect API key sk-upstream"}}, 401), "Incorrect API key ***", 401),
        (say(b"<html>", 502), "", 502),
        (say({"error": {"message": "quota"}}), "quota", 200),
        (say(b"nonsense"), "", 0),
        (UpstreamError("no connection", kind="connect"), "no connection", 0),
    ],
)
def test_what_fails_is_told(local: Local, reply: Any, words: str, status: int) -> None:
    view = make(local)
    tested = probes.probe(local, view, send=Script(reply))
    assert tested.error
    assert tested.code
    assert words in tested.error
    assert "sk-upstream" not in tested.error
    assert tested.status in (status, 0)
    assert channels.find(local.db, view.id).state == "enabled"


@pytest.mark.parametrize(
    ("reply", "fails"),
    [
        (say(STREAM, content_type="text/event-stream"), False),
        (say(CHAT), False),
        (say(b"data: [DONE]\n\n", content_type="text/event-stream"), True),
        (say(b'data: {"error":{"message":"broke"}}\n\n', content_type="text/event-stream"), True),
    ],
)
def test_a_stream(local: Local, reply: HttpReply, fails: bool) -> None:
    up = Script(reply)
    tested = probes.probe(local, make(local), stream=True, send=up)
    assert bool(tested.error) == fails, tested.error
    assert up.body["stream"] is True


def test_one_of_several_keys(local: Local) -> None:
    view = make(local, "a", "b", "c")
    channels.switch_keys(local.db, view.id, [0], enabled=False, who="ann")
    view = channels.find(local.db, view.id)
    for key, shown in ((None, "Bearer b"), (2, "Bearer c"), (0, "Bearer a")):
        up = Script(CHAT)
        probes.probe(local, view, key=key, send=up)
        assert up.header("authorization") == shown
    with pytest.raises(CallerError):
        probes.probe(local, view, key=3, send=Script())


def test_without_a_key_that_is_used_it_fails(local: Local) -> None:
    view = make(local, "a", "b")
    view = channels.switch_keys(local.db, view.id, None, enabled=False, who="ann")
    assert "no enabled keys" in probes.probe(local, view, send=Script()).error


def test_an_endpoint_that_is_none_is_refused(local: Local) -> None:
    with pytest.raises(CallerError, match="openai-response"):
        probes.probe(local, make(local), endpoint="other", send=Script())


def test_several_in_their_order(local: Local) -> None:
    views = [make(local, models=(f"m{n}",)) for n in range(5)]
    told: list[tuple[str, int, int]] = []
    with watched(lambda *said: told.append(said)):
        found = probes.probe_all(local, views, send=lambda call, timeout, proxy: say(CHAT))
    assert told == [("Asking channels", n, 5) for n in range(6)]
    assert [t.model for t in found] == [f"m{n}" for n in range(5)]


# -- models ----------------------------------------------------------------------------------


def test_the_models_of_the_upstream(local: Local) -> None:
    up = Script(LIST)
    view = make(local, headers={"X-Key": "{api_key}", "*": ""}, organization="org-1")
    assert probes.fetch_models(local, view, send=up) == ["gpt-4o", "o3"]
    assert (up.calls[0].method, up.calls[0].url, up.calls[0].body) == ("GET", "https://up.test/v1/models", b"")
    assert up.header("authorization") == "Bearer sk-upstream"
    assert up.header("x-key") == "sk-upstream"
    assert up.header("openai-organization") == "org-1"
    assert up.header("content-type") == ""


def test_gemini_lists_them_in_its_own_words() -> None:
    up = Script({"models": [{"name": "models/gemini-2.5-pro"}, {"name": "models/x"}, 5, {}]})
    assert probes.models_of(ChannelSpec(type="gemini"), Secret("k"), send=up) == ["gemini-2.5-pro", "x"]
    assert up.calls[0].url == "https://generativelanguage.googleapis.com/v1beta/models?pageSize=1000"
    assert up.header("x-goog-api-key") == "k"


@pytest.mark.parametrize(
    "reply",
    [say({"error": {"message": "no"}}, 401), say(b"x"), say([1]), say({"data": 5}), say({}), say("no", 500)],
)
def test_a_list_that_is_refused_or_none(reply: HttpReply) -> None:
    with pytest.raises(UpstreamError):
        probes.models_of(ChannelSpec(type="openai"), Secret("k"), send=Script(reply))


@pytest.mark.parametrize("type", ["cloudflare", "custom", "azure"])
def test_a_type_without_a_list(type: str) -> None:
    with pytest.raises(CallerError):
        probes.models_of(ChannelSpec(type=type, base_url="https://x.test"), Secret("k"), send=Script())


def test_a_type_that_is_not_installed() -> None:
    with pytest.raises(NewapiError, match="did you mean 'openai'"):
        probes.models_of(ChannelSpec(type="openay"), Secret("k"), send=Script())


# -- balance ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("type", "replies", "left"),
    [
        ("openai", [{"hard_limit_usd": 100, "has_payment_method": True}, {"total_usage": 1250}], 87.5),
        ("openrouter", [{"data": {"total_credits": 10, "total_usage": 2.5}}], 7.5),
        ("siliconflow", [{"data": {"totalBalance": "73.0"}}], 10),
        ("deepseek", [{"balance_infos": [{"currency": "CNY", "total_balance": "14.60"}]}], 2),
        (
            "deepseek",
            [{"balance_infos": [{"currency": "CNY", "total_balance": "1"}, {"currency": "USD", "total_balance": "5"}]}],
            5,
        ),
        ("moonshot", [{"data": {"available_balance": 5}}], 5),
    ],
)
def test_what_an_account_has_left(local: Local, type: str, replies: list[Any], left: float) -> None:
    view, up = make(local, type=type), Script(*replies)
    assert probes.balance(local, view, send=up) == left
    assert all(call.method == "GET" for call in up.calls)
    after = channels.find(local.db, view.id)
    assert (after.balance, after.balance_at > 0) == (left, True)


def test_yuan_are_turned_into_dollars_at_the_rate_that_is_set(local: Local) -> None:
    with local.db.writing() as c:
        store_options.put(c, "USDExchangeRate", "7")
    view = make(local, type="moonshot", base_url="https://api.moonshot.cn")
    assert probes.balance(local, view, send=Script({"data": {"available_balance": 14}})) == 2


def test_a_balance_that_nobody_tells(local: Local) -> None:
    with pytest.raises(CallerError):
        probes.balance(local, make(local, type="azure"), send=Script())
    with pytest.raises(CallerError):
        probes.balance(local, make(local, "a", "b"), send=Script())
    with pytest.raises(UpstreamError):
        probes.balance(local, make(local), send=Script({"hard_limit_usd": "much"}, {}))
    view = make(local)
    with pytest.raises(UpstreamError, match="status 403"):
        probes.balance(local, view, send=Script(say({"error": "no"}, 403)))
