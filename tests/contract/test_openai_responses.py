"""The openai SDK's Responses, on each upstream format."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import openai
import pytest
from openai import OpenAI

from tests.contract.conftest import key
from tests.contract.test_openai_chat import PNG, THOUGHT
from tests.support.stack import Stack

pytestmark = pytest.mark.sdk

TOOL: Any = {
    "type": "function",
    "name": "get_weather",
    "description": "Weather of a city",
    "parameters": {
        "type": "object",
        "properties": {"city": {"type": "string"}, "unit": {"type": "string"}},
        "required": ["city"],
    },
    "strict": False,
}


@pytest.fixture
def client(gateway: Stack, upstream: str) -> Iterator[OpenAI]:
    with OpenAI(api_key=key(upstream), base_url=gateway.url + "/v1", max_retries=0) as client:
        yield client


def calls_of(response: Any) -> list[Any]:
    return [i for i in response.output if i.type == "function_call"]


def results(response: Any) -> list[Any]:
    return [{"type": "function_call_output", "call_id": c.call_id, "output": "18C"} for c in calls_of(response)]


@pytest.mark.parametrize("way", ["plain", "stream"])
class TestBothWays:
    def create(self, client: OpenAI, way: str, **kwargs: Any) -> Any:
        kwargs.setdefault("instructions", "Be brief.")
        if way == "plain":
            return client.responses.create(**kwargs)
        with client.responses.stream(**kwargs) as stream:
            for _ in stream:
                pass
            return stream.get_final_response()

    def test_text(self, client: OpenAI, model: str, way: str) -> None:
        done = self.create(client, way, model=model, input="hello")
        assert done.output_text == "Hello from the mock."
        assert done.status == "completed"
        assert done.usage.input_tokens > 0
        assert done.usage.output_tokens > 0

    def test_a_tool_call_and_its_follow_up(self, client: OpenAI, model: str, way: str) -> None:
        said: list[Any] = [{"role": "user", "content": "mock:tool weather?"}]
        done = self.create(client, way, model=model, input=said, tools=[TOOL])
        assert [(c.name, json.loads(c.arguments)) for c in calls_of(done)] == [
            ("get_weather", {"city": "Paris", "unit": "c"})
        ]
        said += [*done.output, *results(done)]
        assert self.create(client, way, model=model, input=back(said), tools=[TOOL]).output_text == "It is 18 degrees."

    def test_parallel_calls(self, client: OpenAI, model: str, way: str) -> None:
        said: list[Any] = [{"role": "user", "content": "mock:parallel weather?"}]
        done = self.create(client, way, model=model, input=said, tools=[TOOL])
        assert [json.loads(c.arguments)["city"] for c in calls_of(done)] == ["Paris", "Rome"]
        said += [*done.output, *results(done)]
        assert self.create(client, way, model=model, input=back(said), tools=[TOOL]).output_text == "It is 18 degrees."

    def test_reasoning_comes_back_and_is_taken_back(self, client: OpenAI, model: str, way: str) -> None:
        said: list[Any] = [{"role": "user", "content": "mock:reason mock:tool weather?"}]
        wish: Any = {
            "reasoning": {"effort": "medium", "summary": "auto"},
            "tools": [TOOL],
            "include": ["reasoning.encrypted_content"],
        }
        done = self.create(client, way, model=model, input=said, **wish)
        thoughts = [i for i in done.output if i.type == "reasoning"]
        assert "".join(s.text for i in thoughts for s in i.summary) == THOUGHT
        said += [*done.output, *results(done)]
        assert self.create(client, way, model=model, input=back(said), **wish).output_text == "It is 18 degrees."

    def test_a_schema(self, client: OpenAI, model: str, way: str) -> None:
        schema = {
            "type": "object",
            "properties": {"name": {"type": "string"}, "age": {"type": "integer"}},
            "required": ["name", "age"],
            "additionalProperties": False,
        }
        text: Any = {"format": {"type": "json_schema", "name": "person", "schema": schema, "strict": True}}
        done = self.create(client, way, model=model, input="who?", text=text)
        assert json.loads(done.output_text) == {"name": "Ada", "age": 36}

    def test_a_picture(self, client: OpenAI, model: str, way: str) -> None:
        content: Any = [
            {"type": "input_text", "text": "what?"},
            {"type": "input_image", "image_url": PNG, "detail": "auto"},
        ]
        done = self.create(client, way, model=model, input=[{"role": "user", "content": content}])
        assert done.output_text == "I see 1 picture."

    def test_cached_tokens(self, client: OpenAI, model: str, way: str) -> None:
        done = self.create(client, way, model=model, input="mock:cached")
        assert done.usage.input_tokens == 2000
        assert done.usage.input_tokens_details.cached_tokens == 1500

    @pytest.mark.parametrize(
        ("word", "error"),
        [("400", openai.BadRequestError), ("429", openai.RateLimitError), ("500", openai.InternalServerError)],
    )
    def test_errors(self, client: OpenAI, model: str, way: str, word: str, error: type[openai.APIStatusError]) -> None:
        with pytest.raises(error) as caught:
            self.create(client, way, model=model, input=f"mock:{word}")
        if word == "429":
            assert caught.value.response.headers["retry-after"] == "7"


def back(items: list[Any]) -> list[Any]:
    """What a client sends back: output items as it got them, without what is null or only the SDK's."""
    out = []
    for item in items:
        told = item if isinstance(item, dict) else item.model_dump(exclude_none=True, exclude={"parsed_arguments"})
        for part in told.get("content") or []:
            if isinstance(part, dict):
                part.pop("parsed", None)
        out.append(told)
    return out


def test_a_long_stream(client: OpenAI, model: str) -> None:
    with client.responses.stream(model=model, input="mock:long=2000") as stream:
        for _ in stream:
            pass
        assert stream.get_final_response().output_text == "".join(f"word{i} " for i in range(2000))


def test_a_gap(client: OpenAI, model: str) -> None:
    events = list(client.responses.create(model=model, input="mock:long=10 mock:gap=3", stream=True))
    assert events[-1].type == "response.completed"


def test_a_cut_stream_is_not_complete(client: OpenAI, model: str) -> None:
    types: list[str] = []
    try:
        types += [e.type for e in client.responses.create(model=model, input="mock:long=100 mock:cut", stream=True)]
    except openai.APIError:
        types.append("error")
    assert "response.completed" not in types
    assert types[-1] in ("error", "response.failed")
