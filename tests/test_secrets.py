from __future__ import annotations

import os
import stat
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import keyring
import keyring.core
import pytest
from hypothesis import given
from hypothesis import strategies as st
from keyring.backend import KeyringBackend
from keyring.errors import KeyringLocked, NoKeyringError

from newapi import secrets
from newapi.base.secret import Secret
from newapi.secrets import NoSecret, forget, is_reference, keep, master_key, resolve, seal, unseal
from tests.support.memory_keyring import MemoryKeyring


@pytest.fixture(autouse=True)
def _memory_keyring(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(keyring, "get_keyring", MemoryKeyring)


def test_the_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("KEY", "s3cret")
    assert resolve("env:KEY", base_dir=tmp_path).reveal() == "s3cret"
    monkeypatch.setenv("KEY", "")
    with pytest.raises(NoSecret, match=r"^env:KEY: it is empty$"):
        resolve("env:KEY", base_dir=tmp_path)
    monkeypatch.delenv("KEY")
    with pytest.raises(NoSecret, match=r"^env:KEY: the environment has no such variable$") as caught:
        resolve("env:KEY", base_dir=tmp_path)
    assert caught.value.hint == "export KEY=…"


@pytest.mark.parametrize(
    ("content", "secret"),
    [(b"a", "a"), (b"a\n", "a"), (b"a\r\n", "a"), (b"a\n\n", "a\n"), (b" a ", " a "), ("clé\n".encode(), "clé")],
)
def test_a_file(tmp_path: Path, content: bytes, secret: str) -> None:
    (tmp_path / "key").write_bytes(content)
    assert resolve("file:key", base_dir=tmp_path).reveal() == secret
    assert resolve(f"file:{tmp_path}/key", base_dir=Path("/nowhere")).reveal() == secret


def test_a_file_of_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / "key").write_text("x")
    assert resolve("file:~/key", base_dir=Path("/nowhere")).reveal() == "x"


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda path: None, "file:key: no such file or directory"),
        (lambda path: path.mkdir(), "file:key: is a directory"),
        (lambda path: path.write_bytes(b"\xff\xfe"), "file:key: the file is not text"),
        (lambda path: path.write_bytes(b"\n"), "file:key: it is empty"),
    ],
)
def test_no_file(tmp_path: Path, make: Callable[[Path], object], message: str) -> None:
    make(tmp_path / "key")
    with pytest.raises(NoSecret) as caught:
        resolve("file:key", base_dir=tmp_path)
    assert caught.value.message == message


def test_a_credential_of_systemd(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(NoSecret, match="was given no credentials") as caught:
        resolve("cred:openai", base_dir=tmp_path)
    assert "LoadCredential=openai" in caught.value.hint
    (tmp_path / "creds").mkdir()
    (tmp_path / "creds" / "openai").write_text("c\n")
    (tmp_path / "outside").write_text("o")
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(tmp_path / "creds"))
    assert resolve("cred:openai", base_dir=Path("/nowhere")).reveal() == "c"
    for name in ("../outside", ".."):
        with pytest.raises(NoSecret, match="no slash"):
            resolve(f"cred:{name}", base_dir=tmp_path)


def test_the_database(tmp_path: Path) -> None:
    known = {"a": Secret("from the database")}
    assert resolve("secret:a", base_dir=tmp_path, database=known.get).reveal() == "from the database"
    for database in (known.get, None):
        with pytest.raises(NoSecret, match=r"^secret:b: the database has no such secret$") as caught:
            resolve("secret:b", base_dir=tmp_path, database=database)
        assert caught.value.hint == "newapi secret set b --in database"


def test_a_command(tmp_path: Path) -> None:
    assert resolve("cmd:echo 'a b' | tr a c", base_dir=tmp_path, allow_cmd=True).reveal() == "c b"
    with pytest.raises(NoSecret, match=r"^cmd: commands are not run for secrets here$"):
        resolve(f"cmd:touch {tmp_path}/ran", base_dir=tmp_path)
    assert not (tmp_path / "ran").exists()


@pytest.mark.parametrize(
    ("command", "message"),
    [
        ("echo s3cret >&2; exit 3", "cmd: the command ended with 3"),
        ("echo s3cret > /dev/null", "cmd: it is empty"),
        ("printf '\\377'", "cmd: the command printed what is not text"),
    ],
)
def test_a_command_that_fails_tells_nothing_of_it(tmp_path: Path, command: str, message: str) -> None:
    with pytest.raises(NoSecret) as caught:
        resolve(f"cmd:{command}", base_dir=tmp_path, allow_cmd=True)
    assert caught.value.message == message
    assert "s3cret" not in repr(caught.value) + caught.value.hint


def test_a_command_that_hangs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(secrets, "_COMMAND_SECONDS", 0.05)
    with pytest.raises(NoSecret, match="took longer"):
        resolve("cmd:exec sleep 60", base_dir=tmp_path, allow_cmd=True)


@pytest.mark.parametrize("text", ["sk-live-123", "", "env:", "http://x", "sk:live", ":x"])
def test_what_is_no_reference_is_not_repeated(tmp_path: Path, text: str) -> None:
    assert not is_reference(text)
    with pytest.raises(NoSecret) as caught:
        resolve(text, base_dir=tmp_path)
    assert caught.value.message == "a secret: not a reference"


# keyring


def test_the_keyring(tmp_path: Path) -> None:
    with pytest.raises(NoSecret, match=r"^keyring:openai: the keyring has no such entry$") as caught:
        resolve("keyring:openai", base_dir=tmp_path)
    assert caught.value.hint == "newapi secret set openai"
    keep("openai", Secret("k"))
    assert MemoryKeyring.entries == {("newapi", "openai"): "k"}
    assert resolve("keyring:openai", base_dir=tmp_path).reveal() == "k"
    forget("openai")
    with pytest.raises(NoSecret, match="no such entry"):
        forget("openai")


class PlaintextKeyring(MemoryKeyring):
    pass


class Chain(MemoryKeyring):
    backends = (MemoryKeyring(), PlaintextKeyring())


@pytest.mark.parametrize("backend", [PlaintextKeyring(), Chain()])
def test_a_keyring_of_plain_text_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, backend: KeyringBackend
) -> None:
    monkeypatch.setattr(keyring, "get_keyring", lambda: backend)
    for do in (lambda: resolve("keyring:a", base_dir=tmp_path), lambda: keep("a", Secret("s")), lambda: forget("a")):
        with pytest.raises(NoSecret, match="plain text"):
            do()
    assert MemoryKeyring.entries == {}


@pytest.mark.parametrize(
    ("error", "message"),
    [
        (NoKeyringError("s3cret"), "keyring:a: there is no keyring here"),
        (KeyringLocked("s3cret"), "keyring:a: the keyring refused: KeyringLocked"),
    ],
)
def test_a_keyring_that_fails(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: Exception, message: str) -> None:
    class Failing(MemoryKeyring):
        def get_password(self, service: str, username: str) -> str | None:
            raise error

    monkeypatch.setattr(keyring, "get_keyring", Failing)
    with pytest.raises(NoSecret) as caught:
        resolve("keyring:a", base_dir=tmp_path)
    assert caught.value.message == message


# the master key


def test_the_master_key_is_made_once(tmp_path: Path) -> None:
    path = tmp_path / "newapi.key"
    key = master_key(path)
    assert len(key) == 32
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert master_key(path) == key
    assert list(tmp_path.iterdir()) == [path]
    assert master_key(tmp_path / "other.key") != key


def test_two_that_start_together_have_one_key(tmp_path: Path) -> None:
    with ThreadPoolExecutor(8) as pool:
        keys = set(pool.map(lambda _: master_key(tmp_path / "newapi.key"), range(32)))
    assert len(keys) == 1


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda path: path.write_bytes(b"short"), "a master key is 32 bytes, this has 5"),
        (lambda path: (path.write_bytes(bytes(32)), path.chmod(0o644)), "others may read the master key"),
        (lambda path: path.mkdir(), "is a directory"),
    ],
)
def test_a_master_key_that_is_none(tmp_path: Path, make: Callable[[Path], object], message: str) -> None:
    path = tmp_path / "newapi.key"
    make(path)
    if path.is_file() and "bytes" in message:
        path.chmod(0o600)
    with pytest.raises(NoSecret, match=message):
        master_key(path)


def test_a_master_key_that_cannot_be_made(tmp_path: Path) -> None:
    with pytest.raises(NoSecret, match="no such file or directory"):
        master_key(tmp_path / "nowhere" / "newapi.key")


@given(st.binary(max_size=200))
def test_what_is_sealed_comes_back(plain: bytes) -> None:
    key = os.urandom(32)
    sealed = seal(key, plain)
    assert unseal(key, sealed) == plain
    assert sealed != seal(key, plain)


@given(st.binary(min_size=1, max_size=40), st.data())
def test_what_was_changed_does_not_open(plain: bytes, data: st.DataObject) -> None:
    key = bytes(32)
    sealed = bytearray(seal(key, plain))
    sealed[data.draw(st.integers(0, len(sealed) - 1))] ^= 1 << data.draw(st.integers(0, 7))
    with pytest.raises(NoSecret, match="does not open"):
        unseal(key, bytes(sealed))


@pytest.mark.parametrize("sealed", [b"", b"x" * 11, b"x" * 12, b"x" * 27])
def test_what_was_never_sealed_does_not_open(sealed: bytes) -> None:
    with pytest.raises(NoSecret):
        unseal(bytes(32), sealed)


def test_another_key_does_not_open_it() -> None:
    with pytest.raises(NoSecret):
        unseal(b"a" * 32, seal(b"b" * 32, b"x"))
