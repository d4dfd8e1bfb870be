"""The google-genai SDK, on each upstream format."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from typing import Any

import pytest
from google import genai
from google.genai import errors, types

from tests.contract.conftest import key
from tests.contract.test_openai_chat import PNG, THOUGHT
from tests.support.stack import Stack

pytestmark = [pytest.mark.sdk, pytest.mark.filterwarnings("ignore")]

TOOL = types.Tool(
    function_declarations=[
        types.FunctionDeclaration(
            name="get_weather",
            description="Weather of a city",
            parameters=types.Schema(
                type=types.Type.OBJECT,
                properties={"city": types.Schema(type=types.Type.STRING), "unit": types.Schema(type=types.Type.STRING)},
                required=["city"],
            ),
        )
    ]
)


@pytest.fixture
def client(gateway: Stack, upstream: str) -> Iterator[genai.Client]:
    client = genai.Client(api_key=key(upstream), http_options=types.HttpOptions(base_url=gateway.url))
    yield client
    client.close()


class Done:
    """An answer, whichever way it came: its parts in order, the last finish reason and usage."""

    def __init__(self, chunks: list[Any]) -> None:
        self.parts = [
            p for c in chunks for k in c.candidates or [] for p in (k.content.parts if k.content else None) or []
        ]
        self.finish = next(
            (k.finish_reason for c in reversed(chunks) for k in c.candidates or [] if k.finish_reason), None
        )
        self.usage = next((c.usage_metadata for c in reversed(chunks) if c.usage_metadata), None)

    @property
    def text(self) -> str:
        return "".join(p.text for p in self.parts if p.text and not p.thought)

    @property
    def thought(self) -> str:
        return "".join(p.text for p in self.parts if p.text and p.thought)

    @property
    def calls(self) -> list[Any]:
        return [p.function_call for p in self.parts if p.function_call]

    def follow_up(self, text: str) -> list[Any]:
        results = [
            types.Part(function_response=types.FunctionResponse(id=c.id, name=c.name, response={"result": "18C"}))
            for c in self.calls
        ]
        parts = [p for p in self.parts if p.text != ""]
        return [
            types.Content(role="user", parts=[types.Part(text=text)]),
            types.Content(role="model", parts=parts),
            types.Content(role="user", parts=results),
        ]


@pytest.mark.parametrize("way", ["plain", "stream"])
class TestBothWays:
    def generate(self, client: genai.Client, way: str, model: str, contents: Any, **config: Any) -> Done:
        wish = types.GenerateContentConfig(
            system_instruction="Be brief.",
            automatic_function_calling=types.AutomaticFunctionCallingConfig(disable=True),
            **config,
        )
        if way == "plain":
            return Done([client.models.generate_content(model=model, contents=contents, config=wish)])
        return Done(list(client.models.generate_content_stream(model=model, contents=contents, config=wish)))

    def test_text(self, client: genai.Client, model: str, way: str) -> None:
        done = self.generate(client, way, model, "hello")
        assert done.text == "Hello from the mock."
        assert done.finish == types.FinishReason.STOP
        assert done.usage.prompt_token_count > 0
        assert done.usage.candidates_token_count > 0

    def test_a_tool_call_and_its_follow_up(self, client: genai.Client, model: str, way: str) -> None:
        text = "mock:tool weather?"
        done = self.generate(client, way, model, text, tools=[TOOL])
        assert [(c.name, c.args) for c in done.calls] == [("get_weather", {"city": "Paris", "unit": "c"})]
        assert self.generate(client, way, model, done.follow_up(text), tools=[TOOL]).text == "It is 18 degrees."

    def test_parallel_calls(self, client: genai.Client, model: str, way: str) -> None:
        text = "mock:parallel weather?"
        done = self.generate(client, way, model, text, tools=[TOOL])
        assert [c.args["city"] for c in done.calls] == ["Paris", "Rome"]
        assert self.generate(client, way, model, done.follow_up(text), tools=[TOOL]).text == "It is 18 degrees."

    def test_reasoning_comes_back_and_is_taken_back(self, client: genai.Client, model: str, way: str) -> None:
        text = "mock:reason mock:tool weather?"
        thinking = types.ThinkingConfig(thinking_budget=2000, include_thoughts=True)
        done = self.generate(client, way, model, text, tools=[TOOL], thinking_config=thinking)
        assert done.thought == THOUGHT
        done = self.generate(client, way, model, done.follow_up(text), tools=[TOOL], thinking_config=thinking)
        assert done.text == "It is 18 degrees."

    def test_a_schema(self, client: genai.Client, model: str, way: str) -> None:
        schema = types.Schema(
            type=types.Type.OBJECT,
            properties={"name": types.Schema(type=types.Type.STRING), "age": types.Schema(type=types.Type.INTEGER)},
            required=["name", "age"],
        )
        done = self.generate(client, way, model, "who?", response_mime_type="application/json", response_schema=schema)
        assert json.loads(done.text) == {"name": "Ada", "age": 36}

    def test_a_picture(self, client: genai.Client, model: str, way: str) -> None:
        picture = types.Part.from_bytes(data=base64.b64decode(PNG.partition(",")[2]), mime_type="image/png")
        assert self.generate(client, way, model, [picture, "what?"]).text == "I see 1 picture."

    def test_cached_tokens(self, client: genai.Client, model: str, way: str) -> None:
        done = self.generate(client, way, model, "mock:cached")
        assert done.usage.prompt_token_count == 2000
        assert done.usage.cached_content_token_count == 1500

    @pytest.mark.parametrize("code", [400, 429, 500])
    def test_errors(self, client: genai.Client, model: str, way: str, code: int) -> None:
        with pytest.raises(errors.APIError) as caught:
            self.generate(client, way, model, f"mock:{code}")
        assert caught.value.code == code


def stream_text(client: genai.Client, model: str, text: str) -> str:
    return Done(list(client.models.generate_content_stream(model=model, contents=text))).text


def test_a_long_stream(client: genai.Client, model: str) -> None:
    assert stream_text(client, model, "mock:long=2000") == "".join(f"word{i} " for i in range(2000))


def test_a_gap(client: genai.Client, model: str) -> None:
    assert stream_text(client, model, "mock:long=10 mock:gap=3") == "".join(f"word{i} " for i in range(10))


def test_a_cut_stream_is_not_complete(client: genai.Client, model: str) -> None:
    with pytest.raises((errors.APIError, ValueError)):
        list(client.models.generate_content_stream(model=model, contents="mock:long=100 mock:cut"))


def test_tokens_are_counted(client: genai.Client, model: str) -> None:
    assert client.models.count_tokens(model=model, contents="hello there, how are you?").total_tokens > 3
