from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from newapi.ops.local import open_local
from tests.cli.commands.conftest import CONFIG
from tests.conftest import Ran

New = Callable[..., Ran]
SECRET = "sk-canary-1234567890"


@pytest.mark.parametrize(("place", "reference"), [("keyring", "keyring:openai"), ("database", "secret:openai")])
def test_what_is_kept_is_what_the_reference_resolves_to(newapi: New, config: Path, place: str, reference: str) -> None:
    done = newapi("secret", "set", "openai", "--in", place, stdin=SECRET + "\n")
    assert done == (0, reference + "\n", "")
    assert open_local(config).resolve(reference).reveal() == SECRET


def test_lines_are_kept(newapi: New, config: Path) -> None:
    newapi("secret", "set", "vertex", "--in", "database", stdin='{\n"a": 1\n}\n\n')
    assert open_local(config).resolve("secret:vertex").reveal() == '{\n"a": 1\n}\n'


def test_one_of_the_same_name_is_replaced(newapi: New, config: Path) -> None:
    for value in ("first", "second"):
        newapi("secret", "set", "a", "--in", "database", stdin=value)
    assert open_local(config).resolve("secret:a").reveal() == "second"


@pytest.mark.parametrize(
    ("argv", "stdin", "code"),
    [
        (("a",), "", 2),
        (("a b",), "x", 1),
        (("a", "--in", "cloud"), "x", 2),
        (("a", "--dry-run"), "x", 0),
        (("a", "value"), "x", 2),
    ],
)
def test_exit_codes_of_set(newapi: New, config: Path, argv: tuple[str, ...], stdin: str, code: int) -> None:
    done = newapi("secret", "set", *argv, stdin=stdin)
    assert done.code == code, done.err
    assert done.out == ""
    assert newapi("secret", "list").out == ""


@pytest.fixture
def several(newapi: New, config: Path) -> None:
    config.write_text(
        CONFIG.replace('"env:UPSTREAM_KEY"', '"secret:a"')
        + '\n[channels.second]\ntype = "openai"\nkeys = ["keyring:b", "keyring:c", "secret:gone"]\nmodels = ["my-model"]\n'
    )
    newapi("secret", "set", "a", "--in", "database", stdin=SECRET)
    newapi("secret", "set", "b", stdin=SECRET)


@pytest.mark.usefixtures("several")
def test_listing(newapi: New) -> None:
    assert newapi("secret", "list").out == (
        "a\tdatabase\tthere\tsecret:a\tchannels.main.key\n"
        "b\tkeyring\tthere\tkeyring:b\tchannels.second.keys.0\n"
        "c\tkeyring\tmissing\tkeyring:c\tchannels.second.keys.1\n"
        "gone\tdatabase\tmissing\tsecret:gone\tchannels.second.keys.2\n"
    )
    assert newapi("secret", "list", "-o", "ndjson").out.splitlines()[0] == (
        '{"name":"a","where":"database","reference":"secret:a","present":true,"used_by":["channels.main.key"]}'
    )


def test_listing_while_the_file_is_being_edited(newapi: New, config: Path) -> None:
    newapi("secret", "set", "a", "--in", "database", stdin=SECRET)
    config.write_text(CONFIG + "\n[channels.bad]\nkind = 1\n")
    done = newapi("secret", "list")
    assert (done.code, done.out) == (0, "a\tdatabase\tthere\tsecret:a\t\n")
    assert "not valid" in done.err


@pytest.mark.usefixtures("several")
def test_deleting(newapi: New) -> None:
    assert newapi("secret", "delete", "a").code == 7
    assert "channels.main.key" in newapi("secret", "delete", "a", "--dry-run").err
    assert newapi("secret", "delete", "a", "--in", "keyring", "--yes").code == 5
    assert newapi("secret", "delete", "a", "--yes")[:2] == (0, "")
    assert newapi("secret", "delete", "b", "--yes").code == 0
    assert newapi("secret", "delete", "b", "--yes").code == 5
    assert "there\t" not in newapi("secret", "list").out
