"""The SSE framer: line ends, cuts, comments, the forgotten blank line."""

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from newapi.base.errors import UpstreamError
from newapi.frames import sse
from newapi.frames.sse import Frame, SseFramer

CASES = {
    "one": (b"data: a\n\n", [Frame("", b"a")]),
    "no space": (b"data:a\n\n", [Frame("", b"a")]),
    "named": (b"event: x\ndata: a\n\n", [Frame("x", b"a")]),
    "crlf": (b"event: x\r\ndata: a\r\n\r\ndata: b\r\n\r\n", [Frame("x", b"a"), Frame("", b"b")]),
    "cr": (b"data: a\r\rdata: b\r\r", [Frame("", b"a"), Frame("", b"b")]),
    "two lines": (b"data: a\ndata: b\n\n", [Frame("", b"a\nb")]),
    "comment": (b": PING\n\ndata: a\n\n: PING\n\n", [Frame("", b"a")]),
    "id and retry": (b"id: 1\nretry: 5\ndata: a\n\n", [Frame("", b"a")]),
    "event without data": (b"event: x\n\ndata: a\n\n", [Frame("", b"a")]),
    "no blank line at the end": (b"data: a\n\ndata: b", [Frame("", b"a"), Frame("", b"b")]),
    "empty data": (b"data:\n\n", [Frame("", b"")]),
    "utf-8": ("data: é✓\n\n".encode(), [Frame("", "é✓".encode())]),
}


def frames(*pieces: bytes) -> list[Frame]:
    framer = SseFramer()
    out = [f for piece in pieces for f in framer.feed(piece)]
    return [*out, *framer.close()]


@pytest.mark.parametrize(("raw", "expected"), CASES.values(), ids=CASES.keys())
def test_frames(raw: bytes, expected: list[Frame]) -> None:
    assert frames(raw) == expected


@pytest.mark.parametrize("raw", [c[0] for c in CASES.values()], ids=CASES.keys())
@given(data=st.data())
def test_where_it_is_cut_does_not_matter(raw: bytes, data: st.DataObject) -> None:
    cuts = sorted(data.draw(st.lists(st.integers(0, len(raw)), max_size=9)))
    assert frames(*(raw[a:b] for a, b in itertools.pairwise([0, *cuts, len(raw)]))) == frames(raw)


@given(st.text(st.characters(exclude_characters="\r\n", exclude_categories=["Cs"])), st.sampled_from(["", "x", "a.b"]))
def test_what_is_written_is_read(text: str, event: str) -> None:
    assert frames(sse.write(text.encode(), event)) == [Frame(event, text.encode())]


def test_an_event_that_never_ends_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sse, "MAX_FRAME", 10)
    with pytest.raises(UpstreamError) as caught:
        SseFramer().feed(b"data: 0123456789")
    assert caught.value.kind == "malformed"
