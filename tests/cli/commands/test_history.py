from __future__ import annotations

from pathlib import Path

from tests.cli.commands.conftest import CONFIG, Run


def test_generations_the_latest_first(run: Run, config: Path) -> None:
    assert run("history").out == ""
    run("apply", "--yes", "--source", "first")
    config.write_text(CONFIG.replace("ratio = 0.8", "ratio = 0.5"))
    run("apply", "--yes")
    rows = [line.split("\t") for line in run("history").out.splitlines()]
    assert [(r[0], r[3], r[4]) for r in rows] == [("2 *", "", "+0 ~1 -0"), ("1", "first", "+4 ~0 -0")]
    assert len(run("history", "--limit", "1").out.splitlines()) == 1
    items = run("history", "-o", "json").json()["items"]
    assert isinstance(items, list)
    assert [(i["number"], i["current"]) for i in items] == [(2, True), (1, False)]


def test_what_one_of_them_changed(run: Run) -> None:
    run("apply", "--yes")
    assert run("history", "1").out.startswith("+ groups.vip\n")
    assert run("history", "5").code == 5


def test_it_works_while_the_file_is_being_edited(run: Run, config: Path) -> None:
    run("apply", "--yes")
    config.write_text(CONFIG + "\n[channels.broken]\nnonsense = 1\n")
    assert run("diff").code == 2
    assert run("history").code == 0
    assert run("token", "list").code == 0
