"""The openai SDK's chat completions, on each upstream format."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import openai
import pytest
from openai import OpenAI

from tests.contract.conftest import key
from tests.support.stack import Stack

pytestmark = pytest.mark.sdk

TOOL: Any = {
    "type": "function",
    "function": {
        "name": "get_weather",
        "description": "Weather of a city",
        "parameters": {
            "type": "object",
            "properties": {"city": {"type": "string"}, "unit": {"type": "string"}},
            "required": ["city"],
        },
    },
}
PNG = "data:image/png;base64,iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
THOUGHT = "The user greets; I greet back."


@pytest.fixture
def client(gateway: Stack, upstream: str) -> Iterator[OpenAI]:
    with OpenAI(api_key=key(upstream), base_url=gateway.url + "/v1", max_retries=0) as client:
        yield client


def ask(text: str, **more: Any) -> list[Any]:
    return [{"role": "system", "content": "Be brief."}, {"role": "user", "content": text}]


def streamed(client: OpenAI, **kwargs: Any) -> Any:
    """The SDK's own accumulation of a stream."""
    with client.chat.completions.stream(stream_options={"include_usage": True}, **kwargs) as stream:
        for _ in stream:
            pass
        return stream.get_final_completion()


@pytest.mark.parametrize("way", ["plain", "stream"])
class TestBothWays:
    def complete(self, client: OpenAI, way: str, **kwargs: Any) -> Any:
        return client.chat.completions.create(**kwargs) if way == "plain" else streamed(client, **kwargs)

    def test_text(self, client: OpenAI, model: str, way: str) -> None:
        done = self.complete(client, way, model=model, messages=ask("hello"))
        assert done.choices[0].message.content == "Hello from the mock."
        assert done.choices[0].finish_reason == "stop"
        assert done.usage.prompt_tokens > 0
        assert done.usage.completion_tokens > 0

    def test_a_tool_call_and_its_follow_up(self, client: OpenAI, model: str, way: str) -> None:
        messages = ask("mock:tool what is the weather?")
        done = self.complete(client, way, model=model, messages=messages, tools=[TOOL])
        message = done.choices[0].message
        assert done.choices[0].finish_reason == "tool_calls"
        assert [(c.function.name, json.loads(c.function.arguments)) for c in message.tool_calls] == [
            ("get_weather", {"city": "Paris", "unit": "c"})
        ]
        messages += [message.model_dump(exclude_none=True, exclude={"parsed"}), result(message.tool_calls[0].id)]
        done = self.complete(client, way, model=model, messages=clean(messages), tools=[TOOL])
        assert done.choices[0].message.content == "It is 18 degrees."

    def test_parallel_calls(self, client: OpenAI, model: str, way: str) -> None:
        messages = ask("mock:parallel weather?")
        done = self.complete(client, way, model=model, messages=messages, tools=[TOOL])
        calls = done.choices[0].message.tool_calls
        assert [json.loads(c.function.arguments)["city"] for c in calls] == ["Paris", "Rome"]
        assert len({c.id for c in calls}) == 2
        messages += [
            done.choices[0].message.model_dump(exclude_none=True, exclude={"parsed"}),
            *(result(c.id) for c in calls),
        ]
        done = self.complete(client, way, model=model, messages=clean(messages), tools=[TOOL])
        assert done.choices[0].message.content == "It is 18 degrees."

    def test_reasoning_comes_back_and_is_taken_back(self, client: OpenAI, model: str, way: str) -> None:
        messages = ask("mock:reason mock:tool weather?")
        wish: Any = {"reasoning_effort": "medium", "tools": [TOOL]}
        done = self.complete(client, way, model=model, messages=messages, **wish)
        message = done.choices[0].message
        assert message.reasoning_content == THOUGHT
        assert done.usage.completion_tokens_details.reasoning_tokens in (7, 0)
        messages += [message.model_dump(exclude_none=True, exclude={"parsed"}), result(message.tool_calls[0].id)]
        done = self.complete(client, way, model=model, messages=clean(messages), **wish)
        assert done.choices[0].message.content == "It is 18 degrees."

    def test_a_schema(self, client: OpenAI, model: str, way: str) -> None:
        schema = {
            "type": "object",
            "properties": {"name": {"type": "string"}, "age": {"type": "integer"}},
            "required": ["name", "age"],
            "additionalProperties": False,
        }
        form: Any = {"type": "json_schema", "json_schema": {"name": "person", "strict": True, "schema": schema}}
        done = self.complete(client, way, model=model, messages=ask("who?"), response_format=form)
        assert json.loads(done.choices[0].message.content) == {"name": "Ada", "age": 36}

    def test_a_picture(self, client: OpenAI, model: str, way: str) -> None:
        content: Any = [{"type": "text", "text": "what is this?"}, {"type": "image_url", "image_url": {"url": PNG}}]
        done = self.complete(client, way, model=model, messages=[{"role": "user", "content": content}])
        assert done.choices[0].message.content == "I see 1 picture."

    def test_cached_tokens(self, client: OpenAI, model: str, way: str) -> None:
        done = self.complete(client, way, model=model, messages=ask("mock:cached"))
        assert done.usage.prompt_tokens == 2000
        assert done.usage.prompt_tokens_details.cached_tokens == 1500

    def test_a_bad_request(self, client: OpenAI, model: str, way: str) -> None:
        with pytest.raises(openai.BadRequestError) as caught:
            self.complete(client, way, model=model, messages=ask("mock:400"))
        assert "asked to fail with 400" in caught.value.message

    def test_too_many_requests(self, client: OpenAI, model: str, way: str) -> None:
        with pytest.raises(openai.RateLimitError) as caught:
            self.complete(client, way, model=model, messages=ask("mock:429"))
        assert caught.value.response.headers["retry-after"] == "7"

    def test_a_failure(self, client: OpenAI, model: str, way: str) -> None:
        with pytest.raises(openai.InternalServerError):
            self.complete(client, way, model=model, messages=ask("mock:500"))


def result(id: str) -> Any:
    return {"role": "tool", "tool_call_id": id, "content": "18C"}


def clean(messages: list[Any]) -> list[Any]:
    """What a client sends back: the message as it got it, without what the SDK's helpers put there."""
    out = json.loads(json.dumps(messages))
    for m in out:
        for c in m.get("tool_calls") or []:
            c.pop("index", None)
            c["function"].pop("parsed_arguments", None)
    return out


def test_a_long_stream(client: OpenAI, model: str) -> None:
    done = streamed(client, model=model, messages=ask("mock:long=2000"))
    assert done.choices[0].message.content == "".join(f"word{i} " for i in range(2000))


def test_a_gap(client: OpenAI, model: str) -> None:
    done = streamed(client, model=model, messages=ask("mock:long=10 mock:gap=3"))
    assert done.choices[0].message.content == "".join(f"word{i} " for i in range(10))


def test_a_cut_stream_is_an_error(client: OpenAI, model: str) -> None:
    with pytest.raises(openai.APIError):
        for _ in client.chat.completions.create(model=model, messages=ask("mock:long=100 mock:cut"), stream=True):
            pass
