from __future__ import annotations

import math
import tomllib
from pathlib import Path

import pytest
import tomlkit
from hypothesis import given
from hypothesis import strategies as st

from newapi.config.layout import canonical

UNTIDY = """\


version=1
  include = [ 'a.toml' , "b.toml",]
[ server ]   # the process

  listen='127.0.0.1:3000' # here
#workers = 2
[groups . "vip"]
ratio_for={default=0.9,"x y"=1}


[channels.'a b']
models=[ # all
 # first
 "a",   # one
 "b", [1,2], { a=[
1]},

]
text = \"\"\"
  # not a comment
[no]
\"\"\"
a."b".'c d'=  0x10
headers = {  }
none = [
]
[[channels."a b".param_operations]]
mode='it"s'"""

TIDY = """\
version = 1
include = ["a.toml", "b.toml"]

[server]                               # the process
listen = "127.0.0.1:3000"              # here

#workers = 2
[groups.vip]
ratio_for = { default = 0.9, "x y" = 1 }

[channels."a b"]
models = [
    # all
    # first
    "a",                               # one
    "b",
    [1, 2],
    { a = [
        1,
    ] },
]
text = \"\"\"
  # not a comment
[no]
\"\"\"
a.b."c d" = 0x10
headers = {}
none = []

[[channels."a b".param_operations]]
mode = 'it"s'
"""


def test_the_layout() -> None:
    assert canonical(UNTIDY) == TIDY


def test_the_example_is_laid_out() -> None:
    text = (Path(__file__).parents[2] / "config.example.toml").read_text()
    assert canonical(text) == text


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("", ""),
        ("\n\n", ""),
        ("# only\n", "# only\n"),
        ("a=1\r\n\r\n\r\n[b]\r\nc=2", "a = 1\n\n[b]\nc = 2\n"),
        ("a=1\n# of b\n[b]", "a = 1\n\n# of b\n[b]\n"),
        ("[a]\n\n# of b\n\n[b]\n", "[a]\n\n# of b\n\n[b]\n"),
        ("a = ''", 'a = ""\n'),
        ("a = '\\d'", "a = '\\d'\n"),
        ("a = 1979-05-27 07:32:00 # c", "a = 1979-05-27 07:32:00                # c\n"),
        (f'a = ["{"x" * 60}", "{"y" * 60}"]', f'a = [\n    "{"x" * 60}",\n    "{"y" * 60}",\n]\n'),
        ('a = """x""""', 'a = """x""""\n'),
        ("a = [{b = 1}, # c\n]", "a = [\n    { b = 1 },                         # c\n]\n"),
        ('"" = 1\n"a.b" = 2', '"" = 1\n"a.b" = 2\n'),
    ],
)
def test_small_ones(before: str, after: str) -> None:
    assert canonical(before) == after
    assert canonical(after) == after


def test_what_is_not_toml() -> None:
    with pytest.raises(tomllib.TOMLDecodeError):
        canonical("a = ")


_NAMES = st.text(st.sampled_from("ab-_. \"'\\é#=[]"), max_size=5)
_TEXT = st.text(st.characters(codec="utf-8", exclude_characters="\r"), max_size=12)
_PLAIN = st.one_of(st.booleans(), st.integers(-(2**53), 2**53), st.floats(allow_nan=False, allow_infinity=False), _TEXT)
_VALUES = st.recursive(_PLAIN, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(_NAMES, inner, max_size=3))
_COMMENTS = st.lists(st.text(st.characters(codec="utf-8", exclude_categories=["C"]), max_size=8), max_size=2)


@given(st.dictionaries(_NAMES, _VALUES, max_size=5), _COMMENTS)
def test_what_it_says_stays_and_twice_is_once(values: dict[str, object], comments: list[str]) -> None:
    text = tomlkit.dumps(values) + "".join(f"  #{c}\n" for c in comments)
    once = canonical(text)
    assert tomllib.loads(once) == tomllib.loads(text)
    assert canonical(once) == once
    for comment in comments:
        assert f"#{comment}".rstrip() in once


_PIECES = st.sampled_from(
    ["a", "b = 1", "'c d'=[1,\n2]", "# x", "\n", "\n\n", " ", "\t", "[t]", "[[u]]", "[t.v]", "e = '''\n#'''", "f={g=1}"]
)


@given(st.lists(_PIECES, max_size=12))
def test_any_document(pieces: list[str]) -> None:
    text = "\n".join(pieces)
    try:
        said = tomllib.loads(text)
    except tomllib.TOMLDecodeError:
        return
    once = canonical(text)
    assert tomllib.loads(once) == said
    assert canonical(once) == once
    assert once.count("# x") == text.count("# x")
    assert "\n\n\n" not in once


def test_what_is_not_a_number() -> None:
    assert math.isnan(tomllib.loads(canonical("a=nan"))["a"])
