"""What the mock says: decided from what was asked, the same in every format."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

import msgspec
from msgspec import Struct

SIGNATURE = "bW9jay1zaWduYXR1cmU="
"""The signature of everything the mock thinks; it takes no other back."""
THOUGHT = "The user greets; I greet back."


class Refused(Exception):
    """The request is not what the real provider takes."""

    def __init__(self, message: str, param: str = "", status: int = 400) -> None:
        super().__init__(message)
        self.message, self.param, self.status = message, param, status


class Asked(Struct):
    """A request as far as the mock cares: the last user text, tools by name, whether results were sent back."""

    model: str
    stream: bool
    text: str = ""
    tools: tuple[str, ...] = ()
    forced: str = ""
    """The tool that must be called, "*" for any."""
    results: int = 0
    images: int = 0
    schema: bool = False
    thinking: bool = False
    prompt_chars: int = 0


class Said(Struct):
    """The answer. `pieces` are the deltas of the text; usage counts are disjoint except that `prompt` is everything."""

    pieces: Sequence[str] = ()
    thought: str = ""
    calls: tuple[tuple[str, str], ...] = ()
    prompt: int = 12
    cached: int = 0
    completion: int = 5
    reasoning: int = 0
    status: int = 0
    gap: float = 0.0
    cut: bool = False

    @property
    def text(self) -> str:
        return "".join(self.pieces)


_WORD = re.compile(r"mock:([a-z0-9-]+)(?:=([0-9.]+))?")
_CALL = re.compile(r"mock:call (\S+) (\{.*\})")
"""A call that is asked for: the tool, and its arguments to the end of the line."""


def decide(asked: Asked, *, tokens: int = 0) -> Said:
    """Return what to say to `asked`; `tokens` deltas of text where the request does not say."""
    told = {m[1]: m[2] for m in _WORD.finditer(asked.text)}
    said = Said(prompt=10 + asked.prompt_chars // 4)
    for status in (400, 401, 429, 500, 503, 529):
        if str(status) in told:
            said.status = status
            return said
    count = int(told.get("long") or tokens)
    if asked.schema:
        said.pieces = ['{"name": ', '"Ada", ', '"age": 36}']
    elif asked.results:
        said.pieces = ["It is ", "18 degrees."]
    elif asked.images:
        said.pieces = [f"I see {asked.images} ", "picture."]
    elif count:
        said.pieces = [f"word{i} " for i in range(count)]
    else:
        said.pieces = ["Hello ", "from ", "the mock."]
    wants_tool = "tool" in told or "parallel" in told or bool(asked.forced)
    if asked.tools and wants_tool and not asked.results:
        name = asked.forced if asked.forced in asked.tools else asked.tools[0]
        cities = ("Paris", "Rome") if "parallel" in told else ("Paris",)
        said.calls = tuple((name, msgspec.json.encode({"city": c, "unit": "c"}).decode()) for c in cities)
        said.pieces = []
    dictated = tuple((m[1], m[2]) for m in _CALL.finditer(asked.text) if m[1] in asked.tools and _is_json(m[2]))
    if dictated and not asked.results:
        said.calls, said.pieces = dictated, []
    if "reason" in told or (asked.thinking and "noreason" not in told):
        said.thought = THOUGHT
        said.reasoning = 7
    if "cached" in told:
        said.prompt, said.cached = 2000, 1500
    said.completion = max(1, len(said.pieces) + 9 * len(said.calls)) + said.reasoning
    said.gap = float(told["gap"] or 3) if "gap" in told else 0.0
    said.cut = "cut" in told
    return said


def _is_json(text: str) -> bool:
    try:
        msgspec.json.decode(text)
    except msgspec.DecodeError:
        return False
    return True


def fragments(text: str) -> list[str]:
    """Return `text` in pieces of seven characters, as tool arguments arrive."""
    return [text[i : i + 7] for i in range(0, len(text), 7)]


def words(text: str) -> frozenset[str]:
    """Return the words of `text`."""
    return frozenset(text.split())


def only(value: Any, allowed: frozenset[str], where: str, *, unknown: str = "Unknown parameter: '{}'.") -> None:
    """Refuse an object with other keys than `allowed`."""
    if not isinstance(value, dict):
        raise Refused(f"{where or 'the body'} must be an object", where)
    for key in value:
        if key not in allowed:
            path = f"{where}.{key}" if where else key
            raise Refused(unknown.format(path), path)


_NAME = re.compile(r"[a-zA-Z0-9_-]+")


def tool_name(name: Any, longest: int, where: str) -> None:
    """Refuse a tool's name that is too long, or has other characters than letters, digits, `_` and `-`."""
    if not isinstance(name, str) or not _NAME.fullmatch(name) or len(name) > longest:
        raise Refused(f"Invalid '{where}': '{name}' does not match '^[a-zA-Z0-9_-]{{1,{longest}}}$'.", where)


def short(body: dict[str, Any], *keys: str) -> None:
    """Refuse texts at the top of an OpenAI request of more than 64 characters."""
    for key in keys:
        if len(body.get(key) or "") > 64:
            raise Refused(f"Invalid '{key}': string too long. Expected a string with maximum length 64.", key)


def lower_types(schema: Any, where: str) -> None:
    """Refuse a JSON Schema whose types are not JSON Schema's (Gemini writes them in capitals)."""
    if isinstance(schema, dict):
        kind = schema.get("type")
        for k in [kind] if isinstance(kind, str) else kind or []:
            if isinstance(k, str) and k != k.lower():
                raise Refused(f"Invalid schema for {where}: '{k}' is not valid under any of the given schemas.", where)
        for key, value in schema.items():
            if key not in ("enum", "const", "default", "example"):
                lower_types(value, where)
    elif isinstance(schema, list):
        for item in schema:
            lower_types(item, where)
