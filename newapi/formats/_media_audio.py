"""How long a recording is, told by its bytes. Nothing is decoded: headers say how many samples follow.

Sources: http://www.mp3-tech.org/programmer/frame_header.html (MP3), https://wiki.multimedia.cx/index.php/ADTS (AAC),
https://datatracker.ietf.org/doc/html/rfc9639 (FLAC), http://soundfile.sapp.org/doc/WaveFormat/ (WAV),
https://datatracker.ietf.org/doc/html/rfc3533 (Ogg)
"""

from __future__ import annotations

import math
from collections.abc import Callable

PCM_RATE = 48_000
"""Bytes of a second of bare PCM: 24 kHz, 16 bits, mono, as OpenAI's speech has it."""
GUESSED_RATE = 16_000
"""Bytes of a second of what has no length that we can read: 128 kbit/s."""

_MAX_STEPS = 200_000
"""Frames looked at, an hour and more. The rest of a longer file is taken to be like what was seen."""

_Frame = Callable[[bytes, int], tuple[int, float] | None]

_MP3_RATES = {3: (44_100, 48_000, 32_000), 2: (22_050, 24_000, 16_000), 0: (11_025, 12_000, 8_000)}
_MP3_KBITS = {
    (1, 1): (0, 32, 64, 96, 128, 160, 192, 224, 256, 288, 320, 352, 384, 416, 448),
    (1, 2): (0, 32, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320, 384),
    (1, 3): (0, 32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320),
    (2, 1): (0, 32, 48, 56, 64, 80, 96, 112, 128, 144, 160, 176, 192, 224, 256),
    (2, 2): (0, 8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160),
    (2, 3): (0, 8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160),
}
_AAC_RATES = (96_000, 88_200, 64_000, 48_000, 44_100, 32_000, 24_000, 22_050, 16_000, 12_000, 11_025, 8_000, 7_350)


def tokens(seconds: float) -> int:
    """Return what `seconds` of sound are billed as: 1000 tokens a minute, seconds rounded up. New API's rule."""
    return round(math.ceil(seconds) / 60 * 1000)


def container(data: bytes) -> str:
    """Return what `data` is: wav, ogg, flac, aac, mp3, mp4, webm, or "" for what has no mark (bare PCM)."""
    if data.startswith(b"RIFF") and data[8:12] == b"WAVE":
        return "wav"
    if data.startswith(b"OggS"):
        return "ogg"
    if data.startswith(b"fLaC"):
        return "flac"
    if data[4:8] == b"ftyp":
        return "mp4"
    if data.startswith(b"\x1a\x45\xdf\xa3"):
        return "webm"
    if data.startswith(b"ID3"):
        return "mp3"
    # The layer bits are 0 in AAC's frames, and never in MP3's.
    if _aac_frame(data, 0):
        return "aac"
    return "mp3" if _mp3_frame(data, 0) else ""


def seconds(data: bytes) -> float | None:
    """Return the length of a recording, None where its container does not say it, or is none that we read."""
    match container(data):
        case "wav":
            return _wav(data)
        case "mp3":
            return _frames(data, _id3(data), _mp3_frame)
        case "aac":
            return _frames(data, 0, _aac_frame)
        case "ogg":
            return _ogg(data)
        case "flac":
            return _flac(data)
        case _:
            return None


def _wav(data: bytes) -> float | None:
    at, rate = 12, 0
    while at + 8 <= len(data):
        kind, size = data[at : at + 4], int.from_bytes(data[at + 4 : at + 8], "little")
        at += 8
        if kind == b"fmt ":
            rate = int.from_bytes(data[at + 8 : at + 12], "little")
        elif kind == b"data":
            # A file made while it was sent says the largest number for its size.
            return min(size, len(data) - at) / rate if rate else None
        at += size + size % 2
    return 0.0 if rate else None


def _flac(data: bytes) -> float | None:
    head = int.from_bytes(data[18:26], "big")
    rate, samples = head >> 44, head & 0xF_FFFF_FFFF
    return samples / rate if len(data) >= 26 and rate and samples else None


def _ogg(data: bytes) -> float | None:
    """The last page says how many samples there are; Opus counts at 48 kHz whatever it plays at."""
    last = data.rfind(b"OggS")
    samples = int.from_bytes(data[last + 6 : last + 14], "little")
    if b"OpusHead" in data[:128]:
        rate = 48_000
    elif (vorbis := data.find(b"\x01vorbis", 0, 128)) >= 0:
        rate = int.from_bytes(data[vorbis + 12 : vorbis + 16], "little")
    else:
        return None
    # All ones: no packet ends on that page.
    return samples / rate if rate and samples < 1 << 62 else None


def _id3(data: bytes) -> int:
    """Return where the tag before the first frame ends; its size has seven bits a byte."""
    if not data.startswith(b"ID3") or len(data) < 10:
        return 0
    size = 0
    for byte in data[6:10]:
        size = size << 7 | byte & 0x7F
    return 10 + size


def _frames(data: bytes, start: int, frame: _Frame) -> float:
    """Add up frames from `start`; what is none is skipped."""
    at, total, steps = start, 0.0, 0
    while (at := data.find(b"\xff", at)) >= 0:
        if steps == _MAX_STEPS:
            return total * (len(data) - start) / (at - start) if total else (len(data) - start) / GUESSED_RATE
        steps += 1
        found = frame(data, at)
        if found is None:
            at += 1
            continue
        size, length = found
        total += length
        at += size
    return total


def _mp3_frame(data: bytes, at: int) -> tuple[int, float] | None:
    """Return a frame's bytes and seconds."""
    if len(data) < at + 4 or data[at] != 0xFF or data[at + 1] & 0xE0 != 0xE0:
        return None
    version, layer = data[at + 1] >> 3 & 3, 4 - (data[at + 1] >> 1 & 3)
    bits, rate = data[at + 2] >> 4, data[at + 2] >> 2 & 3
    if version == 1 or layer == 4 or bits in (0, 15) or rate == 3:
        return None
    hertz = _MP3_RATES[version][rate]
    generation = 1 if version == 3 else 2
    samples = 384 if layer == 1 else 576 if layer == 3 and generation == 2 else 1152
    kbits, padding = _MP3_KBITS[generation, layer][bits], data[at + 2] >> 1 & 1
    size = samples // 8 * kbits * 1000 // hertz + padding * (4 if layer == 1 else 1)
    return size, samples / hertz


def _aac_frame(data: bytes, at: int) -> tuple[int, float] | None:
    if len(data) < at + 7 or data[at] != 0xFF or data[at + 1] & 0xF6 != 0xF0:
        return None
    rate = data[at + 2] >> 2 & 15
    size = (data[at + 3] & 3) << 11 | data[at + 4] << 3 | data[at + 5] >> 5
    if rate >= len(_AAC_RATES) or size < 7:
        return None
    return size, 1024 / _AAC_RATES[rate]
