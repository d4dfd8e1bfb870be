from __future__ import annotations

import io
import tarfile
import time
from pathlib import Path

import pytest

from newapi.ops import doctor
from newapi.ops.doctor import examine
from newapi.ops.local import Local
from newapi.store.ledger import UsageRecord, write_record
from tests.cli.commands.conftest import CONFIG, Run


@pytest.fixture(autouse=True)
def _with_a_key(run: Run) -> None:
    run("token", "create", "a", "--unlimited")


def failing(config: Path, **arguments: float) -> list[tuple[str, str]]:
    return [(f.check, f.hint) for f in examine(config, **arguments) if not f.ok]


def test_all_is_well(run: Run, config: Path) -> None:
    done = run("doctor", "--offline")
    assert done.code == 0, done.out
    rows = [line.split("\t") for line in done.out.splitlines()]
    assert {row[0] for row in rows} == {"ok"}
    assert [row[1] for row in rows] == [
        *("configuration", "master key", "directory", "database", "migrations", "integrity", "clock"),
        *("keyring", "reference", "disk"),
    ]
    assert ["ok", "reference", "channels.main.key: env:UPSTREAM_KEY resolves", ""] in rows


def test_json(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("UPSTREAM_KEY")
    done = run("doctor", "--offline", "-o", "ndjson")
    assert done.code == 8
    assert (
        '{"check":"reference","ok":false,"message":"channels.main.key: env:UPSTREAM_KEY: the environment has no such '
        'variable","hint":"export UPSTREAM_KEY=…"}'
    ) in done.out.splitlines()


def test_a_configuration_that_is_not_valid(config: Path) -> None:
    config.write_text(CONFIG + "\n[nonsense]\n")
    assert failing(config) == [("configuration", "newapi validate says what")]


def test_permissions(config: Path) -> None:
    key, file = config.with_name("newapi.key"), config.with_name("test.db")
    key.chmod(0o644)
    file.chmod(0o644)
    config.parent.chmod(0o777)
    assert failing(config) == [
        ("master key", f"chmod 600 {key}"),
        ("directory", f"others may replace what is in it: chmod o-w {config.parent}"),
        ("database file", f"chmod 600 {file}"),
    ]


def test_no_database(config: Path) -> None:
    config.write_text(CONFIG.replace("test.db", "other.db"))
    assert failing(config) == [("database", "newapi apply makes it")]
    assert not config.with_name("other.db").exists()


@pytest.mark.parametrize("behind", [3600, 10 * 365 * 86_400])
def test_a_clock_that_is_behind(config: Path, behind: float) -> None:
    assert {check for check, _ in failing(config, now=time.time() - behind)} == {"clock"}


def test_a_keyring_that_keeps_plain_text(config: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doctor.secrets, "keyring_backend", lambda: ("x.Plain", "the keyring here keeps plain text"))
    assert failing(config) == []
    config.write_text(CONFIG.replace("env:UPSTREAM_KEY", "keyring:x"))
    assert [check for check, _ in failing(config)] == ["keyring", "reference"]


def test_a_proxy_that_does_not_answer(config: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PROXY", "socks5://me:pw-canary@127.0.0.1:1")
    config.write_text(CONFIG.replace('key = "env', 'proxy = "env:PROXY"\nkey = "env'))
    (finding,) = [f for f in examine(config) if not f.ok]
    assert finding.check == "proxy"
    assert "canary" not in finding.message


def test_a_full_disk(config: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doctor, "FREE_BYTES", 1 << 62)
    assert [check for check, _ in failing(config)] == ["disk"]


def test_the_bundle_has_no_secret(run: Run, config: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from newapi.ops.local import open_local

    monkeypatch.setenv("UPSTREAM_KEY", "plain-canary")
    local: Local = open_local(config)
    write_record(local.db, UsageRecord("r1", 1.0, status=401, kind="error", error="bad key plain-canary"))
    file = tmp_path / "bundle.tar.gz"
    assert run("doctor", "--offline", "--bundle", str(file)).code == 0
    assert file.stat().st_mode & 0o777 == 0o600
    with tarfile.open(fileobj=io.BytesIO(file.read_bytes())) as tar:
        texts = {m.name: tar.extractfile(m).read().decode() for m in tar.getmembers()}  # type: ignore[union-attr]
    assert set(texts) == {f"newapi/{n}" for n in ("doctor.json", "version.json", "config.toml", "errors.json")}
    assert "canary" not in "".join(texts.values())
    assert "bad key ***" in texts["newapi/errors.json"]
