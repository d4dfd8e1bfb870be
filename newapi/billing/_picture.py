"""How many tokens a picture is to OpenAI's models: by tiles or by patches of its size."""

from __future__ import annotations

import re
from binascii import Error, a2b_base64
from math import ceil, sqrt

from newapi.ir.request import Inline, Media

PICTURE_TOKENS = 520
"""Of a picture, for every model but OpenAI's."""
_OPENAI = re.compile(r"gpt-|(?:^|/)o[134](?![a-z0-9])")
_BASE_AND_TILE = (
    (re.compile(r"gpt-4o-mini"), 2833, 5667),
    (re.compile(r"gpt-5(?!-(?:mini|nano))"), 70, 140),
    (re.compile(r"(?:^|/)o[13]"), 75, 150),
    (re.compile(r"computer-use-preview"), 65, 129),
)
_PATCHES = (
    (re.compile(r"gpt-4\.1-mini"), 162),
    (re.compile(r"gpt-4\.1-nano"), 246),
    (re.compile(r"(?:^|/)o4-mini"), 172),
    (re.compile(r"gpt-5-mini"), 162),
    (re.compile(r"gpt-5-nano"), 246),
)
"""Hundredths of a token for each patch of 32 by 32."""
_MAX_PATCHES = 1536
_HEAD = 128 * 1024
"""Base64 digits read to find the size of a JPEG, which stands after its thumbnail."""


def is_openai(model: str) -> bool:
    """Return whether a name is one of OpenAI's models for text."""
    return _OPENAI.search(model) is not None


def picture_tokens(media: Media, model: str) -> int:
    """Return an estimate of the tokens of a picture.

    Source: https://platform.openai.com/docs/guides/images-vision#calculating-costs; a picture whose size is not known
    (a URL) counts three times the base, as New API counts it.
    """
    if model.startswith("glm-4"):
        return 1047
    if not is_openai(model) and "computer-use-preview" not in model:
        return PICTURE_TOKENS
    patch = next((rate for pattern, rate in _PATCHES if pattern.search(model)), None)
    base, tile = next(((b, t) for pattern, b, t in _BASE_AND_TILE if pattern.search(model)), (85, 170))
    if patch is not None:
        base = 85
    elif media.detail == "low":
        return base
    size = dimensions(media.source.data) if isinstance(media.source, Inline) else None
    if size is None or min(size) <= 0:
        return 3 * base
    return (_patches(*size) * patch + 50) // 100 if patch is not None else _tiles(*size) * tile + base


def _patches(width: int, height: int) -> int:
    count = ceil(width / 32) * ceil(height / 32)
    if count <= _MAX_PATCHES:
        return count
    scale = sqrt(32 * 32 * _MAX_PATCHES / (width * height))
    across, down = width * scale / 32, height * scale / 32
    fit = min(int(across) / across, int(down) / down)
    if fit > 0:
        across, down = across * fit, down * fit
    return min(_MAX_PATCHES, ceil(round(across, 6)) * ceil(round(down, 6)))


def _tiles(width: int, height: int) -> int:
    longest = max(width, height)
    if longest > 2048:
        width, height = round(width * 2048 / longest), round(height * 2048 / longest)
    shortest = max(1, min(width, height))
    width, height = round(width * 768 / shortest), round(height * 768 / shortest)
    return ceil(width / 512) * ceil(height / 512)


def dimensions(base64: str) -> tuple[int, int] | None:
    """Return (width, height) in pixels of a PNG, GIF, WebP or JPEG; None for what is none, or does not say it early."""
    try:
        head = a2b_base64(base64[:64] if len(base64) >= 64 else base64)
        if head.startswith(b"\xff\xd8"):
            length = min(len(base64), _HEAD)
            return _jpeg(a2b_base64(base64[: length - length % 4]))
    except (Error, ValueError):
        return None
    if head.startswith(b"\x89PNG\r\n\x1a\n") and len(head) >= 24:
        return int.from_bytes(head[16:20], "big"), int.from_bytes(head[20:24], "big")
    if head[:6] in (b"GIF87a", b"GIF89a") and len(head) >= 10:
        return int.from_bytes(head[6:8], "little"), int.from_bytes(head[8:10], "little")
    if head[:4] == b"RIFF" and head[8:12] == b"WEBP":
        return _webp(head)
    return None


def _webp(head: bytes) -> tuple[int, int] | None:
    """Source: https://developers.google.com/speed/webp/docs/riff_container"""
    match head[12:16]:
        case b"VP8X" if len(head) >= 30:
            return int.from_bytes(head[24:27], "little") + 1, int.from_bytes(head[27:30], "little") + 1
        case b"VP8L" if len(head) >= 25:
            bits = int.from_bytes(head[21:25], "little")
            return (bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1
        case b"VP8 " if len(head) >= 30:
            return int.from_bytes(head[26:28], "little") & 0x3FFF, int.from_bytes(head[28:30], "little") & 0x3FFF
        case _:
            return None


def _jpeg(data: bytes) -> tuple[int, int] | None:
    at = 2
    while at + 9 <= len(data) and data[at] == 0xFF:
        kind = data[at + 1]
        if kind == 0xFF:
            at += 1  # a fill byte
        elif 0xC0 <= kind <= 0xCF and kind not in (0xC4, 0xC8, 0xCC):
            return int.from_bytes(data[at + 7 : at + 9], "big"), int.from_bytes(data[at + 5 : at + 7], "big")
        elif kind == 0x01 or 0xD0 <= kind <= 0xD8:
            at += 2  # markers that stand alone
        else:
            at += 2 + int.from_bytes(data[at + 2 : at + 4], "big")
    return None
