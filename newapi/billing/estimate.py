"""Tokens and quota where nobody counted: for what is set aside before a call, and for upstreams that state no usage."""

from __future__ import annotations

import re
from decimal import Decimal
from math import ceil

from newapi.base.units import QUOTA_PER_USD, Quota
from newapi.billing.charge import Call, picture_ratio
from newapi.billing.price import ONE, Price
from newapi.ir.request import Media, Reasoning, Refusal, Request, Text, Tool, ToolCall, ToolResult

MINIMUM_PROMPT = 500
"""Prompt tokens that are reserved at least: New API's `PreConsumedQuota`."""
_MEDIA_TOKENS = {"image": 520, "audio": 256, "video": 8192, "document": 4096}
_BATCH = 64 * 1024

_CLASSES = ("newline", "space", "cjk", "emoji", "word", "number", "math", "at", "url", "symbol")
_PATTERN = re.compile(
    r"(?P<newline>[\n\t])|(?P<space>\s)|(?P<cjk>[\u3040-\u30ff\u3400-\u9fff\uac00-\ud7a3\uf900-\ufaff\U00020000-\U0003ffff])"
    r"|(?P<emoji>[\u2600-\u27bf\U0001f300-\U0001f9ff\U0001fa00-\U0001faff])|(?P<word>[^\W\d_]+?(?![^\W\d_\u3040-\u30ff\u3400-\u9fff\uac00-\ud7a3]))"
    r"|(?P<number>\d+)|(?P<math>[\u2200-\u22ff\u2a00-\u2aff±×÷°′″])|(?P<at>@)|(?P<url>[/:?&=;#%])|(?P<symbol>.)",
    re.DOTALL,
)
_WEIGHTS = {
    "gemini": (1.15, 0.2, 0.68, 1.08, 1.15, 2.8, 1.05, 2.5, 1.2, 0.38),
    "claude": (0.89, 0.39, 1.21, 2.6, 1.13, 1.63, 4.52, 2.82, 1.26, 0.4),
    # OpenAI's own tokens take the space before a word with them.
    "gpt-": (0.5, 0.1, 0.85, 2.12, 1.0, 1.55, 2.68, 2.0, 1.0, 0.4),
    "": (0.5, 0.42, 0.85, 2.12, 1.02, 1.55, 2.68, 2.0, 1.0, 0.4),
}


def _weights(model: str) -> dict[str, float]:
    family = next((f for f in ("gemini", "claude", "gpt-") if f in model), "")
    return dict(zip(_CLASSES, _WEIGHTS[family], strict=True))


def count_text(text: str, model: str) -> int:
    """Return an estimate of the tokens of `text`: New API's weights for each kind of character (relay-core.md 9.4)."""
    weights = _weights(model)
    return ceil(sum(weights[m.lastgroup or "symbol"] for m in _PATTERN.finditer(text)))


class TextCounter:
    """Counts tokens of text that comes in pieces. Short texts are counted when someone asks, long ones on the way."""

    def __init__(self, model: str) -> None:
        self._model = model
        self._pieces: list[str] = []
        self._size = 0
        self._counted = 0

    def add(self, text: str) -> None:
        """Take more text."""
        self._pieces.append(text)
        self._size += len(text)
        if self._size > _BATCH:
            self._count()

    def total(self) -> int:
        """Return the tokens of everything so far."""
        self._count()
        return self._counted

    def _count(self) -> None:
        if self._pieces:
            self._counted += count_text("".join(self._pieces), self._model)
            self._pieces.clear()
            self._size = 0


def count_request(request: Request, model: str) -> int:
    """Return an estimate of a request's prompt tokens: its texts, a constant for each picture.

    OpenAI's chat format costs more for each message and tool, which New API counts for callers of that format.
    """
    texts: list[str] = []
    chat = request.origin in ("openai_chat", "")
    tokens = 3 if chat else 0
    for message in request.messages:
        if chat:
            tokens += 3
            texts.append(message.role)
        for part in message.parts:
            match part:
                case Text(text=text) | Reasoning(text=text) | Refusal(text=text):
                    texts.append(text)
                case ToolCall(name=name, args=args):
                    texts += (name, args)
                case ToolResult(parts=parts):
                    texts += (p.text for p in parts if isinstance(p, Text))
                case Media(kind=kind):
                    tokens += _MEDIA_TOKENS[kind]
                case _:
                    pass
    for tool in request.tools:
        tokens += 8 if chat else 0
        if isinstance(tool, Tool):
            texts += (tool.name, tool.description, bytes(tool.schema or b"").decode())
    return tokens + count_text("\n".join(texts), model)


def count_body_fast(body: bytes) -> int:
    """Return a rough upper estimate of a request's prompt tokens from the size of its body: a token every four bytes.

    Inlined pictures and sounds are long runs of base64; what is over 64 kB counts as media does, not as text.
    """
    size = len(body)
    return size // 4 if size < 65_536 else 16_384 + (size - 65_536) // 64


def reserve_amount(
    price: Price, prompt_tokens: int, max_output: int, *, group_ratio: Decimal = ONE, call: Call | None = None
) -> Quota:
    """Return what to set aside before a call, in quota (billing.md 4.2)."""
    if price.per_call is not None:
        ratio = picture_ratio(price.model, call) if call else ONE
        return Quota(int(price.per_call * ratio * QUOTA_PER_USD * group_ratio))
    tokens = max(prompt_tokens, MINIMUM_PROMPT) + max_output
    return Quota(int(tokens * price.rates_for(prompt_tokens).input * group_ratio))
