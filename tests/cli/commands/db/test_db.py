from __future__ import annotations

import sqlite3
import time
from pathlib import Path

import pytest

from newapi.ops.local import Local, open_local
from newapi.store import audit, clock, maintenance
from newapi.store.ledger import UsageRecord, write_record
from newapi.store.migrations import steps
from newapi.store.models import Token
from tests.cli.commands.conftest import Run

DAY = 86_400
LATEST = steps()[-1][0]


@pytest.fixture
def ready(run: Run) -> Run:
    """A database with the token `ci`, and a line of the log for each of 1, 40 and 100 days ago."""
    assert run("apply", "--yes").code == 0
    db = open_local().db
    for days in (1, 40, 100):
        write_record(db, UsageRecord(f"r{days}", time.time() - days * DAY))
    return run


def names(run: Run) -> str:
    return run("token", "list", "-o", "name").out


def test_what_is_in_it(ready: Run, config: Path) -> None:
    done = ready("db", "status")
    assert done.code == 0, done.err
    lines = done.out.splitlines()
    assert lines[:3] == [
        f"database\tsqlite:///{config.parent / 'test.db'}",
        f"schema\t{LATEST} of {LATEST}",
        "generation\t1",
    ]
    assert {"tokens\t1", "records\t3", "channels\t1", "users\t1"} <= set(lines)
    found = ready("db", "status", "-o", "json").json()
    assert isinstance(found["rows"], dict)
    assert isinstance(found["bytes"], int)
    assert (found["dialect"], found["schema"], found["rows"]["groups"]) == ("sqlite", LATEST, 1)
    assert found["bytes"] > 0


def test_a_sound_one(ready: Run) -> None:
    done = ready("db", "check")
    assert (done.code, done.out) == (0, "files\ttrue\t\ncontents\ttrue\t\nowners\ttrue\t\n")


def test_what_does_not_fit_together(ready: Run, local: Local) -> None:
    with local.db.writing() as c:
        Token.update(user_id=77).execute(c)
    done = ready("db", "check", "-o", "json")
    assert done.code == 8
    assert done.json()["items"] == [
        {"name": "files", "ok": True, "problem": ""},
        {"name": "contents", "ok": True, "problem": ""},
        {"name": "owners", "ok": False, "problem": "token 'ci' has no owner"},
    ]
    with local.db.writing() as c:
        Token.update(spec="{").execute(c)
    assert "token 'ci'" in ready("db", "check").out.splitlines()[1]


def test_saved_and_put_back(ready: Run, local: Local, tmp_path: Path) -> None:
    file = tmp_path / "saved.db"
    done = ready("db", "backup", str(file), "-o", "json")
    assert (done.code, done.json()) == (0, {"file": str(file), "bytes": file.stat().st_size})
    assert file.stat().st_mode & 0o777 == 0o600
    assert ready("token", "delete", "ci", "--yes").code == 0
    for number in range(5):
        assert ready("token", "create", f"t{number}", "--unlimited").code == 0
    epoch = clock.generation(local.db)
    assert ready("db", "restore", str(file)).code == 7
    assert ready("db", "restore", str(file), "-n").code == 0
    assert "ci" not in names(ready)
    done = ready("db", "restore", str(file), "--yes")
    assert done.code == 0, done.err
    assert names(ready) == "ci\n"
    assert clock.generation(local.db) > epoch, "running servers read again when it grows"
    saved = next(tmp_path.glob("test.db.*.bak"))
    with sqlite3.connect(saved) as before:
        assert before.execute("SELECT COUNT(*) FROM tokens").fetchone() == (5,)
    before.close()
    assert ready("db", "check").code == 0


def test_a_file_that_is_there(ready: Run, tmp_path: Path) -> None:
    file = tmp_path / "saved.db"
    file.write_text("mine")
    assert ready("db", "backup", str(file)).code == 7
    assert ready("db", "backup", str(file), "-n").code == 0
    assert file.read_text() == "mine"
    assert ready("db", "backup", str(file), "--yes").code == 0
    assert maintenance.check_backup(file) == LATEST
    assert ready("db", "backup", str(tmp_path / "test.db"), "--yes").code == 6
    assert ready("db", "backup", str(tmp_path / "no/such/folder.db")).code == 1
    assert [path.name for path in tmp_path.iterdir() if path.name.startswith(".saved")] == []


@pytest.mark.parametrize(
    "sql",
    ["CREATE TABLE other (id)", f"CREATE TABLE schema_version (version); INSERT INTO schema_version VALUES ({LATEST})"],
    ids=["another program's", "half a one"],
)
def test_what_is_no_backup(ready: Run, tmp_path: Path, sql: str) -> None:
    file = tmp_path / "other.db"
    with sqlite3.connect(file) as other:
        other.executescript(sql)
    other.close()
    done = ready("db", "restore", str(file), "--yes")
    assert (done.code, "is no backup of newapi" in done.err) == (1, True)
    assert names(ready) == "ci\n"
    assert list(tmp_path.glob("test.db.*.bak")) == []


def test_a_backup_of_a_newer_version(ready: Run, tmp_path: Path) -> None:
    file = tmp_path / "newer.db"
    assert ready("db", "backup", str(file)).code == 0
    with sqlite3.connect(file) as newer:
        newer.execute("UPDATE schema_version SET version = 9999")
    newer.close()
    done = ready("db", "restore", str(file), "--yes")
    assert (done.code, "update newapi" in done.err) == (1, True)
    file.write_bytes(b"text, not a database" * 100)
    assert ready("db", "restore", str(file), "--yes").code == 1
    assert ready("db", "restore", str(tmp_path / "none.db"), "--yes").code == 5
    assert not (tmp_path / "none.db").exists()
    assert ready("db", "restore", str(tmp_path / "test.db"), "--yes").code == 1


def test_old_lines_are_deleted(ready: Run) -> None:
    assert ready("db", "prune").code == 7
    assert ready("db", "prune", "-n").err.startswith("Would delete 2 lines of the log from before ")
    assert ready("db", "prune", "--older-than", "90d", "--yes", "--vacuum").err == "Deleted 1 lines of the log.\n"
    assert ready("db", "prune", "--yes").err == "Deleted 1 lines of the log.\n"
    assert ready("db", "prune").err == "Deleted 0 lines of the log.\n"
    assert ready("logs", "-o", "json").out.count('"request_id"') == 1
    assert ready("db", "prune", "--older-than", "old").code == 2


def test_a_log_that_is_kept(ready: Run, config: Path) -> None:
    config.write_text(config.read_text() + "\n[log]\nkeep_days = 0\n")
    assert ready("db", "prune", "--yes").code == 2


def test_tables_that_are_up_to_date(ready: Run, local: Local) -> None:
    assert ready("db", "migrate").err == f"{local.db.shown} has schema {LATEST}: nothing to do.\n"


def test_tables_that_are_made(run: Run, config: Path) -> None:
    done = run("db", "migrate", "--dry-run", "-o", "json")
    assert done.json()["before"] == 0
    assert "Would bring" in done.err
    done = run("db", "migrate")
    assert (done.code, f"from schema 0 to {LATEST}" in done.err) == (0, True)
    assert run("db", "migrate", "-o", "json").json()["before"] == LATEST


def test_a_copy(ready: Run, tmp_path: Path, config: Path) -> None:
    other = f"sqlite:///{tmp_path}/other.db"
    assert ready("db", "copy", "--to", other).code == 7
    done = ready("db", "copy", "--to", other, "--yes")
    assert done.code == 0, done.err
    assert "tokens\t1\tremaining_quota 5000000, used_quota 0" in done.out
    assert ready("db", "copy", "--to", other, "--yes").code == 6
    assert ready("db", "copy", "--to", f"sqlite:///{tmp_path}/test.db", "--yes").code == 6
    assert ready("db", "copy", "--to", "env:NOT_SET", "--yes").code != 0
    before = ready("export").out
    config.write_text(config.read_text().replace("test.db", "other.db"))
    assert ready("export").out == before
    assert "db.copy" in {entry.action for entry in audit.entries(open_local().db)}
