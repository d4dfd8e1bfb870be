from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import peewee
import pytest

from newapi.base.errors import StoreError
from newapi.base.progress import watched
from newapi.store import clock, copying, maintenance
from newapi.store.database import Database, open_database
from newapi.store.models import TABLES, Clock, Record, Token, User
from tests.databases import DatabaseServers

PAIRS = [("sqlite", "postgresql"), ("sqlite", "mariadb"), ("postgresql", "sqlite"), ("mariadb", "postgresql")]


def filled(c: Any, model: Any, number: int) -> dict[str, Any]:
    """Return a row that differs from others in every column that may."""
    row: dict[str, Any] = {}
    for field in model._meta.sorted_fields:
        if isinstance(field, peewee.BooleanField):
            row[field.name] = number % 2 == 0
        elif isinstance(field, peewee.BlobField):
            row[field.name] = None if field.null and number % 3 == 0 else bytes([0, 255, number % 256])
        elif isinstance(field, peewee.DoubleField):
            row[field.name] = number + 0.1
        elif isinstance(field, peewee.IntegerField):
            row[field.name] = number + 10
        elif field.null and number % 3 == 0:
            row[field.name] = None
        else:
            row[field.name] = f"{number}ü🙂'\\%"[: getattr(field, "max_length", None) or 99]
    return row


def everything(db: Database) -> dict[str, list[tuple[Any, ...]]]:
    found: dict[str, list[tuple[Any, ...]]] = {}
    with db.reading() as c:
        for model in TABLES:
            fields = copying._fields(model)
            rows = [copying._plain(fields, row) for row in model.select(*fields).tuples().execute(c)]
            found[copying._name(model)] = sorted(rows, key=repr)
    return found


@pytest.fixture
def full(database_servers: DatabaseServers, tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Database]:
    """A database with rows in every table; the log has more than one batch of them."""
    with database_servers.url(request.param, tmp_path) as url, closing(open_database(url)) as db:
        with db.writing() as c:
            for model in TABLES:
                if model is not Clock:
                    for number in range(1100 if model is Record else 3):
                        model.insert(**filled(c, model, number)).execute(c)
            Token.delete().where(Token.id == 12).execute(c)  # the last: its number is not given again
        yield db


@pytest.mark.parametrize(("full", "to"), PAIRS, indirect=["full"])
def test_everything_is_the_same_in_the_copy(
    full: Database, to: str, database_servers: DatabaseServers, tmp_path: Path
) -> None:
    with database_servers.url(to, tmp_path) as url, closing(open_database(url)) as target:
        assert maintenance.strangers(target) == {}
        told: list[tuple[str, int, int]] = []
        with watched(lambda *said: told.append(said)):
            copies = {copied.table: copied for copied in copying.copy(full, target)}
        assert [said for said in told if "records" in said[0]] == [("Copying records", n, 1100) for n in (0, 500, 1000)]
        assert everything(target) == everything(full)
        assert maintenance.strangers(target) == maintenance.strangers(full)
        assert (copies["records"].rows, copies["records"].sums["quota"]) == (1100, sum(range(10, 1110)))
        columns = {"name": "x", "user_id": 1, "key_hash": "x", "spec": "{}", "created_at": 0}
        if full.dialect == "sqlite":  # elsewhere rows that bring their numbers do not count
            with target.writing() as c:
                assert Token.insert(**columns).execute(c) == 13


@pytest.mark.parametrize("full", ["sqlite"], indirect=True)
def test_a_row_that_is_not_the_same_undoes_the_copy(
    full: Database, database_servers: DatabaseServers, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with database_servers.url("mariadb", tmp_path) as url, closing(open_database(url)) as target:
        with target.writing() as c:
            c.execute_sql("ALTER TABLE users MODIFY remark VARCHAR(1000) CHARACTER SET latin1 NOT NULL")
            c.execute_sql("SET SESSION sql_mode = ''")
        before = everything(target)
        with pytest.raises(StoreError, match="of users is not the same"):
            copying.copy(full, target)
        assert everything(target) == before


def test_a_backup_is_put_back(db: Database, tmp_path: Path) -> None:
    with db.writing() as c:
        User.insert(name="ann", quota=5, created_at=1.5).execute(c)
    before = everything(db)
    file = tmp_path / "backup.db"
    assert maintenance.backup(db, file) == file.stat().st_size
    assert file.stat().st_mode & 0o777 == 0o600
    with db.writing() as c:
        User.delete().where(User.name == "ann").execute(c)
        clock.bump(c)
    epoch = clock.generation(db)
    maintenance.restore(db, file)
    after = everything(db)
    assert clock.generation(db) > epoch
    assert {**after, "clock": before["clock"]} == before
    assert [path.name for path in tmp_path.iterdir() if path.name.startswith(".")] == []


def test_what_a_database_takes_and_gives_back(db: Database) -> None:
    assert sum(maintenance.sizes(db).values()) > 0
    maintenance.vacuum(db)
    assert maintenance.damage(db) == []
