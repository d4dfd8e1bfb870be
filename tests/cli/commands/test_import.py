from __future__ import annotations

import hashlib
import io
import sqlite3
from pathlib import Path
from typing import Any

import pytest

from newapi.base.secret import Secret
from newapi.config.load import load
from newapi.ops import channels, redemption, users
from newapi.ops.local import open_local
from newapi.ops.tokens import list_tokens
from newapi.store import snapshot
from newapi.store.users import find
from tests.cli.commands.conftest import Run
from tests.ops.newapi_database import ACCESS_TOKEN, CODE, KEY, PASSWORD, make

NEW = "options\t4\t0\t0\nusers\t3\t0\t1\nchannels\t2\t0\t0\ntokens\t4\t0\t1\nredemptions\t2\t0\t0\n"
LEFT = [
    "options NoSuchThing: this gateway has no such option",
    "options QuotaPerUnit: 500000 quota are one US dollar: that cannot be changed",
    "users 4 (ann): github_id: signing in with it is not taken over",
    "channels 2 (main): another channel has that name: it is called 'main-2' here",
    "channels 3 (odd): Channels of type 999 are not served here",
    "channels 1 (main): models without a price there, with the built-in one here: gpt-4o",
    "tokens 3 (orphan): its owner, user 99, does not exist",
    "tokens 5 (locked): 'home' is no address or network",
    "tokens 5 (locked): none of its addresses is one: it is disabled",
]


@pytest.fixture
def source(tmp_path: Path) -> Path:
    return make(tmp_path / "one-api.db")


@pytest.fixture
def imported(run: Run, source: Path) -> Run:
    done = run("import", str(source))
    assert (done.code, done.out) == (0, NEW), done.err
    assert done.err.splitlines() == LEFT
    return run


def test_groups_prices_and_options(imported: Run, config: Path) -> None:
    there = snapshot.load(open_local(config).db)
    assert str(there.groups["vip"].ratio) == "0.5"
    assert str(there.models["my-model"].ratio) == "2.5"
    assert there.routing.retries == 7


def test_users_with_their_balances(imported: Run, config: Path) -> None:
    db = open_local(config).db
    ann = users.get(db, "ann")
    assert (ann.quota, ann.used, ann.group, ann.email) == (1000, 50, "vip", "ann@example.com")
    assert users.get(db, "bob").state == "disabled"
    by_token = users.of_access_token(db, ACCESS_TOKEN)
    assert by_token is not None
    assert by_token.id == ann.id
    with db.reading() as c:
        record, root = find(c, name="ann"), find(c, name="root")
    assert record is not None
    assert root is not None
    assert record.invited_by == root.id
    assert (root.password_hash, root.quota, root.role) == ("$2a$10$root", 900, "root")


def test_passwords_hold_and_are_hashed_anew_when_used(imported: Run, config: Path) -> None:
    db = open_local(config).db
    with pytest.raises(users.WrongPassword):
        users.sign_in(db, "ann", Secret("not " + PASSWORD))
    for _ in range(2):
        assert users.sign_in(db, "ann", Secret(PASSWORD)).user.name == "ann"
        with db.reading() as c:
            there = find(c, name="ann")
        assert there is not None
        assert there.password_hash.startswith("scrypt$")


def test_channels_with_their_keys_and_states(imported: Run, config: Path) -> None:
    local = open_local(config)
    first, second = channels.list_channels(local.db)
    assert (first.name, first.spec.groups, first.state) == ("main", ("default", "vip"), "enabled")
    assert [key.reveal() for key in channels.keys_of(local, first)] == ["sk-up"]
    assert (second.state, second.state_reason, second.used) == ("tripped", "no money", 77)
    assert [key.reveal() for key in channels.keys_of(local, second)] == ["k1", "k2", "k3"]
    assert {at: (key.state, key.reason) for at, key in second.key_states.items()} == {1: ("tripped", "401")}
    assert (second.spec.key_choice, second.spec.weight) == ("random", 100)


def test_keys_go_on_working(imported: Run, config: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO(f"sk-{KEY}"))
    found = imported("token", "verify", "-", "--model", "my-model", "--ip", "10.1.2.3", "-o", "json")
    assert found.code == 0, found.err
    told = found.json()
    assert (told["user"], told["group"], told["remaining"]) == ("ann", "vip", 500)
    assert told["models"] == ["my-model", "gpt-4o"]
    states = {token.name: token.state for token in list_tokens(open_local(config).db)}
    assert states == {"ci": "enabled", "auto": "enabled", "expired": "expired", "locked": "disabled"}


def test_codes_can_be_redeemed(imported: Run, config: Path) -> None:
    local = open_local(config)
    ann = users.get(local.db, "ann")
    with local.db.reading() as c:
        used = redemption.store.search(c, "used")[0]
    assert (used.state, used.used_by) == ("used", ann.id)
    assert CODE not in imported("import", "--help").out


def test_a_second_time_doubles_nothing(imported: Run, source: Path, config: Path) -> None:
    before = contents(config)
    done = imported("import", str(source))
    assert done.out == "options\t0\t4\t0\nusers\t0\t3\t1\nchannels\t0\t2\t0\ntokens\t0\t4\t1\nredemptions\t0\t2\t0\n"
    assert contents(config) == before


def test_only_looking(run: Run, source: Path, config: Path) -> None:
    before, file = contents(config), hashlib.sha256(source.read_bytes()).hexdigest()
    done = run("import", str(source), "-n", "--write", str(source.parent / "new.toml"))
    assert (done.code, done.out) == (0, NEW)
    assert done.err.splitlines() == [*LEFT, "Nothing was changed: this is what would be done."]
    assert contents(config) == before
    assert not (source.parent / "new.toml").exists()
    assert hashlib.sha256(source.read_bytes()).hexdigest() == file
    assert sorted(path.name for path in source.parent.glob("one-api.db*")) == ["one-api.db"]


def test_for_programs(run: Run, source: Path) -> None:
    found = run("import", str(source), "-o", "json").json()
    assert found["counts"][2] == {"kind": "channels", "new": 2, "there": 0, "deleted": 0}  # type: ignore[index]
    assert found["left"][0] == {  # type: ignore[index]
        "kind": "options",
        "id": "NoSuchThing",
        "name": "NoSuchThing",
        "reason": "this gateway has no such option",
    }


def test_the_result_as_a_file(run: Run, source: Path, tmp_path: Path) -> None:
    file = tmp_path / "new.toml"
    assert run("import", str(source), "--write", str(file)).code == 0
    written = load(file).config
    assert set(written.channels) == {"main", "main-2"}
    assert str(written.groups["vip"].ratio) == "0.5"
    assert "sk-up" not in file.read_text()
    assert run("import", str(source), "--write", str(file)).code == 7


def test_what_is_here_stays(run: Run, source: Path, config: Path) -> None:
    assert run("apply", "--yes").code == 0
    assert run("user", "create", "ann").code == 0
    before = users.get(open_local(config).db, "ann")
    assert run("import", str(source)).out.splitlines()[1] == "users\t2\t1\t1"
    assert users.get(open_local(config).db, "ann") == before
    assert [c.name for c in channels.list_channels(open_local(config).db)] == ["main", "main-2", "main-3"]


@pytest.mark.parametrize("name", ["missing.db", "text.db", "other.db", "test.db", "mysql://host/oneapi"])
def test_what_is_no_such_database(run: Run, config: Path, tmp_path: Path, name: str) -> None:
    assert run("apply", "--yes").code == 0
    (tmp_path / "text.db").write_text("hello " * 100)
    with sqlite3.connect(tmp_path / "other.db") as other:
        other.execute("CREATE TABLE channels (id)")
    other.close()
    before = contents(config)
    done = run("import", name if "://" in name else str(tmp_path / name))
    assert (done.code, done.out) == (5 if name == "missing.db" else 1, "")
    assert contents(config) == before


def contents(config: Path) -> Any:
    """Return what a server would see."""
    there = snapshot.load(open_local(config).db)
    return there.groups, there.models, there.channels, there.tokens, there.users, there.routing
