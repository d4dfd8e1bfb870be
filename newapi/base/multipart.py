"""Bodies of the type `multipart/form-data`: taken apart and put together, files as the bytes they are.

Sources: https://datatracker.ietf.org/doc/html/rfc7578 and https://datatracker.ietf.org/doc/html/rfc2046#section-5.1
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from urllib.parse import unquote

from msgspec import Struct

from newapi.base.errors import CallerError

MAX_PARTS = 1000
"""Parts a body may have; forms have a dozen, and a body of nothing but delimiters does not eat the memory."""

_PARAMETER = re.compile(r';\s*([^\s;="]+)\s*=\s*("(?:[^"\\]|\\.)*"|[^;]*)', re.DOTALL)
_ESCAPE = re.compile(r'\\(["\\])')
_TOKEN = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]+")


class Part(Struct, frozen=True):
    """One field or file of a form.

    Attributes:
        name: The field's name.
        data: The value's bytes.
        filename: None for a field that is not a file.
        content_type: The part's own, "" when it was not said.
        head: The part's header lines as they came, without the blank line. They are what `build` writes.
    """

    name: str
    data: bytes
    filename: str | None = None
    content_type: str = ""
    head: bytes = b""

    @property
    def text(self) -> str:
        """The value as text; what is not UTF-8 is replaced."""
        return self.data.decode("utf-8", "replace")


def field(name: str, value: str) -> Part:
    """Return a plain field."""
    return Part(name, value.encode(), head=_disposition(name))


def file(name: str, filename: str, data: bytes, content_type: str = "application/octet-stream") -> Part:
    """Return a file."""
    head = b'%s; filename="%s"\r\nContent-Type: %s' % (_disposition(name), _quoted(filename), content_type.encode())
    return Part(name, data, filename, content_type, head)


def boundary_of(content_type: str) -> str:
    """Return the boundary that a header `content-type` names.

    Raises:
        CallerError: It is not `multipart/form-data`, or names none.
    """
    if content_type.partition(";")[0].strip().lower() != "multipart/form-data":
        raise CallerError("the request Content-Type isn't multipart/form-data")
    boundary = _parameters(content_type).get("boundary", "")
    if not boundary or len(boundary) > 70 or not boundary.isascii():
        raise CallerError("no multipart boundary in the Content-Type")
    return boundary


def parse(body: bytes, content_type: str) -> tuple[Part, ...]:
    """Return the parts of `body` in order.

    Args:
        body: The whole body.
        content_type: The header that names the boundary.

    Raises:
        CallerError: The body is not a form, was cut short, or has more than `MAX_PARTS` parts.
    """
    mark = b"--" + boundary_of(content_type).encode()
    at, after, last = _delimiter(body, mark, 0)
    parts: list[Part] = []
    while not last:
        if len(parts) == MAX_PARTS:
            raise CallerError(f"the form has more than {MAX_PARTS} parts")
        # Headers end with an empty line; a part without headers begins with it.
        end = after - 2 if body.startswith(b"\r\n", after) else body.find(b"\r\n\r\n", after)
        at, next_after, last = _delimiter(body, mark, after)
        if end < 0 or end + 2 > at:
            raise CallerError("a part of the form has no end of its headers")
        parts.append(_part(body[after : max(after, end)], body[end + 4 : max(end + 4, at)]))
        after = next_after
    return tuple(parts)


def build(parts: Iterable[Part], boundary: str) -> bytes:
    """Return `parts` as a body.

    Args:
        parts: Fields and files, in order.
        boundary: Must appear in none of them; `free_boundary` finds one.
    """
    mark = b"--" + boundary.encode()
    out: list[bytes] = []
    for part in parts:
        out += (mark, b"\r\n", part.head, b"\r\n\r\n", part.data, b"\r\n")
    return b"".join((*out, mark, b"--\r\n"))


def free_boundary(parts: Iterable[Part], wish: str) -> str:
    """Return `wish`, or `wish` with a number after it where one of the parts has it in its bytes."""
    parts = tuple(parts)
    boundary, number = wish, 0
    while any(b"--" + boundary.encode() in p.data for p in parts):
        number += 1
        boundary = f"{wish[:60]}{number}"
    return boundary


def content_type_of(boundary: str) -> str:
    """Return the header `content-type` of a body built with `boundary`."""
    return f"multipart/form-data; boundary={boundary if _TOKEN.fullmatch(boundary) else _quote(boundary)}"


def _delimiter(body: bytes, mark: bytes, start: int) -> tuple[int, int, bool]:
    """Return where the next delimiter line begins (its CRLF included), where it ends, and whether it is the last."""
    at = start
    while (at := body.find(mark, at)) >= 0:
        after = at + len(mark)
        if at == 0 or body.startswith(b"\r\n", at - 2):
            if body.startswith(b"--", after):
                return max(at - 2, 0), after + 2, True
            while body[after : after + 1] in (b" ", b"\t"):
                after += 1
            if body.startswith(b"\r\n", after):
                return max(at - 2, 0), after + 2, False
        at += len(mark)
    raise CallerError("the form ends before its last boundary")


def _part(head: bytes, data: bytes) -> Part:
    name, filename, content_type = None, None, ""
    for line in head.split(b"\r\n"):
        key, _, value = line.decode("utf-8", "replace").partition(":")
        match key.strip().lower():
            case "content-disposition":
                parameters = _parameters(value)
                name, filename = parameters.get("name"), parameters.get("filename")
                # RFC 5987: the charset, the language and the percent-encoded text.
                charset, _, encoded = parameters.get("filename*", "").partition("'")
                if charset.lower() == "utf-8":
                    filename = unquote(encoded.partition("'")[2])
            case "content-type":
                content_type = value.strip()
            case _:
                pass
    if name is None:
        raise CallerError("a part of the form has no name")
    return Part(name, data, filename, content_type, head)


def _parameters(header: str) -> dict[str, str]:
    out: dict[str, str] = {}
    # A header value begins with a word; the pattern begins with the semicolon after it.
    for key, value in _PARAMETER.findall(header):
        value = value.strip()
        if len(value) >= 2 and value.startswith('"') and value.endswith('"'):
            value = _ESCAPE.sub(r"\1", value[1:-1])
        out.setdefault(key.lower(), value)
    return out


def _disposition(name: str) -> bytes:
    return b'Content-Disposition: form-data; name="%s"' % _quoted(name)


def _quoted(text: str) -> bytes:
    return _quote(text)[1:-1].encode()


def _quote(text: str) -> str:
    # A line break would begin another header; browsers write it like this too.
    text = text.replace("\\", "\\\\").replace('"', '\\"').replace("\r", "%0D").replace("\n", "%0A")
    return f'"{text}"'
