"""Which channel a conversation is with: the upstream's cache holds what was said so far, and a cached prompt is cheap.

A preference, not a pin: it decides between channels of the same priority, and steps back where its channel rests,
fails, or is at a limit. Whoever serves then has the conversation from there on.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Mapping
from typing import Any

import msgspec
from msgspec import Struct

from newapi.relay.route import Preferred

CONVERSATIONS = 100_000
"""So many are remembered; beyond it, those that were silent the longest are forgotten."""
_HEADERS = (
    "x-claude-code-session-id",  # Claude Code
    "session-id",  # Codex
    "session_id",  # Codex before 0.60
    "x-opencode-session",
    "x-session-id",
)
_LONGEST = 256

Place = tuple[int, str, str]
"""Whose conversation it is (the user's id), with which model, and what the client calls it."""


class _Said(Struct):
    prompt_cache_key: Any = None
    metadata: Any = None


_DECODE = msgspec.json.Decoder(_Said).decode


def conversation_of(headers: Mapping[str, str], body: bytes) -> str:
    """Return what a client calls the conversation that a request belongs to, or "".

    It is a header of Claude Code or Codex, or the body's `prompt_cache_key` (OpenAI) or `metadata.user_id` (Anthropic;
    Claude Code puts its session there too).

    Args:
        headers: Names in lower case.
        body: JSON, or anything else, which names none.
    """
    for name in _HEADERS:
        if value := headers.get(name):
            return value[:_LONGEST]
    if b'"prompt_cache_key"' not in body and b'"user_id"' not in body:
        return ""
    try:
        said = _DECODE(body)
    except (msgspec.MsgspecError, RecursionError, UnicodeDecodeError):
        return ""
    found = said.prompt_cache_key
    if not found and isinstance(said.metadata, dict):
        found = said.metadata.get("user_id")  # pyright: ignore[reportUnknownMemberType, reportUnknownVariableType]
    return found[:_LONGEST] if isinstance(found, str) else ""


class _Continues(Struct):
    id: Any = None
    previous_response_id: Any = None
    store: Any = None


_DECODE_CONTINUES = msgspec.json.Decoder(_Continues).decode


def answer_before(body: bytes) -> str:
    """Return what remembers the answer that a request to `/v1/responses` goes on from, or "".

    Its upstream keeps it, and no other knows it: https://platform.openai.com/docs/guides/conversation-state
    """
    return _named(body, "previous_response_id") if b'"previous_response_id"' in body else ""


def answer_kept(asked: bytes, answered: bytes, id: str) -> str:
    """Return what remembers an answer of `/v1/responses`, or "" where the upstream was told not to keep it.

    Args:
        asked: The request's body.
        answered: The answer's body, of one that was not streamed.
        id: The answer's id, of one that was.
    """
    if b'"store"' in asked and _continues(asked).store is False:
        return ""
    return f"response:{id[:_LONGEST]}" if id else _named(answered, "id")


def _continues(body: bytes) -> _Continues:
    try:
        return _DECODE_CONTINUES(body)
    except (msgspec.MsgspecError, RecursionError, UnicodeDecodeError):
        return _Continues()


def _named(body: bytes, field: str) -> str:
    found = getattr(_continues(body), field)
    return f"response:{found[:_LONGEST]}" if isinstance(found, str) and found else ""


class _Held(Struct):
    channel: int
    key: str
    until: float


class _Word(Struct, frozen=True):
    """What processes tell one another."""

    place: Place
    held: _Held


class Affinity:
    """The conversations that this process knows of, and those that others have told it."""

    def __init__(self, publish: Callable[[bytes], None] = lambda _word: None) -> None:
        """Tell other processes by `publish`; `hear` takes what they tell."""
        self._publish = publish
        self._held: OrderedDict[Place, _Held] = OrderedDict()

    def find(self, place: Place, now: float) -> Preferred | None:
        """Return the channel and key that served a conversation last, if that is not too long ago."""
        held = self._held.get(place)
        if held is None:
            return None
        if held.until <= now:
            del self._held[place]
            return None
        return Preferred(held.channel, held.key)

    def served(self, place: Place, channel: int, key: str, until: float) -> None:
        """Note who has served a conversation; until then (unix seconds) it is who is asked next."""
        before, held = self._held.get(place), _Held(channel, key, until)
        self._put(place, held)
        if before is None or (before.channel, before.key) != (channel, key):  # that it goes on is known where it does
            self._publish(_ENCODE(_Word(place, held)))

    def hear(self, word: bytes) -> None:
        """Take over what another process tells (or this one, which changes nothing)."""
        told = _DECODE_WORD(word)
        self._put(told.place, told.held)

    def count(self, now: float) -> dict[int, int]:
        """Return how many conversations each channel has, by its id."""
        found: dict[int, int] = {}
        for held in self._held.values():
            if held.until > now:
                found[held.channel] = found.get(held.channel, 0) + 1
        return found

    def _put(self, place: Place, held: _Held) -> None:
        self._held[place] = held
        self._held.move_to_end(place)
        if len(self._held) > CONVERSATIONS:
            self._held.popitem(last=False)


_ENCODE = msgspec.msgpack.Encoder().encode
_DECODE_WORD = msgspec.msgpack.Decoder(_Word).decode
