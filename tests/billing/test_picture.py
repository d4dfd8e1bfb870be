from __future__ import annotations

from base64 import b64encode

import pytest
from hypothesis import given
from hypothesis import strategies as st

from newapi.billing._picture import dimensions, picture_tokens
from newapi.ir.request import FileRef, Inline, Media, Url


def gif(width: int, height: int) -> bytes:
    return b"GIF89a" + width.to_bytes(2, "little") + height.to_bytes(2, "little")


def png(width: int, height: int) -> bytes:
    return b"\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR" + width.to_bytes(4, "big") + height.to_bytes(4, "big") + b"\x08\x06"


def jpeg(width: int, height: int, before: bytes = b"") -> bytes:
    frame = b"\xff\xc0\x00\x11\x08" + height.to_bytes(2, "big") + width.to_bytes(2, "big") + b"\x03\x01"
    return b"\xff\xd8\xff\xe0\x00\x04JF" + before + b"\xff" + frame


def webp(kind: bytes, body: bytes) -> bytes:
    return b"RIFF\x00\x00\x00\x00WEBP" + kind + b"\x00\x00\x00\x00" + body


LOSSLESS = (640 - 1 | 480 - 1 << 14).to_bytes(4, "little")

PICTURES = {
    "png": png(640, 480),
    "gif": gif(640, 480),
    "jpeg": jpeg(640, 480),
    "jpeg after a thumbnail": jpeg(640, 480, b"\xff\xe1\x80\x00" + b"\x00" * 0x7FFE + b"\xff\xd0"),
    "webp lossy": webp(b"VP8 ", b"\x00" * 6 + (640).to_bytes(2, "little") + (480).to_bytes(2, "little")),
    "webp lossless": webp(b"VP8L", b"\x2f" + LOSSLESS),
    "webp extended": webp(b"VP8X", b"\x00" * 4 + (639).to_bytes(3, "little") + (479).to_bytes(3, "little")),
}


@pytest.mark.parametrize("name", PICTURES)
@pytest.mark.parametrize("tail", [0, 1, 2, 3, 5000])
def test_the_size_of_a_picture(name: str, tail: int) -> None:
    assert dimensions(b64encode(PICTURES[name] + b"\x00" * tail).decode()) == (640, 480)


@pytest.mark.parametrize(
    "data",
    [
        "",
        "%%%",
        "é",
        "AAAA",
        b64encode(PICTURES["png"][:20]).decode(),
        b64encode(PICTURES["gif"][:8]).decode(),
        b64encode(PICTURES["webp lossy"][:20]).decode(),
        b64encode(webp(b"ALPH", b"\x00" * 40)).decode(),
        b64encode(PICTURES["jpeg"][:12]).decode(),
        b64encode(b"\xff\xd8" + b"\x00" * 40).decode(),
        b64encode(jpeg(1, 1, b"\xff\xe1\xff\xff" + b"\x00" * 0xFFFD) * 2).decode()[:90_000],
    ],
)
def test_what_does_not_say_its_size(data: str) -> None:
    found = dimensions(data)
    assert found is None or min(found) >= 0


@given(st.binary(max_size=200), st.sampled_from(list(PICTURES)), st.integers(0, 60))
def test_any_bytes_are_read_without_an_error(noise: bytes, name: str, cut: int) -> None:
    for data in (noise, PICTURES[name][:cut] + noise):
        found = dimensions(b64encode(data).decode())
        assert found is None or len(found) == 2


@pytest.mark.parametrize(
    ("model", "size", "detail", "tokens"),
    [
        ("gpt-4o", (1024, 1024), "", 765),
        ("gpt-4o", (1024, 1024), "low", 85),
        ("gpt-4o", (512, 512), "high", 765),
        ("gpt-4o", (4096, 8192), "", 85 + 6 * 170),
        ("gpt-4o", (2048, 1024), "", 85 + 6 * 170),
        ("gpt-4o-mini", (1024, 1024), "", 2833 + 4 * 5667),
        ("gpt-5", (1024, 1024), "", 70 + 4 * 140),
        ("o1", (1024, 1024), "", 75 + 4 * 150),
        ("openai/o3", (1024, 1024), "", 75 + 4 * 150),
        ("computer-use-preview", (1024, 1024), "", 65 + 4 * 129),
        ("gpt-4.1-mini", (1024, 1024), "", 1659),
        ("gpt-4.1-mini", (1024, 1024), "low", 1659),
        ("gpt-4.1-nano", (32, 32), "", 2),
        ("o4-mini", (1024, 1024), "", 1761),
        ("gpt-5-mini", (1800, 2400), "", 2352),
        ("gpt-5-nano", (10_000, 10), "", 770),
        ("glm-4v", (1024, 1024), "", 1047),
        ("claude-sonnet-4-5", (1024, 1024), "", 520),
        ("gpt-4o", (0, 0), "", 255),
    ],
)
def test_tokens(model: str, size: tuple[int, int], detail: str, tokens: int) -> None:
    source = Inline(b64encode(png(*size)).decode())
    assert picture_tokens(Media("image", "image/png", source, detail=detail), model) == tokens


@pytest.mark.parametrize("source", [Url("https://x.test/a.png"), FileRef("f", "openai_chat"), Inline("AAAA")])
@pytest.mark.parametrize(("model", "tokens"), [("gpt-4o", 255), ("gpt-4.1-mini", 255), ("gpt-5", 210), ("x", 520)])
def test_tokens_of_a_picture_of_unknown_size(source: Url | FileRef | Inline, model: str, tokens: int) -> None:
    assert picture_tokens(Media("image", "", source), model) == tokens
