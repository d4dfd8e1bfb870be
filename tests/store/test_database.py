from __future__ import annotations

import threading
from pathlib import Path

import pytest

from newapi.base.errors import StoreError
from newapi.store import declared, options
from newapi.store.database import Database, open_database, sqlite_path
from newapi.store.migrations import migrate, steps, version
from newapi.store.models import TABLES, Setting, User


def test_a_new_database_has_every_table_as_the_models_say(db: Database) -> None:
    with db.reading() as c:
        for model in TABLES:
            meta = model._meta
            assert {col.name for col in c.get_columns(meta.table_name)} == {f.column_name for f in meta.sorted_fields}
            for column in c.get_columns(meta.table_name):
                field = meta.columns[column.name]
                assert column.primary_key or column.null == bool(field.null), f"{meta.table_name}.{column.name}"


def test_root_is_always_there(db: Database) -> None:
    with db.reading() as c:
        rows = list(User.select().dicts().execute(c))
    assert [(r["id"], r["name"], r["role"], bool(r["unlimited"]), r["state"]) for r in rows] == [
        (1, "root", "root", True, "enabled")
    ]


of_sqlite = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)


@of_sqlite
def test_the_pragmas_are_set_on_every_connection(db: Database) -> None:
    seen: list[tuple[object, ...]] = []

    def look() -> None:
        with db.reading() as c:
            pragmas = ("journal_mode", "synchronous", "foreign_keys")
            seen.append(tuple(c.execute_sql(f"PRAGMA {p}").fetchone()[0] for p in pragmas))
        db.close()

    look()
    thread = threading.Thread(target=look)
    thread.start()
    thread.join()
    assert seen == [("wal", 2, 1), ("wal", 2, 1)]


@of_sqlite
def test_the_file_is_for_its_owner_alone(db: Database) -> None:
    assert db.file is not None
    assert db.file.stat().st_mode & 0o777 == 0o600


def test_a_transaction_that_fails_leaves_nothing(db: Database) -> None:
    with pytest.raises(RuntimeError), db.writing() as c:  # noqa: PT012
        Setting.insert(section="x", value="1").execute(c)
        raise RuntimeError
    with db.reading() as c:
        assert Setting.select().count(c) == 0


def test_a_transaction_within_another_is_a_part_of_it(db: Database) -> None:
    with pytest.raises(RuntimeError), db.writing() as c:  # noqa: PT012
        with db.writing():
            Setting.insert(section="x", value="1").execute(c)
        raise RuntimeError
    with db.reading() as c:
        assert Setting.select().count(c) == 0


def test_what_is_set_again_as_it_was_is_there_once(db: Database) -> None:
    for _ in range(2):
        with db.writing() as c:
            options.put(c, "Notice", "hello")
            declared.put_section(c, "routing", "{}")
    assert options.read(db) == {"Notice": "hello"}
    with db.reading() as c:
        assert declared.read(c).sections == {"routing": "{}"}


def test_migrating_again_does_nothing(db: Database) -> None:
    assert version(db) == steps()[-1][0]
    assert migrate(db) == 0


def test_a_newer_database_is_refused(db: Database) -> None:
    with db.writing() as c:
        c.execute_sql("UPDATE schema_version SET version = 9999")
    with pytest.raises(StoreError, match="update newapi"):
        migrate(db)


def test_another_programs_database_is_left_alone(tmp_path: Path) -> None:
    import sqlite3

    path = tmp_path / "one-api.db"
    with sqlite3.connect(path) as c:
        c.execute("CREATE TABLE abilities (x)")
    c.close()
    with pytest.raises(StoreError, match="newapi import"):
        open_database(f"sqlite:///{path}")


@pytest.mark.parametrize(
    ("url", "message"),
    [
        ("oracle://x", "No kind of database"),
        ("sqlite:///:memory:", "names no file"),
        ("sqlite:////dev/null/x.db", "cannot be opened"),
    ],
)
def test_a_url_that_does_not_work_says_why(url: str, message: str) -> None:
    with pytest.raises(StoreError, match=message):
        open_database(url)


@pytest.mark.parametrize(
    ("url", "path"),
    [
        ("sqlite:///newapi.db", Path("/etc/x/newapi.db")),
        ("sqlite:///data/newapi.db", Path("/etc/x/data/newapi.db")),
        ("sqlite:////var/lib/newapi.db", Path("/var/lib/newapi.db")),
        ("sqlite:////var/lib/my%20api.db?x=1", Path("/var/lib/my api.db")),
        ("postgresql://h/db", None),
    ],
)
def test_the_path_of_a_url(url: str, path: Path | None) -> None:
    assert sqlite_path(url, Path("/etc/x")) == path


def test_threads_write_at_once(db: Database) -> None:
    errors: list[BaseException] = []

    def count(times: int) -> None:
        try:
            for _ in range(times):
                with db.writing() as c:
                    User.update(used_quota=User.used_quota + 1).where(User.id == 1).execute(c)
            db.close()
        except BaseException as error:
            errors.append(error)

    threads = [threading.Thread(target=count, args=(25,)) for _ in range(8)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    assert errors == []
    with db.reading() as c:
        assert User.select(User.used_quota).scalar(c) == 200
