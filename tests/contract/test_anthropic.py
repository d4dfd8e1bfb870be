"""The anthropic SDK's Messages, in both API versions, on each upstream format."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import anthropic
import pytest
from anthropic import Anthropic

from tests.contract.conftest import key
from tests.contract.test_openai_chat import PNG, THOUGHT
from tests.support.stack import Stack

pytestmark = [pytest.mark.sdk, pytest.mark.filterwarnings("ignore::DeprecationWarning")]

TOOL: Any = {
    "name": "get_weather",
    "description": "Weather of a city",
    "input_schema": {
        "type": "object",
        "properties": {"city": {"type": "string"}, "unit": {"type": "string"}},
        "required": ["city"],
    },
}


@pytest.fixture(params=["2023-06-01", "2026-10-21"])
def client(gateway: Stack, upstream: str, request: pytest.FixtureRequest) -> Iterator[Anthropic]:
    headers = {"anthropic-version": request.param}
    with Anthropic(api_key=key(upstream), base_url=gateway.url, max_retries=0, default_headers=headers) as client:
        yield client


def text_of(message: Any) -> str:
    return "".join(b.text for b in message.content if b.type == "text")


def uses_of(message: Any) -> list[Any]:
    return [b for b in message.content if b.type == "tool_use"]


def follow_up(text: str, message: Any) -> list[Any]:
    """The conversation a client goes on with: its question, the answer as it got it, the tools' results."""
    blocks = [b.model_dump(exclude_none=True, exclude={"parsed_output", "caller"}) for b in message.content]
    outcome = [{"type": "tool_result", "tool_use_id": u.id, "content": "18C"} for u in uses_of(message)]
    return [
        {"role": "user", "content": text},
        {"role": "assistant", "content": blocks},
        {"role": "user", "content": outcome},
    ]


@pytest.mark.parametrize("way", ["plain", "stream"])
class TestBothWays:
    def create(self, client: Anthropic, way: str, **kwargs: Any) -> Any:
        kwargs = {"max_tokens": 4000, "system": "Be brief.", **kwargs}
        if way == "plain":
            return client.messages.create(**kwargs)
        with client.messages.stream(**kwargs) as stream:
            for _ in stream:
                pass
            return stream.get_final_message()

    def test_text(self, client: Anthropic, model: str, way: str) -> None:
        done = self.create(client, way, model=model, messages=[{"role": "user", "content": "hello"}])
        assert text_of(done) == "Hello from the mock."
        assert done.stop_reason == "end_turn"
        assert done.usage.input_tokens > 0
        assert done.usage.output_tokens > 0

    def test_a_tool_call_and_its_follow_up(self, client: Anthropic, model: str, way: str) -> None:
        text = "mock:tool weather?"
        done = self.create(client, way, model=model, messages=[{"role": "user", "content": text}], tools=[TOOL])
        assert done.stop_reason == "tool_use"
        assert [(u.name, u.input) for u in uses_of(done)] == [("get_weather", {"city": "Paris", "unit": "c"})]
        done = self.create(client, way, model=model, messages=follow_up(text, done), tools=[TOOL])
        assert text_of(done) == "It is 18 degrees."

    def test_parallel_calls(self, client: Anthropic, model: str, way: str) -> None:
        text = "mock:parallel weather?"
        done = self.create(client, way, model=model, messages=[{"role": "user", "content": text}], tools=[TOOL])
        assert [u.input["city"] for u in uses_of(done)] == ["Paris", "Rome"]
        done = self.create(client, way, model=model, messages=follow_up(text, done), tools=[TOOL])
        assert text_of(done) == "It is 18 degrees."

    def test_reasoning_comes_back_signed_and_is_taken_back(self, client: Anthropic, model: str, way: str) -> None:
        text = "mock:reason mock:tool weather?"
        wish: Any = {"thinking": {"type": "enabled", "budget_tokens": 2000}, "tools": [TOOL]}
        done = self.create(client, way, model=model, messages=[{"role": "user", "content": text}], **wish)
        thought = next(b for b in done.content if b.type == "thinking")
        assert thought.thinking == THOUGHT
        done = self.create(client, way, model=model, messages=follow_up(text, done), **wish)
        assert text_of(done) == "It is 18 degrees."

    def test_a_schema(self, client: Anthropic, model: str, way: str) -> None:
        schema = {
            "type": "object",
            "properties": {"name": {"type": "string"}, "age": {"type": "integer"}},
            "required": ["name", "age"],
            "additionalProperties": False,
        }
        config: Any = {"format": {"type": "json_schema", "schema": schema}}
        done = self.create(
            client, way, model=model, messages=[{"role": "user", "content": "who?"}], output_config=config
        )
        assert json.loads(text_of(done)) == {"name": "Ada", "age": 36}

    def test_a_picture(self, client: Anthropic, model: str, way: str) -> None:
        source = {"type": "base64", "media_type": "image/png", "data": PNG.partition(",")[2]}
        content: Any = [{"type": "image", "source": source}, {"type": "text", "text": "what?"}]
        done = self.create(client, way, model=model, messages=[{"role": "user", "content": content}])
        assert text_of(done) == "I see 1 picture."

    def test_cached_tokens(self, client: Anthropic, model: str, way: str) -> None:
        done = self.create(client, way, model=model, messages=[{"role": "user", "content": "mock:cached"}])
        assert done.usage.input_tokens == 500
        assert done.usage.cache_read_input_tokens == 1500

    @pytest.mark.parametrize(
        ("word", "error"),
        [("400", anthropic.BadRequestError), ("429", anthropic.RateLimitError), ("500", anthropic.InternalServerError)],
    )
    def test_errors(
        self, client: Anthropic, model: str, way: str, word: str, error: type[anthropic.APIStatusError]
    ) -> None:
        with pytest.raises(error) as caught:
            self.create(client, way, model=model, messages=[{"role": "user", "content": f"mock:{word}"}])
        if word == "429":
            assert caught.value.response.headers["retry-after"] == "7"
        assert caught.value.body["type"] == "error"  # type: ignore[index]


def stream_text(client: Anthropic, model: str, text: str) -> str:
    with client.messages.stream(model=model, max_tokens=8000, messages=[{"role": "user", "content": text}]) as stream:
        return "".join(stream.text_stream)


def test_a_long_stream(client: Anthropic, model: str) -> None:
    assert stream_text(client, model, "mock:long=2000") == "".join(f"word{i} " for i in range(2000))


def test_a_gap(client: Anthropic, model: str) -> None:
    assert stream_text(client, model, "mock:long=10 mock:gap=3") == "".join(f"word{i} " for i in range(10))


def test_a_cut_stream_is_an_error(client: Anthropic, model: str) -> None:
    with pytest.raises(anthropic.APIError):
        stream_text(client, model, "mock:long=100 mock:cut")


def test_tokens_are_counted(client: Anthropic, model: str) -> None:
    counted = client.messages.count_tokens(
        model=model, messages=[{"role": "user", "content": "hello there, how are you?"}]
    )
    assert counted.input_tokens > 3
