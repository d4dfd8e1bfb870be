from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec

from newapi.config.jsonschema import json_schema


def test_it_prints_the_schema(newapi: Callable[..., Any]) -> None:
    code, out, err = newapi("schema")
    assert (code, err) == (0, "")
    assert msgspec.json.decode(out) == msgspec.to_builtins(json_schema())


def test_it_prints_the_openapi_document(newapi: Callable[..., Any]) -> None:
    from newapi.server.openapi import document

    code, out, err = newapi("schema", "--openapi")
    assert (code, err) == (0, "")
    assert msgspec.json.decode(out) == msgspec.json.decode(msgspec.json.encode(document()))
    assert "/api/channel/{id}" in document()["paths"]
