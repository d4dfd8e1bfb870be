from __future__ import annotations

import re
import tomllib
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from newapi.base.errors import ConfigError
from newapi.config.jsonschema import json_schema, manual
from newapi.config.load import load

EXAMPLE = (Path(__file__).parents[2] / "config.example.toml").read_text()
UNCOMMENTED = re.sub(r"(?m)^#(?=[a-z\[])", "", EXAMPLE)

TYPES = {"object": dict, "array": list, "string": str | date, "boolean": bool, "integer": int, "number": int | float}


def refused(value: Any, schema: dict[str, Any], path: str = "") -> list[str]:
    """Return the paths that a schema refuses; of JSON Schema it knows what ours use."""
    if "anyOf" in schema:
        return [] if any(not refused(value, s) for s in schema["anyOf"]) else [path]
    if "enum" in schema:
        return [] if value in schema["enum"] else [path]
    if "type" not in schema:
        return []
    if not isinstance(value, TYPES[schema["type"]]) or (isinstance(value, bool) and schema["type"] != "boolean"):
        return [path]
    if isinstance(value, str) and not re.search(schema.get("pattern", ""), value):
        return [path]
    if schema["type"] in ("integer", "number") and value < schema.get("minimum", value):
        return [path]
    found: list[str] = []
    if isinstance(value, list):
        for i, inner in enumerate(value):
            found += refused(inner, schema["items"], f"{path}[{i}]")
    if isinstance(value, dict):
        properties, more = schema.get("properties", {}), schema["additionalProperties"]
        found += [f"{path}.{k}" for k in schema.get("required", ()) if k not in value]
        for key, inner in value.items():
            if "propertyNames" in schema and key not in schema["propertyNames"]["enum"]:
                found.append(f"{path}.{key}")
            elif key in properties:
                found += refused(inner, properties[key], f"{path}.{key}")
            elif more is False:
                found.append(f"{path}.{key}")
            else:
                found += refused(inner, more, f"{path}.{key}")
    return found


@pytest.mark.parametrize("text", [EXAMPLE, UNCOMMENTED], ids=["example", "uncommented"])
def test_what_is_valid_fits_the_schema(text: str) -> None:
    assert refused(tomllib.loads(text), json_schema()) == []


@pytest.mark.parametrize(
    ("text", "path"),
    [
        ("[servr]", ".servr"),
        ("[limits]\nconnect_timeout = 10", ".limits.connect_timeout"),
        ('[limits]\nconnect_timeout = "10 sec"', ".limits.connect_timeout"),
        ('[limits]\nrequest_body = "1mb"', ".limits.request_body"),
        ("[models.a]\ninput = 1", ".models.a.input"),
        ("[routing]\nretries = -1", ".routing.retries"),
        ('[log]\nlevel = "loud"', ".log.level"),
        ('[channels.a]\ntype = "opneai"', ".channels.a.type"),
        ("[channels.a]\nmodels = []", ".channels.a.type"),
        ('[channels.a]\ntype = "openai"\nkey = "sk-1"', ".channels.a.key"),
        ('[channels.a]\ntype = "openai"\nkeys = ["sk-1"]', ".channels.a.keys[0]"),
        ('[channels.a]\ntype = "openai"\noptions = {}', ".channels.a.options"),
        ('[tokens.a]\nbudget = { year = "$1" }', ".tokens.a.budget.year"),
        ("[server]\nworkers = 'many'", ".server.workers"),
    ],
)
def test_what_is_not_valid_does_not(text: str, path: str) -> None:
    assert refused(tomllib.loads(text), json_schema()) == [path]
    with pytest.raises(ConfigError):
        load(Path("x.toml"), text)


def test_everything_is_described() -> None:
    undescribed = [
        f"{name}.{key}"
        for name, section in json_schema()["properties"].items()
        for key, value in section.get("properties", {}).items()
        if "description" not in value
    ]
    assert undescribed == []


def test_defaults_are_in_the_words_of_the_file() -> None:
    properties = json_schema()["properties"]
    assert properties["limits"]["properties"]["request_body"]["default"] == "128MiB"
    assert properties["limits"]["properties"]["connect_timeout"]["default"] == "10s"
    assert properties["health"]["properties"]["balance_every"]["default"] == ""
    assert properties["billing"]["properties"]["new_user_quota"]["default"] == "$0"
    assert properties["groups"]["additionalProperties"]["properties"]["ratio"]["default"] == 1


def test_the_manual_is_the_docstrings() -> None:
    assert manual()["TokenSpec"]["models"] == "Default: all of the group's."
    assert manual()["TokenSpec"][""].startswith("`[tokens.NAME]`")
