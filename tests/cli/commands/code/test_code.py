"""Redemption codes: made, listed without themselves, redeemed once, deleted."""

from __future__ import annotations

import io
import re
import sys
from typing import Any

import pytest

from tests.cli.commands.conftest import Run

CODE = re.compile(r"[0-9a-f]{32}")


def items(run: Run, *argv: str) -> Any:
    return run(*argv, "-o", "json").json()["items"]


def redeem(run: Run, monkeypatch: pytest.MonkeyPatch, code: str, *argv: str) -> Any:
    monkeypatch.setattr(sys, "stdin", io.StringIO(code + "\n"))
    return run("code", "redeem", "-", *argv)


def test_the_life_of_a_code(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    made = run("code", "create", "spring", "--quota", "$10", "--count", "3", "--expires", "30d", "-o", "csv")
    head, *codes = made.out.splitlines()
    assert (made.code, head, len(codes)) == (0, "code", 3)
    assert all(CODE.fullmatch(code) for code in codes)
    listed = run("code", "list")
    assert not CODE.search(listed.out)
    assert codes[0][-4:] in listed.out
    assert {code["code"] for code in items(run, "code", "list", "--reveal")} == set(codes)

    before = run("user", "get", "root", "-o", "json").json()
    done = redeem(run, monkeypatch, codes[0])
    assert (done.code, done.err) == (0, "root has $10.00 more.\n")
    assert run("user", "get", "root", "-o", "json").json()["quota"] == before["quota"] + 5_000_000  # type: ignore[operator]
    assert redeem(run, monkeypatch, codes[0]).code == 1
    assert redeem(run, monkeypatch, codes[1], "--user", "nobody").code == 5
    assert redeem(run, monkeypatch, codes[1], "--dry-run").err == "Would redeem a code for root.\n"
    assert [code["state"] for code in items(run, "code", "list", "--state", "used")] == ["used"]

    assert run("code", "delete").code == 2
    assert run("code", "delete", "--spent").code == 7
    assert run("code", "delete", "--spent", "--yes").err == "Deleted 1.\n"
    left = [str(code["id"]) for code in items(run, "code", "list")]
    assert run("code", "delete", left[0], "99", "--yes").code == 5
    assert len(items(run, "code", "list")) == 2, "all or none"
    assert run("code", "delete", *left, "--yes").err == "Deleted 2.\n"


@pytest.mark.parametrize(
    "argv", [["--quota", "ten"], ["--quota", "$1", "--count", "0"], ["--quota", "$1", "--expires", "x"]]
)
def test_what_makes_no_sense(run: Run, argv: list[str]) -> None:
    assert run("code", "create", *argv).code == 2


def test_nothing_is_made_on_a_dry_run(run: Run) -> None:
    assert run("code", "create", "--quota", "$1", "--dry-run").err == "Would make 1 of $1.\n"
    assert items(run, "code", "list") == []
