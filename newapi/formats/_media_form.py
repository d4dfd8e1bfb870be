"""Requests that come as JSON or as a form: their fields, read the same way. Shared by pictures and sound."""

from __future__ import annotations

from typing import Any

import msgspec

from newapi.base import multipart
from newapi.base.body import Body
from newapi.base.errors import CallerError
from newapi.base.multipart import Part
from newapi.formats.contract import Params, Written

_TRUE = frozenset(("1", "t", "true", "on", "yes"))


def is_form(params: Params) -> bool:
    """Return whether the body is `multipart/form-data`."""
    return params.get("content-type", "").lower().startswith("multipart/form-data")


class Fields:
    """The fields of a request, whichever way it came.

    Attributes:
        parts: Those of a form, in order; empty for JSON.
    """

    __slots__ = ("_body", "parts")

    def __init__(self, body: bytes, params: Params) -> None:
        """Read `body`.

        Raises:
            CallerError: It is neither a JSON object nor a form.
        """
        self.parts: tuple[Part, ...] = ()
        self._body: Body | None = None
        if is_form(params):
            self.parts = multipart.parse(body, params.get("content-type", ""))
        else:
            self._body = Body(body)

    def get(self, name: str) -> Any:
        """Return a field: decoded JSON, the text of a form's field, or None when it is absent."""
        if self._body is not None:
            return self._body.get(name)
        return next((p.text for p in self.parts if p.name == name and p.filename is None), None)

    def text(self, name: str, default: str = "") -> str:
        """Return a field that is text; `default` when it is absent or empty.

        Raises:
            CallerError: It is something else.
        """
        value = self.get(name)
        if value is None or value == "":
            return default
        if not isinstance(value, str):
            raise CallerError(f"{name} must be a string", param=name)
        return value

    def flag(self, name: str) -> bool:
        """Return a field that is true or false; false when it is absent."""
        value = self.get(name)
        return value.strip().lower() in _TRUE if isinstance(value, str) else value is True

    def files(self, name: str) -> list[Part]:
        """Return the files called `name`, or `name[…]` as some clients number them."""
        return [p for p in self.parts if p.filename is not None and (p.name == name or p.name.startswith(f"{name}["))]

    def rest(self, *known: str) -> dict[str, msgspec.Raw]:
        """Return JSON's other top-level fields as they came; none of a form."""
        body = self._body
        if body is None:
            return {}
        return {k: msgspec.Raw(body.raw(k) or b"null") for k in body if k not in known}


def set_model(body: bytes, params: Params, model: str) -> Written:
    """Return the request with `model` as its model: first in a form, whose other fields and files stay as they are.

    Raises:
        CallerError: The body is neither a form nor a JSON object.
    """
    if not is_form(params):
        edited = Body(body)
        edited.set("model", model)
        return Written(edited.encode())
    content_type = params.get("content-type", "")
    parts = [p for p in multipart.parse(body, content_type) if p.name != "model"]
    parts.insert(0, multipart.field("model", model))
    boundary = multipart.free_boundary(parts, multipart.boundary_of(content_type))
    return Written(multipart.build(parts, boundary), content_type=multipart.content_type_of(boundary))
