"""Anthropic's API as a provider."""

from __future__ import annotations

from typing import Any

import pytest

from newapi.ir.seal import Seal, pack
from newapi.providers.anthropic import PROVIDER, generation, profile, suffix
from tests.providers.support import send

NATIVE = "anthropic_messages"
HI = [{"role": "user", "content": "hi"}]


def sent(model: str = "claude-sonnet-4-5", *, entry: str = NATIVE, version: str = "", **more: Any) -> dict[str, Any]:
    headers = {"anthropic-version": version} if version else {}
    body = {"model": model, "messages": HI, "max_tokens": 4000, **more}
    _, told = send("anthropic", body, format=NATIVE, entry=entry, headers=headers)
    return {k: v for k, v in told.items() if k != "messages"}


class TestCall:
    def call(self, **changes: Any) -> Any:
        return send("anthropic", {"model": "m", "messages": HI, "max_tokens": 1}, format=NATIVE, **changes)[0]

    def test_where_and_with_which_key(self) -> None:
        call = self.call()
        assert (call.method, call.url) == ("POST", "https://up/v1/messages")
        assert dict(call.headers) == {
            "x-api-key": "k",
            "anthropic-version": "2023-06-01",
            "content-type": "application/json",
            "accept": "application/json",
        }

    @pytest.mark.parametrize(
        ("entry", "said", "version"),
        [
            (NATIVE, "2026-10-21", "2026-10-21"),
            (NATIVE, "", "2023-06-01"),
            # A caller of another format has no say: its knobs are those of the older version.
            ("openai_chat", "2026-10-21", "2023-06-01"),
        ],
    )
    def test_the_version_is_the_callers(self, entry: str, said: str, version: str) -> None:
        headers = {"anthropic-version": said} if said else {}
        assert dict(self.call(entry=entry, headers=headers).headers)["anthropic-version"] == version

    @pytest.mark.parametrize("entry", [NATIVE, "openai_chat"])
    def test_betas_are_passed_on(self, entry: str) -> None:
        assert dict(self.call(entry=entry, headers={"anthropic-beta": "a,b"}).headers)["anthropic-beta"] == "a,b"

    def test_a_stream_is_accepted(self) -> None:
        assert dict(self.call(stream=True).headers)["accept"] == "text/event-stream"
        assert dict(self.call(headers={"accept": "x"}).headers)["accept"] == "x"

    @pytest.mark.parametrize(
        ("changes", "query"),
        [
            ({"query": (("beta", "true"), ("x", "1"))}, "?beta=true&x=1"),
            ({"query": (("beta", "true"), ("x", "1")), "entry": "openai_chat"}, "?beta=true"),
            ({"query": (("x", "1"),), "entry": "openai_chat"}, ""),
            ({"options": {"claude_beta_query": True}}, "?beta=true"),
            ({"options": {"claude_beta_query": True}, "query": (("beta", "true"),)}, "?beta=true"),
        ],
    )
    def test_query(self, changes: dict[str, Any], query: str) -> None:
        assert self.call(**changes).url == f"https://up/v1/messages{query}"

    def test_tokens_are_counted_there(self) -> None:
        call, body = send(
            "anthropic",
            {"model": "claude-opus-4-8-high", "messages": HI},
            format="anthropic_count_tokens",
            endpoint="count_tokens",
        )
        assert call.url == "https://up/v1/messages/count_tokens"
        assert body == {"model": "claude-opus-4-8", "messages": HI}


@pytest.mark.parametrize("entry", [NATIVE, "openai_chat"])
@pytest.mark.parametrize(
    ("model", "more", "expected"),
    [
        ("claude-sonnet-4-5", {"temperature": 0.5}, {"model": "claude-sonnet-4-5", "temperature": 0.5}),
        (
            "claude-opus-4-6-low",
            {"temperature": 0.5, "top_p": 0.5, "top_k": 3},
            {
                "model": "claude-opus-4-6",
                "temperature": 1.0,
                "thinking": {"type": "adaptive"},
                "output_config": {"effort": "low"},
            },
        ),
        (
            "claude-opus-4-8-high",
            {"temperature": 0.5, "top_p": 0.5, "output_config": {"format": {"type": "json_schema"}}},
            {
                "model": "claude-opus-4-8",
                "thinking": {"type": "adaptive", "display": "summarized"},
                "output_config": {"format": {"type": "json_schema"}, "effort": "high"},
            },
        ),
        (
            "claude-opus-4-7-thinking",
            {"temperature": 0.5},
            {
                "model": "claude-opus-4-7",
                "thinking": {"type": "adaptive", "display": "summarized"},
                "output_config": {"effort": "high"},
            },
        ),
        (
            "claude-sonnet-5-thinking",
            {},
            {
                "model": "claude-sonnet-5",
                "thinking": {"type": "adaptive", "display": "summarized"},
                "output_config": {"effort": "high"},
            },
        ),
        (
            "claude-3-7-sonnet-20250219-thinking",
            {"temperature": 0.5, "top_p": 0.5},
            {
                "model": "claude-3-7-sonnet-20250219",
                "temperature": 1.0,
                "thinking": {"type": "enabled", "budget_tokens": 3200},
            },
        ),
        (
            "claude-opus-4-6-thinking",
            {"max_tokens": 100},
            {
                "model": "claude-opus-4-6",
                "max_tokens": 1280,
                "temperature": 1.0,
                "thinking": {"type": "enabled", "budget_tokens": 1024},
            },
        ),
        # Not one of those that are told by a suffix: the name is Anthropic's to know.
        ("claude-sonnet-4-5-high", {}, {"model": "claude-sonnet-4-5-high"}),
        # A forced call and thinking exclude each other.
        (
            "claude-3-7-sonnet-20250219-thinking",
            {"tool_choice": {"type": "any"}},
            {"model": "claude-3-7-sonnet-20250219", "tool_choice": {"type": "any"}},
        ),
        (
            "claude-opus-4-8-low",
            {"tool_choice": {"type": "tool", "name": "f"}},
            {
                "model": "claude-opus-4-8",
                "tool_choice": {"type": "tool", "name": "f"},
                "output_config": {"effort": "low"},
            },
        ),
        ("claude-3-5-haiku", {"max_tokens": None}, {"model": "claude-3-5-haiku", "max_tokens": 8192}),
        ("claude-3-5-haiku", {"max_tokens": 0}, {"model": "claude-3-5-haiku", "max_tokens": 0}),
    ],
)
def test_suffixes(entry: str, model: str, more: dict[str, Any], expected: dict[str, Any]) -> None:
    assert sent(model, entry=entry, **more) == {"max_tokens": 4000, **expected}


def test_what_a_native_caller_says_of_thinking_counts() -> None:
    own = {"type": "enabled", "budget_tokens": 1024}
    assert sent("claude-3-7-sonnet-20250219-thinking", thinking=own)["thinking"] == own


def test_a_native_top_p_that_suits_thinking_stays() -> None:
    assert sent("claude-3-7-sonnet-20250219-thinking", top_p=0.97)["top_p"] == 0.97
    assert "top_p" not in sent("claude-3-7-sonnet-20250219-thinking", top_p=0.97, entry="openai_chat")


def test_the_newer_version_takes_no_temperature_at_all() -> None:
    body = sent("claude-3-7-sonnet-20250219-thinking", version="2026-10-21")
    assert "temperature" not in body
    assert body["thinking"]["type"] == "enabled"


def test_thoughts_of_another_vendor_are_taken_out() -> None:
    thought = {"type": "thinking", "thinking": "h", "signature": pack(Seal("gemini", "x"), NATIVE)}
    text = {"type": "text", "text": "a"}
    messages = [*HI, {"role": "assistant", "content": [thought, text]}]
    body = {"model": "claude-sonnet-4-5", "messages": messages, "max_tokens": 5}
    for entry in (NATIVE, "openai_chat"):
        _, told = send("anthropic", body, format=NATIVE, entry=entry)
        kept = [text] if entry == NATIVE else [thought, text]  # what is converted has none in it
        assert told["messages"][1]["content"] == kept


@pytest.mark.parametrize(
    ("model", "found"),
    [
        ("claude-3-haiku-20240307", ("haiku", 3, 0)),
        ("claude-3-5-sonnet-20241022", ("sonnet", 3, 5)),
        ("claude-3-7-sonnet-latest", ("sonnet", 3, 7)),
        ("claude-sonnet-4-20250514", ("sonnet", 4, 0)),
        ("claude-opus-4-1-20250805", ("opus", 4, 1)),
        ("claude-opus-4-1@20250805", ("opus", 4, 1)),
        ("us.anthropic.claude-opus-4-6-v1", ("opus", 4, 6)),
        ("anthropic/claude-sonnet-4.5", ("sonnet", 4, 5)),
        ("claude-fable-5-1", ("fable", 5, 1)),
        ("claude-haiku-5-5", ("haiku", 5, 5)),
        ("gpt-4o", None),
        ("claude-mythos-preview", None),
    ],
)
def test_generations(model: str, found: Any) -> None:
    assert generation(model) == found


@pytest.mark.parametrize(
    ("model", "reasoning", "can_disable", "sampling", "json_schema", "both"),
    [
        ("claude-3-5-haiku-20241022", "none", True, True, False, True),
        ("claude-3-7-sonnet-20250219", "budget", True, True, False, True),
        ("claude-sonnet-4-20250514", "budget", True, True, False, True),
        ("claude-opus-4-1-20250805", "budget", True, True, False, False),
        ("claude-sonnet-4-5-20250929", "budget", True, True, True, False),
        ("claude-opus-4-6", "adaptive", True, True, True, False),
        ("claude-opus-4-8-high", "adaptive", True, False, True, False),
        ("claude-opus-5", "adaptive", True, False, True, False),
        ("claude-opus-5-5", "adaptive", False, False, True, False),
        ("claude-haiku-5-5", "adaptive", True, False, True, False),
        ("claude-fable-5-1", "adaptive", False, False, True, False),
        ("claude-mythos-preview", "adaptive", False, False, True, False),
        ("somebody-elses", "none", True, True, False, True),
    ],
)
def test_profiles(model: str, reasoning: str, can_disable: bool, sampling: bool, json_schema: bool, both: bool) -> None:
    its = profile(model)
    assert (its.reasoning, its.can_disable, its.sampling, its.json_schema, its.top_p_beside_temperature) == (
        reasoning,
        can_disable,
        sampling,
        json_schema,
        both,
    )


def test_budget_and_answer_fit_into_what_a_model_can_put_out() -> None:
    assert profile("claude-opus-4-1-20250805").budget_max * 2 <= 32_000
    assert profile("claude-sonnet-4-5").budget_max * 2 <= 64_000


@pytest.mark.parametrize(
    ("name", "parts"),
    [
        ("claude-opus-4-6-max", ("claude-opus-4-6", "max")),
        ("claude-opus-4-6", ("claude-opus-4-6", "")),
        ("claude-opus-4-5-high", ("claude-opus-4-5-high", "")),
        ("x-thinking", ("x", "thinking")),
        ("thinking", ("thinking", "")),
    ],
)
def test_suffix(name: str, parts: tuple[str, str]) -> None:
    assert suffix(name) == parts


def test_it_is_new_apis_type_14() -> None:
    assert (PROVIDER.channel_type, PROVIDER.base_url) == (14, "https://api.anthropic.com")
