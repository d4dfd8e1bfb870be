"""Tokens and quota where nobody counted: for what is set aside before a call, and for upstreams that state no usage."""

from __future__ import annotations

import re
from decimal import Decimal
from unicodedata import category

from newapi.base.units import QUOTA_PER_USD, Quota
from newapi.billing._picture import is_openai, picture_tokens
from newapi.billing.price import EXACT, ONE, ZERO, Price
from newapi.billing.quote import PICTURES, Call, picture_ratio
from newapi.ir.request import (
    CustomTool,
    Media,
    Message,
    Reasoning,
    Refusal,
    Request,
    Text,
    Tool,
    ToolCall,
    ToolResult,
)

MINIMUM_PROMPT = 500
"""Prompt tokens that are reserved at least: New API's `PreConsumedQuota`."""
PICTURE_OUTPUT = 1584
"""Tokens that are reserved for the pictures of an answer: New API's figure."""
_MEDIA_TOKENS = {"audio": 256, "video": 8192, "document": 4096}
_BATCH = 64 * 1024

# -- text ------------------------------------------------------------------------------------

_EMOJI = ((0x2600, 0x27BF), (0x1F300, 0x1F9FF), (0x1FA00, 0x1FAFF))
_CJK = (
    (0x3040, 0x30FF),
    (0xAC00, 0xD7A3),
    # Script Han. Source: https://www.unicode.org/Public/UCD/latest/ucd/Scripts.txt
    *((0x2E80, 0x2E99), (0x2E9B, 0x2EF3), (0x2F00, 0x2FD5), (0x3005, 0x3005), (0x3007, 0x3007), (0x3021, 0x3029)),
    *((0x3038, 0x303B), (0x3400, 0x4DBF), (0x4E00, 0x9FFF), (0xF900, 0xFA6D), (0xFA70, 0xFAD9), (0x20000, 0x323AF)),
)
_MATH = ((0x2200, 0x22FF), (0x2A00, 0x2AFF), (0x1D400, 0x1D7FF), (0x207A, 0x207E), (0x208A, 0x208E))
_MATH_SIGNS = "±×÷°′″"
_URL = "/:?&=;#%"


class _Classes(dict[int, str]):
    """The class of each character, as one letter; looked up by `str.translate`, so that text is scanned in C."""

    def __missing__(self, code: int) -> str:
        found = _class(code)
        if len(self) < 0x1_0000:
            self[code] = found
        return found


def _class(code: int) -> str:
    char = chr(code)
    kind = category(char)
    match char:
        case "\n" | "\t":
            return "n"
        case _ if kind[0] == "Z" or char in "\v\f\r\x85":
            return "s"
        case _ if _in(code, _CJK):
            return "c"
        case _ if _in(code, _EMOJI):
            return "e"
        case _ if kind[0] == "L":
            return "w"
        case _ if kind[0] == "N":
            return "d"
        case _ if _in(code, _MATH) or char in _MATH_SIGNS:
            return "m"
        case "@":
            return "a"
        case _ if char in _URL:
            return "u"
        case _:
            return "y"


def _in(code: int, ranges: tuple[tuple[int, int], ...]) -> bool:
    return any(first <= code <= last for first, last in ranges)


_CLASSES = _Classes()
_RUNS = bytes(c if c in b"wd" else 0x20 for c in range(256))
"""Letters and digits of the classes stay, the rest becomes a blank."""

_ORDER = b"wdcymuaens"
_WEIGHTS = {
    "gemini": (115, 280, 68, 38, 105, 120, 250, 108, 115, 20),
    "claude": (113, 163, 121, 40, 452, 126, 282, 260, 89, 39),
    # OpenAI's own tokens take the space before a word with them.
    "openai": (100, 155, 85, 40, 268, 100, 200, 212, 50, 10),
    "": (102, 155, 85, 40, 268, 100, 200, 212, 50, 42),
}
"""Hundredths of a token of one: word, number, CJK, symbol, math, URL delimiter, @, emoji, newline or tab, space."""


def _weights(model: str) -> tuple[int, ...]:
    for family in ("gemini", "claude"):
        if family in model:
            return _WEIGHTS[family]
    return _WEIGHTS["openai" if is_openai(model) else ""]


def _score(text: str, weights: tuple[int, ...], before: str) -> tuple[int, str]:
    """Return the hundredths of a token of `text` that follows a character of class `before`, and its last class.

    A run of letters is one word and a run of digits one number, wherever the text was cut.
    """
    classes = text.translate(_CLASSES).encode("ascii")
    runs = before.encode() + classes.translate(_RUNS)
    words = runs.count(b" w") + runs.count(b"dw")
    numbers = runs.count(b" d") + runs.count(b"wd")
    counts = (words, numbers, *(classes.count(c) for c in _ORDER[2:]))
    return sum(n * w for n, w in zip(counts, weights, strict=True)), runs[-1:].decode()


def count_text(text: str, model: str) -> int:
    """Return an estimate of the tokens of `text`: New API's weights for each kind of character."""
    return -(-_score(text, _weights(model), " ")[0] // 100)


class TextCounter:
    """Counts tokens of text that comes in pieces, the same as `count_text` of all of it.

    Short texts are counted when someone asks, long ones in batches on the way, so that the memory stays flat.
    """

    __slots__ = ("_before", "_model", "_pieces", "_score", "_size")

    def __init__(self, model: str) -> None:
        self._model = model
        self._pieces: list[str] = []
        self._size = 0
        self._score = 0
        self._before = " "

    def add(self, text: str) -> None:
        """Take more text."""
        self._pieces.append(text)
        self._size += len(text)
        if self._size > _BATCH:
            self._count()

    def total(self) -> int:
        """Return the tokens of everything so far."""
        self._count()
        return -(-self._score // 100)

    def _count(self) -> None:
        if self._pieces:
            score, self._before = _score("".join(self._pieces), _weights(self._model), self._before)
            self._score += score
            self._pieces.clear()
            self._size = 0


# -- requests --------------------------------------------------------------------------------


def count_request(request: Request, model: str) -> int:
    """Return an estimate of a request's prompt tokens: its texts, and constants for what is no text.

    OpenAI's chat format costs more for each message and tool, which New API counts for callers of that format.
    """
    texts: list[str] = []
    chat = request.origin in ("openai_chat", "")
    tokens = 3 if chat else 0
    for message in request.messages:
        if chat:
            tokens += 6 if message.name else 3
            texts += (message.role, message.name) if message.name else (message.role,)
        tokens += _message(message, texts, model)
    for tool in request.tools:
        tokens += 8 if chat else 0
        match tool:
            case Tool(name=name, description=description, schema=schema):
                texts += (name, description, bytes(schema or b"").decode())
            case CustomTool(name=name, description=description, format=grammar):
                texts += (name, description, bytes(grammar or b"").decode())
            case _:
                pass
    return tokens + count_text("\n".join(texts), model)


def _message(message: Message, texts: list[str], model: str) -> int:
    """Add the texts of `message` to `texts`; return the tokens of what is none."""
    tokens = 0
    for part in message.parts:
        match part:
            case Text(text=text) | Reasoning(text=text) | Refusal(text=text):
                texts.append(text)
            case ToolCall(name=name, args=args):
                texts += (name, args)
            case ToolResult(parts=parts):
                texts += (p.text for p in parts if isinstance(p, Text))
                tokens += sum(_media(p, model) for p in parts if isinstance(p, Media))
            case Media():
                tokens += _media(part, model)
            case _:
                pass
    return tokens


def _media(media: Media, model: str) -> int:
    return picture_tokens(media, model) if media.kind == "image" else _MEDIA_TOKENS[media.kind]


# -- bodies nobody parsed ----------------------------------------------------------------------

BLOB_TOKENS = 1024
"""Tokens that something inlined counts for where nobody looks into it: between a picture's and a document's."""
_BASE64 = re.compile(rb"[A-Za-z0-9+/_\\-]{256}")
_VALUE = re.compile(rb'[\s:]{1,8}"')


def count_body_fast(body: bytes) -> int:
    """Return a rough estimate of a request's prompt tokens from its bytes, without parsing them.

    A token every four bytes, which text in most languages needs at least, so that with the JSON around it the estimate
    is rather high. Inlined pictures, sounds and files do not count as text but as `BLOB_TOKENS` each: base64 in a
    `data:` URL or in a value of `"data"` (Anthropic, Gemini, OpenAI's sound), and the files of a form. Looking for
    them costs a few searches of the body at the speed of memory.
    """
    count, size = _files(body) if body.startswith(b"--") else _inlined(body)
    return (len(body) - size) // 4 + count * BLOB_TOKENS


def _inlined(body: bytes) -> tuple[int, int]:
    """Return how many things are inlined in JSON, and their bytes."""
    count = size = 0
    for mark in (b";base64,", b'"data"'):
        at = body.find(mark)
        while at >= 0:
            start = at + len(mark)
            if mark[0] == 0x22:
                opened = _VALUE.match(body, start)
                start = opened.end() if opened else start
            end = start
            if _BASE64.match(body, start):
                end = body.find(b'"', start)
                end = len(body) if end < 0 else end
                count, size = count + 1, size + end - start
            at = body.find(mark, end)
    return count, size


def _files(body: bytes) -> tuple[int, int]:
    """Return how many files a form has, and their bytes."""
    count = size = 0
    boundary = body[: max(2, min(body.find(b"\r\n"), 72))]
    at = 0
    while at >= 0:
        head = body.find(b"\r\n\r\n", at, at + 8192)
        after = body.find(boundary, at + len(boundary))
        if head >= 0 and after > head and b"filename=" in body[at:head]:
            count, size = count + 1, size + after - head
        at = after
    return count, size


# -- quota ---------------------------------------------------------------------------------------


def reserve_amount(
    price: Price, prompt_tokens: int, max_output: int, *, group_ratio: Decimal = ONE, call: Call | None = None
) -> Quota:
    """Return what to set aside before a call, in whole quota, rounded down.

    New API's figure: the price of a call (of one picture, however many are asked for), or the prompt and everything
    that the answer may have at the price of the prompt. Where the prompt is free and the answer is not, the answer
    counts at its own price.

    Args:
        price: Of the model as the caller named it.
        prompt_tokens: An estimate; `MINIMUM_PROMPT` at least is set aside.
        max_output: Tokens the answer may have, 0 when the request does not say.
        group_ratio: What the caller's group pays.
        call: What else the price depends on.
    """
    call = call or Call()
    multiply = EXACT.multiply
    if price.per_call is not None:
        amount = multiply(multiply(price.per_call, picture_ratio(price.model, call)), QUOTA_PER_USD)
        return Quota(int(multiply(amount, group_ratio)))
    if call.endpoint in PICTURES:
        max_output = max_output or PICTURE_OUTPUT
    rates = price.rates_for(prompt_tokens)
    answer = rates.input if rates.input > ZERO else rates.output
    prompt = multiply(max(prompt_tokens, MINIMUM_PROMPT), rates.input)
    return Quota(int(multiply(EXACT.add(prompt, multiply(max_output, answer)), group_ratio)))
