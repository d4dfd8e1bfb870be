"""Speech and transcripts: what is asked, how long a recording is, and what it costs."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from newapi.base import multipart
from newapi.base.errors import CallerError, UpstreamError
from newapi.formats import _media_audio as audio
from newapi.formats import speech, transcriptions, translations
from newapi.formats.contract import Format
from newapi.frames.sse import SseFramer
from newapi.ir.check import check
from newapi.ir.events import Event, Failed, Metered
from newapi.ir.usage import Usage

FORM = {"content-type": "multipart/form-data; boundary=B"}

# -- recordings ----------------------------------------------------------------------------


def wav(seconds: float, *, size: int | None = None, before: bytes = b"") -> bytes:
    """16 kHz, 16 bits, mono; `size` is what the header says of the data."""
    data = bytes(int(seconds * 32_000))
    head = b"fmt " + (16).to_bytes(4, "little") + b"\1\0\1\0" + (16_000).to_bytes(4, "little")
    head += (32_000).to_bytes(4, "little") + b"\2\0\x10\0" + before + b"data"
    head += (len(data) if size is None else size).to_bytes(4, "little")
    return b"RIFF" + (4 + len(head) + len(data)).to_bytes(4, "little") + b"WAVE" + head + data


def mp3(frames: int, head: bytes = b"\xff\xfb\x90\x00", size: int = 417) -> bytes:
    """MPEG 1, layer 3, 128 kbit/s, 44.1 kHz: 417 bytes and 1152 samples a frame."""
    return (head + bytes(size - 4)) * frames


def ogg(head: bytes, samples: int) -> bytes:
    def page(granule: int, data: bytes) -> bytes:
        return b"OggS\0\0" + granule.to_bytes(8, "little") + bytes(12) + b"\1" + bytes([len(data)]) + data

    return page(0, head) + page(48_000, bytes(50)) + page(samples, bytes(50))


def flac(samples: int) -> bytes:
    packed = 16_000 << 44 | 15 << 36 | samples
    return b"fLaC\0\0\0\x22" + bytes(10) + packed.to_bytes(8, "big") + bytes(16)


AAC = b"\xff\xf1\x4c\x80" + (100 << 5).to_bytes(2, "big") + b"\xfc" + bytes(93)
"""A frame of 100 bytes at 48 kHz: 1024 samples."""
ID3 = b"ID3\x04\0\0\0\0\1\x00" + b"\xff" * 128


@pytest.mark.parametrize(
    ("data", "kind", "seconds"),
    [
        (wav(61), "wav", 61),
        (wav(0), "wav", 0),
        (wav(2, size=0xFFFF_FFFF), "wav", 2),
        (wav(3, before=b"LIST\3\0\0\0abc\0"), "wav", 3),
        (wav(2)[:36], "wav", 0),
        (mp3(100), "mp3", 100 * 1152 / 44_100),
        (ID3 + mp3(10), "mp3", 10 * 1152 / 44_100),
        (mp3(5) + b"junk\xff\xfa" + mp3(5), "mp3", 10 * 1152 / 44_100),
        # MPEG 2, layer 3, 64 kbit/s, 24 kHz: 192 bytes and 576 samples a frame.
        (mp3(50, b"\xff\xf3\x84\x00", 192), "mp3", 50 * 576 / 24_000),
        # MPEG 1, layer 2, 192 kbit/s, 48 kHz: 576 bytes and 1152 samples a frame.
        (mp3(20, b"\xff\xfd\xa4\x00", 576), "mp3", 20 * 1152 / 48_000),
        (b"ID3\x04\0\0\0\0\0\0", "mp3", 0),
        (ogg(b"OpusHead\1\1" + bytes(9), 96_000), "ogg", 2),
        (ogg(b"\1vorbis" + bytes(4) + b"\1" + (16_000).to_bytes(4, "little") + bytes(14), 48_000), "ogg", 3),
        (ogg(b"Speex   ", 48_000), "ogg", None),
        (flac(40_000), "flac", 2.5),
        (flac(0), "flac", None),
        (AAC * 30, "aac", 30 * 1024 / 48_000),
        (b"\0\0\0\x18ftypM4A ", "mp4", None),
        (b"\x1a\x45\xdf\xa3" + bytes(20), "webm", None),
        (bytes(48_000), "", None),
        (b"", "", None),
    ],
)
def test_the_length_of_a_recording(data: bytes, kind: str, seconds: float | None) -> None:
    assert audio.container(data) == kind
    assert audio.seconds(data) == (None if seconds is None else pytest.approx(seconds))


MARKS = (b"RIFF\0\0\0\0WAVE", b"RIFF\0\0\0\0WAVEfmt \x10\0\0\0", b"OggS", b"fLaC", b"ID3", b"\xff\xfb\x90\0", AAC, b"")


@given(st.sampled_from(MARKS), st.binary(max_size=200))
def test_no_bytes_have_a_length_below_nothing(mark: bytes, rest: bytes) -> None:
    length = audio.seconds(mark + rest)
    assert length is None or length >= 0


def test_a_recording_of_many_hours_is_not_read_to_its_end() -> None:
    tiny = mp3(250_000, b"\xff\xf3\x14\x00", 24)
    assert audio.seconds(tiny) == pytest.approx(250_000 * 576 / 24_000, rel=0.001)


def test_noise_is_given_up_and_guessed() -> None:
    assert audio.seconds(b"ID3\x04\0\0\0\0\0\0" + b"\xff" * 320_000) == pytest.approx(20)


@pytest.mark.parametrize(("seconds", "tokens"), [(61, 1017), (60, 1000), (0.1, 17), (0, 0), (59.01, 1000)])
def test_sound_is_billed_by_the_second(seconds: float, tokens: int) -> None:
    assert audio.tokens(seconds) == tokens


# -- speech --------------------------------------------------------------------------------


def say(**fields: Any) -> bytes:
    return msgspec.json.encode({"model": "tts-1", "input": "Hello world", "voice": "alloy", **fields})


@pytest.mark.parametrize(
    ("fields", "stream"), [({}, False), ({"stream_format": "sse"}, True), ({"stream": True}, False)]
)
def test_speech_is_a_stream_where_events_are_asked_for(fields: dict[str, Any], stream: bool) -> None:
    seen = speech.FORMAT.peek(say(**fields), {})
    assert (seen.model, seen.stream) == ("tts-1", stream)


def test_speech_needs_a_model() -> None:
    with pytest.raises(CallerError) as error:
        speech.FORMAT.peek(b'{"input":"x"}', {})
    assert error.value.param == "model"


@pytest.mark.parametrize(
    ("fields", "tokens"), [({}, 11), ({"input": "你好"}, 2), ({"model": "gpt-4o-mini-tts"}, None), ({"input": ""}, 0)]
)
def test_characters_are_what_is_sold(fields: dict[str, Any], tokens: int | None) -> None:
    assert speech.FORMAT.prompt_tokens is not None
    assert speech.FORMAT.read_request is not None
    assert speech.FORMAT.prompt_tokens(say(**fields), {}) == tokens
    assert speech.FORMAT.read_request(say(**fields), {}).text == fields.get("input", "Hello world")


@pytest.mark.parametrize(
    ("sound", "tokens"),
    [
        (wav(2.5), 50),
        (mp3(100), 50),
        (b"ID3\x04\0\0\0\0\0\0", 0),
        (bytes(48_000 * 3), 50),
        (b"\x1a\x45\xdf\xa3" + bytes(1997), 3),
        (b"{" + bytes(48_000 - 1), 17),
    ],
)
def test_what_was_spoken_is_worked_out_from_its_length(sound: bytes, tokens: int) -> None:
    assert speech.FORMAT.read_usage(sound) == Usage(output_audio=tokens, source="estimate")


def test_silence_states_nothing() -> None:
    assert speech.FORMAT.read_usage(b"") is None


def test_an_error_is_no_sound() -> None:
    with pytest.raises(UpstreamError, match="No such voice"):
        speech.FORMAT.read_usage(b'{"error":{"message":"No such voice"}}')


def events(format: Format, stream: bytes) -> list[Event]:
    assert format.reader is not None
    reader, framer = format.reader(), SseFramer()
    found = [e for f in (*framer.feed(stream), *framer.close()) for e in reader.feed(f)] + list(reader.close())
    assert check(found) == []
    return found


SPOKEN = (
    b'data: {"type":"speech.audio.delta","audio":"aQ=="}\n\n'
    b'data: {"type":"speech.audio.done","usage":{"input_tokens":14,"output_tokens":101,"total_tokens":115}}\n\n'
)
HEARD = (
    b'data: {"type":"transcript.text.delta","delta":"I see"}\n\n'
    b'data: {"type":"transcript.text.done","text":"I see","usage":{"type":"tokens","input_tokens":14,'
    b'"input_token_details":{"text_tokens":0,"audio_tokens":14},"output_tokens":45,"total_tokens":59}}\n\n'
)


@pytest.mark.parametrize(
    ("format", "stream", "usage"),
    [
        (speech.FORMAT, SPOKEN, Usage(input=14, output=101)),
        (transcriptions.FORMAT, HEARD, Usage(input=14, output=45)),
        (transcriptions.FORMAT, HEARD + b"data: [DONE]\n\n", Usage(input=14, output=45)),
    ],
)
def test_streams_say_what_they_cost(format: Format, stream: bytes, usage: Usage) -> None:
    found = events(format, stream)
    assert [e.usage for e in found if isinstance(e, Metered)][-1] == usage
    assert not any(isinstance(e, Failed) for e in found)


@pytest.mark.parametrize("stream", [SPOKEN, HEARD])
def test_a_stream_cut_before_its_end_has_failed(stream: bytes) -> None:
    last = events(speech.FORMAT, stream[: stream.index(b"\n\n") + 2])[-1]
    assert isinstance(last, Failed)
    assert last.error.kind == "cut"


# -- transcripts -----------------------------------------------------------------------------


def form(*parts: multipart.Part) -> bytes:
    return multipart.build(parts, "B")


RECORDING = multipart.file("file", "a.wav", wav(61), "audio/wav")


@pytest.mark.parametrize(
    ("fields", "model", "stream"),
    [
        ({"model": "gpt-4o-transcribe", "stream": "true"}, "gpt-4o-transcribe", True),
        ({"model": "gpt-4o-transcribe", "stream": "false"}, "gpt-4o-transcribe", False),
        ({"model": "whisper-1", "stream": "true"}, "whisper-1", False),
        ({}, "whisper-1", False),
    ],
)
@pytest.mark.parametrize("format", [transcriptions.FORMAT, translations.FORMAT], ids=lambda f: f.name)
def test_what_is_asked_of_a_recording(format: Format, fields: dict[str, str], model: str, stream: bool) -> None:
    body = form(*(multipart.field(k, v) for k, v in fields.items()), RECORDING)
    seen = format.peek(body, FORM)
    assert (seen.model, seen.stream) == (model, stream)


@pytest.mark.parametrize(
    ("body", "params", "message"),
    [
        (b'{"model":"whisper-1"}', {"content-type": "application/json"}, "multipart"),
        (b'{"model":"whisper-1"}', {}, "multipart"),
        (form(multipart.field("model", "whisper-1")), FORM, "file is required"),
        (form(multipart.field("model", "whisper-1"), RECORDING)[:-8], FORM, "boundary"),
    ],
)
def test_no_recording_is_refused(body: bytes, params: dict[str, str], message: str) -> None:
    with pytest.raises(CallerError, match=message) as error:
        transcriptions.FORMAT.peek(body, params)
    assert error.value.status == 400


def test_the_form_goes_on_with_another_model() -> None:
    assert transcriptions.FORMAT.set_model is not None
    words = [multipart.field("timestamp_granularities[]", w) for w in ("word", "segment")]
    body = form(RECORDING, multipart.field("model", "old"), *words)
    written = transcriptions.FORMAT.set_model(body, FORM, "new")
    assert multipart.parse(written.body, written.content_type) == (multipart.field("model", "new"), RECORDING, *words)


def test_a_boundary_that_the_new_model_has_is_changed() -> None:
    assert transcriptions.FORMAT.set_model is not None
    written = transcriptions.FORMAT.set_model(form(RECORDING), FORM, "x--B")
    assert written.content_type == "multipart/form-data; boundary=B1"
    assert multipart.parse(written.body, written.content_type)[0].text == "x--B"


@pytest.mark.parametrize(
    ("parts", "tokens"),
    [
        ([RECORDING], 1017),
        ([RECORDING, RECORDING], 2034),
        ([multipart.file("file", "a.wav", wav(0))], 0),
        ([multipart.file("file", "a.mp3", mp3(100))], 50),
        ([multipart.file("file", "a.m4a", b"\0\0\0\x18ftyp" + bytes(160_000 - 8))], 167),
        ([multipart.field("file", "no file")], 0),
    ],
)
def test_recordings_are_billed_by_the_second(parts: list[multipart.Part], tokens: int) -> None:
    assert transcriptions.FORMAT.prompt_tokens is not None
    assert transcriptions.FORMAT.prompt_tokens(form(*parts), FORM) == tokens


@pytest.mark.parametrize(
    ("answer", "usage"),
    [
        (b'{"text":"hello"}', None),
        (b'{"text":"hello","usage":{"type":"duration","seconds":9}}', None),
        (b'{"text":"x","usage":{"input_tokens":14,"output_tokens":5,"total_tokens":19}}', Usage(input=14, output=5)),
        (b"1\n00:00:00,000 --> 00:00:01,000\nhello\n", None),
        (b"{hello} is what they said", None),
        (b"", None),
    ],
)
def test_usage_of_a_transcript(answer: bytes, usage: Usage | None) -> None:
    assert transcriptions.FORMAT.read_usage(answer) == usage


def test_an_error_is_no_transcript() -> None:
    with pytest.raises(UpstreamError, match="too short"):
        transcriptions.FORMAT.read_usage(b'{"error":{"message":"Audio file is too short"}}')
