from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from newapi.tui.widgets.filter import Filter, FilterError, Kind, parse, quoted

FIELDS: dict[str, Kind] = {
    "name": "text",
    "model": "text",
    "groups": "text",
    "state": "text",
    "priority": "number",
    "first": "ms",
    "age": "seconds",
    "cost": "usd",
    "errors": "share",
}
ROWS = {
    "main": {
        "name": "OpenAI-Main",
        "model": "gpt-4o",
        "groups": ["default", "vip"],
        "state": "up",
        "priority": 10,
        "first": 340.0,
        "age": 90.0,
        "cost": 4.2,
        "errors": 0.018,
    },
    "spare": {
        "name": "spare of mine",
        "model": "deepseek:free",
        "groups": [],
        "state": "resting",
        "priority": 12_000,
        "first": 5200.0,
        "age": None,
        "cost": 0.0,
        "errors": 0.5,
    },
    "off": {"name": "off", "model": "a*b", "state": "disabled"},
}


def found(text: str, fields: dict[str, Kind] = FIELDS) -> list[str]:
    wanted = parse(text, fields)
    return [key for key, row in ROWS.items() if wanted.matches(row.get)]  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("text", "keys"),
    [
        ("", ["main", "spare", "off"]),
        ("   ", ["main", "spare", "off"]),
        ("openai", ["main"]),
        ("OPENAI", ["main"]),
        ("!openai", ["spare", "off"]),
        ("vip", ["main"]),
        ("12000", ["spare"]),
        ("model:gpt", ["main"]),
        ("model:gpt*", ["main"]),
        ("model:*4o", ["main"]),
        ("model:4*", []),
        ("model=gpt", []),
        ("model=gpt-4o", ["main"]),
        ("model=gpt*", ["main"]),
        ("model:GPT-??", ["main"]),
        ("model:[ag]*", ["main", "off"]),
        ("!model:gpt*", ["spare", "off"]),
        ("!model=gpt", ["main", "spare", "off"]),
        ("state:resting,disabled", ["spare", "off"]),
        ("state=up,resting", ["main", "spare"]),
        ("groups:vip", ["main"]),
        ("groups:", ["spare", "off"]),
        ("!groups:", ["main"]),
        ("st:up", ["main"]),
        ("priority>10", ["spare"]),
        ("priority>=10", ["main", "spare"]),
        ("priority<12k", ["main"]),
        ("priority:10", ["main"]),
        ("priority=10,12000", ["main", "spare"]),
        ("priority:", ["off"]),
        ("!priority>10", ["main", "off"]),
        ("first>1s", ["spare"]),
        ("first>340ms", ["spare"]),
        ("first>=340ms", ["main", "spare"]),
        ("first<341", ["main"]),
        ("age<2m", ["main"]),
        ("age<1h30m", ["main"]),
        ("cost>$1", ["main"]),
        ("cost>=0", ["main", "spare"]),
        (">$1", ["main"]),
        (">5s", ["main", "spare"]),
        ("!>1h", ["main", "spare", "off"]),
        (">10%", ["spare"]),
        ("errors<5", ["main"]),
        ("errors<5%", ["main"]),
        ('"of mine"', ["spare"]),
        ('name:"of mine"', ["spare"]),
        ('"deepseek:free"', ["spare"]),
        ('model:"a*b"', ["off"]),
        ('model="a*b"', ["off"]),
        ('model:"*"', ["off"]),
        ('model:a"*"?', ["off"]),
        ("openai state:up first<1s", ["main"]),
        ("openai state:resting", []),
    ],
)
def test_what_a_filter_finds(text: str, keys: list[str]) -> None:
    assert found(text) == keys


@pytest.mark.parametrize(
    ("text", "message", "marked"),
    [
        ('name:"x', "not closed", '"x'),
        ("!", "after `!`", "!"),
        ('""', "between the quotes", '""'),
        ("a modle:x", "There is no field modle: did you mean model?", "modle:x"),
        ("http://x", 'in quotes: "http://x"', "http://x"),
        ("zzz:x", "there are name, model", "zzz:x"),
        ("cost>", "Write a number after `>`", "cost>"),
        ("cost>abc", "'abc' is no number", "cost>abc"),
        ("cost>5s", "cost has dollars, not 5s", "cost>5s"),
        ("first>$5", "first has durations, not $5", "first>$5"),
        ("priority>5%", "priority has plain numbers, not 5%", "priority>5%"),
        ("model>5", "model is no number: write model:5", "model>5"),
        (">5", "Which field? write priority>5", ">5"),
        ("priority:x", "'x' is no number", "priority:x"),
    ],
)
def test_what_is_none_is_told(text: str, message: str, marked: str) -> None:
    with pytest.raises(FilterError) as caught:
        parse(text, FIELDS)
    assert message in str(caught.value)
    assert text[caught.value.start : caught.value.end] == marked


def test_a_field_that_may_be_several() -> None:
    with pytest.raises(FilterError, match="e may be errors or endpoint"):
        parse("e:x", {"errors": "share", "endpoint": "text"})


def test_nothing_here_has_that_unit() -> None:
    with pytest.raises(FilterError, match="Nothing here is measured as 5s is"):
        parse(">5s", {"name": "text"})


def test_it_knows_what_was_typed() -> None:
    assert not parse(" ", FIELDS)
    assert parse(" a  b ", FIELDS).text == "a  b"


@given(st.text(st.sampled_from('ab:=<>!"*?[]$%,.5smk \0'), max_size=14))
def test_whatever_is_typed_is_a_filter_or_told(text: str) -> None:
    told: FilterError | None = None
    wanted = Filter()
    try:
        wanted = parse(text, FIELDS)
    except FilterError as error:
        told = error
    if told is not None:
        assert 0 <= told.start < told.end <= len(text)
        assert str(told)
    for row in ROWS.values():
        assert wanted.matches(row.get) in (True, False)  # type: ignore[arg-type]


@given(st.text(st.characters(exclude_characters='"'), min_size=1, max_size=12))
def test_what_stands_in_quotes_means_itself(text: str) -> None:
    wanted = parse(f'"{text}"', {"name": "text"})
    assert wanted.matches({"name": f"<{text}>"}.get)
    assert not wanted.matches({"name": ""}.get)
    assert not parse(f'!"{text}"', {"name": "text"}).matches({"name": text}.get)


@given(st.text(max_size=12) | st.text(st.sampled_from('ab:=<>!"*?[],. \0'), max_size=8))
def test_what_is_quoted_means_just_it(text: str) -> None:
    fields: dict[str, Kind] = {"name": "text"}
    assert parse(f"name={quoted(text)}", fields).matches({"name": text}.get)
    assert not parse(f"name={quoted(text)}", fields).matches({"name": f"{text}b"}.get)
    assert not text or parse(quoted(text), fields).matches({"name": text}.get)


@pytest.mark.parametrize(
    ("text", "word"),
    [("gpt-4.1", "gpt-4.1"), ("a/b@1", "a/b@1"), ("llama3:8b", '"llama3:8b"'), ("a b", '"a b"'), ('a"b', '"a"?"b"')],
)
def test_quotes_stand_where_there_are_signs(text: str, word: str) -> None:
    assert quoted(text) == word


@given(st.text(st.sampled_from("abc-4"), min_size=1, max_size=8), st.integers(0, 8))
def test_a_pattern_of_what_is_there_finds_it(text: str, at: int) -> None:
    wanted = parse(f"name={text[:at]}*{text[at + 1 :]}", {"name": "text"})
    assert wanted.matches({"name": text}.get)
