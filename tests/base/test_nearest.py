from __future__ import annotations

import pytest

from newapi.base.nearest import did_you_mean, nearest

KEYS = ("base_url", "weight", "key_choice", "key_concurrency", "api_version")


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("wieght", "weight"),
        ("WEIGHT", "weight"),
        ("api-version", "api_version"),
        ("apiVersion", "api_version"),
        ("url", "base_url"),
        ("key", ""),  # two begin with it
        ("colour", ""),
        ("", ""),
    ],
)
def test_what_was_meant(name: str, expected: str) -> None:
    assert nearest(name, KEYS) == expected


def test_the_name_is_told_as_it_is_written() -> None:
    assert nearest("openai", ["OpenAI", "Anthropic"]) == "OpenAI"


def test_the_end_of_a_message() -> None:
    assert did_you_mean("wieght", KEYS) == "; did you mean 'weight'?"
    assert did_you_mean("colour", KEYS) == ""
