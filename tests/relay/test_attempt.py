"""What is sent to one channel."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from newapi.base.errors import CallerError, Unsupported
from newapi.relay.attempt import Attempts
from newapi.relay.filters import CallersTools
from newapi.relay.snapshot import Channel
from newapi.relay.values import Ingress, Prepared
from tests.relay.world import channel, ingress

MESSAGES = [{"role": "user", "content": "hi"}]
CHAT = {"model": "gpt-4o", "messages": MESSAGES}


def up(**spec: Any) -> Channel:
    return channel(base_url="http://up.test", **{"formats": ["openai_chat"], **spec})


def prepare(request: Ingress, to: Channel, *, key: int = 0, stream: bool = False) -> Prepared:
    return Attempts(request, "gpt-4o", stream).prepare(to, key)


def sent(prepared: Prepared) -> Any:
    return msgspec.json.decode(prepared.call.body)


async def test_an_untouched_body_goes_out_as_the_bytes_that_came() -> None:
    raw = b'{ "model":"gpt-4o","messages" : [],  "odd": 1.50, "x":{"y":"\\u00e9"} }'
    prepared = prepare(ingress("openai_chat", raw), up())
    assert prepared.call.body == raw
    assert prepared.verbatim
    assert prepared.call.url == "http://up.test/v1/chat/completions"
    assert dict(prepared.call.headers)["authorization"] == "Bearer up-1"


async def test_the_key_asked_for_is_used() -> None:
    prepared = prepare(ingress("openai_chat", CHAT), up(keys=("a", "b")), key=1)
    assert dict(prepared.call.headers)["authorization"] == "Bearer b"


@pytest.mark.parametrize("format", ["openai_chat", "anthropic_messages"])
async def test_the_mapped_model_is_asked_for(format: str) -> None:
    prepared = prepare(ingress(format, {**CHAT, "max_tokens": 9}), up(model_mapping={"gpt-4o": "x", "x": "real"}))
    assert sent(prepared)["model"] == "real"
    assert (prepared.target.model, prepared.target.asked_model) == ("real", "gpt-4o")


async def test_unknown_fields_survive_among_themselves_and_losses_are_named_elsewhere() -> None:
    body = {**CHAT, "seed": 1, "brand_new": {"a": [1]}}
    assert sent(prepare(ingress("openai_chat", body), up()))["brand_new"] == {"a": [1]}
    prepared = prepare(ingress("openai_chat", body), up(formats=["anthropic_messages"]))
    assert not prepared.verbatim
    assert prepared.call.url == "http://up.test/v1/messages"
    assert prepared.losses


async def test_tools_are_told_as_the_upstream_takes_them_and_the_caller_s_words_kept() -> None:
    long = "mcp__" + "x" * 80
    tools = [{"type": "custom", "name": "sh"}, {"type": "function", "name": long}]
    body = {"model": "gpt-4o", "input": "hi", "tools": tools, "tool_choice": {"type": "function", "name": long}}
    prepared = prepare(ingress("openai_responses", body), up(formats=["anthropic_messages"]))
    sh, other = sent(prepared)["tools"]
    assert (sh["name"], list(sh["input_schema"]["properties"])) == ("sh", ["input"])
    assert sent(prepared)["tool_choice"] == {"type": "tool", "name": other["name"]}
    assert len(other["name"]) == 64
    assert prepared.tools == CallersTools(frozenset(("sh",)), {other["name"]: long})
    same = prepare(ingress("openai_responses", body), up(formats=["openai_responses"]))
    assert (sent(same)["tools"], same.tools) == (tools, CallersTools())


async def test_fields_that_cost_money_are_sent_where_the_channel_allows_them() -> None:
    body = {**CHAT, "service_tier": "priority", "safety_identifier": "u"}
    request = ingress("openai_chat", body)
    assert sent(prepare(request, up())) == CHAT
    assert sent(prepare(request, up(allow_fields=["service_tier"]))) == {**CHAT, "service_tier": "priority"}


async def test_the_rest_of_the_stream_s_options_stays() -> None:
    both = {"include_usage": True, "include_obfuscation": False}
    request = ingress("openai_chat", {**CHAT, "stream": True, "stream_options": both})
    assert sent(prepare(request, up(), stream=True))["stream_options"] == {"include_usage": True}
    allowed = up(allow_fields=["include_obfuscation"])
    assert sent(prepare(request, allowed, stream=True))["stream_options"] == both


@pytest.mark.parametrize(
    ("spec", "wanted"),
    [
        ({"drop_fields": ["user", "nothing"]}, CHAT),
        ({"params": {"temperature": 0.5}}, {**CHAT, "user": "u", "temperature": 0.5}),
        (
            {"system_prompt": "ours"},
            {**CHAT, "user": "u", "messages": [{"role": "system", "content": "ours"}, *MESSAGES]},
        ),
        (
            {"param_operations": [{"path": "user", "mode": "set", "value": "v"}]},
            {**CHAT, "user": "v"},
        ),
    ],
    ids=["drop", "params", "system prompt", "operations"],
)
async def test_a_channel_s_changes(spec: dict[str, Any], wanted: dict[str, Any]) -> None:
    assert sent(prepare(ingress("openai_chat", {**CHAT, "user": "u"}), up(**spec))) == wanted


async def test_passing_the_body_through_changes_nothing_at_all() -> None:
    body = {**CHAT, "service_tier": "priority", "model": "gpt-4o"}
    to = up(pass_through_body=True, params={"a": 1}, drop_fields=["model"], model_mapping={"gpt-4o": "x"})
    request = ingress("openai_chat", body)
    assert prepare(request, to).call.body == request.body


async def test_headers_of_the_channel() -> None:
    to = up(headers={"X-Team": "red", "X-Key": "{api_key}"})
    headers = dict(prepare(ingress("openai_chat", CHAT), to).call.headers)
    assert (headers["x-team"], headers["x-key"]) == ("red", "up-1")


@pytest.mark.parametrize(
    ("spec", "verbatim"),
    [({}, True), ({"thinking_to_content": True}, False), ({"force_format": True}, False)],
)
async def test_what_changes_the_answer_ends_the_verbatim_lane(spec: dict[str, Any], verbatim: bool) -> None:
    assert prepare(ingress("openai_chat", CHAT), up(**spec)).verbatim is verbatim


async def test_no_endpoint_is_another_channel_s_chance() -> None:
    with pytest.raises(Unsupported) as caught:
        prepare(ingress("embeddings", {"model": "gpt-4o", "input": "x"}), channel(type="anthropic"))
    assert (caught.value.status, caught.value.code) == (503, "unsupported_endpoint")


@pytest.mark.parametrize("body", [b"[]", b"{", b'"x"', b"\xff"])
async def test_what_is_no_object_is_the_caller_s_fault(body: bytes) -> None:
    with pytest.raises(CallerError):
        prepare(ingress("openai_chat", body), up())


async def test_the_canonical_form_is_read_once_for_all_attempts() -> None:
    attempts = Attempts(ingress("openai_chat", CHAT), "gpt-4o", False)
    to = up(formats=["anthropic_messages"])
    attempts.prepare(to, 0)
    first = attempts.request()
    attempts.prepare(to, 0)
    assert attempts.request() is first


async def test_operations_see_which_attempt_it_is_and_how_the_last_one_ended() -> None:
    operation = {
        "path": "user",
        "mode": "set",
        "value": "again",
        "conditions": [
            {"path": "is_retry", "mode": "full", "value": True},
            {"path": "last_error_status_code", "mode": "full", "value": 429},
        ],
        "logic": "AND",
    }
    attempts = Attempts(ingress("openai_chat", CHAT), "gpt-4o", False)
    to = up(param_operations=[operation])
    assert sent(attempts.prepare(to, 0)) == CHAT
    attempts.failed({"status_code": 500, "message": "x", "code": "c", "type": "t"})
    assert sent(attempts.prepare(to, 0)) == CHAT
    attempts.failed({"status_code": 429, "message": "x", "code": "c", "type": "t"})
    assert sent(attempts.prepare(to, 0)) == {**CHAT, "user": "again"}
