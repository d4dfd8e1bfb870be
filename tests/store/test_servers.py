"""What is of database servers alone: their URLs, connections that are lost, writers at once."""

from __future__ import annotations

import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

import pytest

from newapi.base.errors import StoreError
from newapi.store import clock, migrations
from newapi.store.database import Connection, Database, Interrupted, connect, open_database, server_parameters
from newapi.store.ledger import RecordFilter, Settlement, UsageRecord, write_batch
from newapi.store.models import Channel, Setting, Token, User
from newapi.store.usage import count_records
from tests.databases import PASSWORD, DatabaseServers

on_servers = pytest.mark.parametrize("database_url", ["postgresql", "mariadb"], indirect=True)
on_mariadb = pytest.mark.parametrize("database_url", ["mariadb"], indirect=True)
on_postgresql = pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)


@pytest.mark.parametrize(
    ("url", "dialect", "parameters"),
    [
        (
            "postgresql://me:a%2Fb%40c@db.example:5433/my%20db?sslmode=require",
            "postgresql",
            {
                "host": "db.example",
                "port": 5433,
                "user": "me",
                "password": "a/b@c",
                "database": "my db",
                "sslmode": "require",
            },
        ),
        ("postgres:///newapi?host=/run/postgresql", "postgresql", {"host": "/run/postgresql", "database": "newapi"}),
        ("postgresql+psycopg://h/n", "postgresql", {"host": "h", "database": "n"}),
        ("mysql://me@[::1]:3307/n", "mysql", {"host": "::1", "port": 3307, "user": "me", "database": "n"}),
        (
            "mariadb://h/n?unix_socket=/run/m.sock&ssl_verify_cert=true&connect_timeout=3&charset=utf8mb4",
            "mysql",
            {"host": "h", "database": "n", "unix_socket": "/run/m.sock", "ssl_verify_cert": True, "connect_timeout": 3},
        ),
        (
            "root:p@ss:w/rd@tcp(mysql:3306)/new-api?charset=utf8mb4&parseTime=True&loc=Local",
            "mysql",
            {"host": "mysql", "port": 3306, "user": "root", "password": "p@ss:w/rd", "database": "new-api"},
        ),
        ("root@tcp(mysql)/n", "mysql", {"host": "mysql", "user": "root", "database": "n"}),
        (
            "me:x@unix(/run/m.sock)/n",
            "mysql",
            {"unix_socket": "/run/m.sock", "user": "me", "password": "x", "database": "n"},
        ),
    ],
)
def test_a_url_says_how_the_server_is_reached(url: str, dialect: str, parameters: dict[str, Any]) -> None:
    assert server_parameters(url) == (dialect, parameters)


@pytest.mark.parametrize(
    ("url", "message"),
    [
        ("postgresql://me:hunter2@h", "names no database"),
        ("mysql://me:hunter2@h/", "names no database"),
        ("mysql://me:hunter2@h/n?compress=yes", "no option 'compress'"),
        ("mysql://me:hunter2@h/n?connect_timeout=soon", "must be a number"),
        ("mysql://me:hunter2@h:port/n", "after the host comes a port"),
        ("me:hunter2@somewhere/n", "No kind of database"),
        ("postgresql://me:hunter2@127.0.0.1:1/n", r"postgresql://127.0.0.1:1/n failed: .*refused"),
        ("mysql://me:hunter2@127.0.0.1:1/n", r"mysql://127.0.0.1:1/n failed: .*refused"),
        ("postgresql://me:hunter2@127.0.0.1:1/n?wishes=3", "wishes"),
    ],
)
def test_a_url_that_does_not_work_says_why_without_its_password(url: str, message: str) -> None:
    with pytest.raises(StoreError, match=message) as caught:
        open_database(url)
    assert "hunter2" not in caught.value.message


@on_servers
def test_a_password_is_never_shown(database_url: str) -> None:
    db = open_database(database_url)
    db.close()
    seen = [db.shown, repr(db)]
    for wrong in (database_url.replace("canary", "another"), database_url + "-is-not-there"):
        with pytest.raises(StoreError) as caught:
            open_database(wrong)
        seen.append(caught.value.message)
    assert not any(word in text for text in seen for word in (PASSWORD, "p@ss", "another", "canary", "%40"))


@pytest.mark.parametrize(
    ("url", "advice"),
    [("postgresql://h/n", "pip install 'newapi[postgresql]'"), ("mysql://h/n", "pip install 'newapi[mysql]'")],
)
def test_a_missing_driver_is_named(url: str, advice: str) -> None:
    code = f"""
import sys
for name in ("psycopg", "psycopg2", "psycopg2cffi", "pymysql", "MySQLdb"):
    sys.modules[name] = None
from newapi.base.errors import StoreError
from newapi.store.database import open_database
try:
    open_database({url!r})
except StoreError as error:
    print(error.message)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert advice in done.stdout


@on_servers
def test_a_connection_that_the_server_closed_is_opened_again(db: Database, database_servers: DatabaseServers) -> None:
    def hang_up() -> None:
        if db.dialect == "postgresql":
            name = db.shown.rpartition("/")[2]
            said = database_servers.execute(
                "postgresql", f"SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE datname = '{name}'"
            )
            assert said == [(True,)]
        else:
            with db.reading() as c:
                (number,) = c.execute_sql("SELECT CONNECTION_ID()").fetchone()
            database_servers.execute("mariadb", f"KILL {number}")
            while database_servers.execute(
                "mariadb", f"SELECT id FROM information_schema.processlist WHERE id = {number}"
            ):
                time.sleep(0.01)

    hang_up()
    assert clock.generation(db) == 1
    hang_up()
    with db.writing() as c:
        clock.bump(c)
    assert clock.generation(db) == 2
    with pytest.raises(StoreError), db.writing() as c:  # noqa: PT012
        clock.bump(c)
        hang_up() if db.dialect == "postgresql" else _hang_up_within(c, database_servers)
        clock.bump(c)
    assert clock.generation(db) == 2


def _hang_up_within(c: Connection, servers: DatabaseServers) -> None:
    (number,) = c.execute_sql("SELECT CONNECTION_ID()").fetchone()
    servers.execute("mariadb", f"KILL {number}")
    while servers.execute("mariadb", f"SELECT id FROM information_schema.processlist WHERE id = {number}"):
        time.sleep(0.01)


@on_servers
def test_what_was_ended_for_anothers_sake_is_done_again(db: Database, database_url: str) -> None:
    """Two transactions that lock rows in opposite order: the server ends one of them."""
    with db.writing() as c:
        User.insert(name="ann", created_at=0).execute(c)
    both = threading.Barrier(2, timeout=20)
    failed: list[BaseException] = []

    def add(c: Connection, quota: int, first: int, second: int, tries: list[int]) -> None:
        tries.append(1)
        User.update(quota=User.quota + quota).where(User.id == first).execute(c)
        if len(tries) == 1:
            both.wait()
        User.update(quota=User.quota + quota).where(User.id == second).execute(c)

    def outsider() -> None:
        other, tries = connect(database_url), []
        try:
            while True:
                try:
                    with other.transaction() as c:
                        return add(c, 1, 2, 1, tries)
                except Interrupted:
                    continue
        except BaseException as error:
            failed.append(error)
        finally:
            other.close()

    thread = threading.Thread(target=outsider)
    thread.start()
    tries: list[int] = []
    db.write(lambda c: add(c, 10, 1, 2, tries))
    thread.join(30)
    assert failed == []
    with db.reading() as c:
        assert [u.quota for u in User.select().order_by(User.id).execute(c)] == [11, 11]


def test_a_transaction_that_is_always_interrupted_fails_in_the_end(db: Database) -> None:
    tries: list[int] = []

    def work(c: Connection) -> None:
        tries.append(1)
        Setting.insert(section=f"s{len(tries)}", value="1").execute(c)
        raise Interrupted("deadlock")

    with pytest.raises(Interrupted):
        db.write(work)
    assert len(tries) == 5
    with db.reading() as c:
        assert Setting.select().count(c) == 0


def test_one_transaction_writes_at_a_time(db: Database, database_url: str) -> None:
    """The second waits until the first has ended, and reads what that has written."""
    seen: list[int] = []
    waiting = threading.Event()

    def second() -> None:
        other = connect(database_url)
        waiting.set()
        with other.writing() as c:
            seen.append(int(c.execute_sql("SELECT epoch FROM clock").fetchone()[0]))
        other.close()

    thread = threading.Thread(target=second)
    with db.writing() as c:
        thread.start()
        assert waiting.wait(20)
        clock.bump(c)
        assert seen == []
    thread.join(30)
    assert seen == [2]


def test_two_processes_that_write_the_same_batch_charge_once(db: Database, database_url: str) -> None:
    with db.writing() as c:
        User.insert(name="ann", quota=1000, created_at=0).execute(c)
        Token.insert(name="t", user_id=2, key_hash="1", spec="{}", remaining_quota=1000, created_at=0).execute(c)
        Channel.insert(name="c", spec="{}", created_at=0, updated_at=0).execute(c)
    records = [UsageRecord(f"r{i}", 100.0, token_id=1, user_id=2, channel_id=1, quota=1) for i in range(300)]
    batch = [Settlement(record, 1, 2, 1, 1) for record in records]
    begin = threading.Barrier(3, timeout=20)
    failed: list[BaseException] = []

    def write() -> None:
        try:
            mine = connect(database_url)
            begin.wait()
            write_batch(mine, batch)
            mine.close()
        except BaseException as error:
            failed.append(error)

    threads = [threading.Thread(target=write) for _ in range(3)]
    for t in threads:
        t.start()
    for t in threads:
        t.join(30)
    assert failed == []
    assert count_records(db, RecordFilter()) == (300, 300)
    with db.reading() as c:
        assert Token.select(Token.remaining_quota, Token.used_quota).tuples().execute(c)[0] == (700, 300)


def test_names_are_distinct_by_case(db: Database) -> None:
    names = ["gpt", "GPT", "Gpt", "gpt\u0301", "straße", "strasse"]
    with db.writing() as c:
        for name in names:
            Channel.insert(name=name, spec="{}", created_at=0, updated_at=0).execute(c)
    with db.reading() as c:
        for name in names:
            assert [r.name for r in Channel.select().where(Channel.name == name).execute(c)] == [name]


def test_a_search_finds_either_case(db: Database) -> None:
    from newapi.store import users

    with db.writing() as c:
        users.insert(c, {"name": "Ann", "email": "ANN@example.com", "created_at": 0})
    with db.reading() as c:
        assert [u.name for u in users.search(c, users.UserFilter(keyword="aNN"))] == ["Ann"]
        assert users.find(c, name="ann") is None


def test_texts_of_any_length_and_large_numbers_come_back(db: Database) -> None:
    text, number = "ü🙂%s\\'" * 100_000, 2**62
    with db.writing() as c:
        Setting.insert(section="x", value=text).execute(c)
        User.update(quota=number, used_quota=-number).where(User.id == 1).execute(c)
    with db.reading() as c:
        assert Setting.select(Setting.value).scalar(c) == text
        assert User.select(User.quota, User.used_quota).tuples().execute(c)[0] == (number, -number)


def test_times_come_back_to_the_microsecond(db: Database) -> None:
    at = 1_783_425_600.123456
    with db.writing() as c:
        User.update(last_login_at=at).where(User.id == 1).execute(c)
    with db.reading() as c:
        assert User.select(User.last_login_at).scalar(c) == at


def test_an_update_counts_the_rows_it_finds(db: Database) -> None:
    with db.writing() as c:
        assert User.update(name="root").where(User.id == 1).execute(c) == 1


@on_servers
def test_a_name_that_is_too_long_is_refused(db: Database) -> None:
    with pytest.raises(StoreError, match="refused"), db.writing() as c:
        User.insert(name="x" * 192, created_at=0).execute(c)


@on_mariadb
def test_a_step_that_was_cut_off_is_finished(db: Database) -> None:
    """MySQL keeps the tables that a failed transaction has made."""
    with db.writing() as c:
        c.execute_sql("DELETE FROM schema_version")
        c.execute_sql("DROP TABLE catalog")
        c.execute_sql("DROP INDEX users_email ON users")
    assert migrations.version(db) == 0
    assert migrations.migrate(db) == len(migrations.steps())
    with db.reading() as c:
        assert c.table_exists("catalog")
        assert "users_email" in {index.name for index in c.get_indexes("users")}
        assert User.select().count(c) == 1


@on_postgresql
def test_a_database_that_cannot_hold_every_text_is_refused(
    database_servers: DatabaseServers, database_url: str, tmp_path: Path
) -> None:
    database_servers.execute("postgresql", "CREATE DATABASE latin ENCODING 'SQL_ASCII' TEMPLATE template0")
    try:
        with pytest.raises(StoreError, match="encoding SQL_ASCII"):
            open_database(f"{database_url.rpartition('/')[0]}/latin")
    finally:
        database_servers.execute("postgresql", "DROP DATABASE latin WITH (FORCE)")


def test_processes_make_the_tables_at_once(database_url: str) -> None:
    code = "import sys; from newapi.store.database import open_database; open_database(sys.argv[1]).close()"
    started = [subprocess.Popen([sys.executable, "-c", code, database_url], stderr=subprocess.PIPE) for _ in range(3)]
    errors = [p.communicate()[1].decode() for p in started]
    assert [p.returncode for p in started] == [0] * 3, errors
