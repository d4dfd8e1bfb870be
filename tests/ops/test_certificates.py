"""Certificates, shown by servers of our own on real sockets; what the doctor says of them."""

from __future__ import annotations

import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from newapi.ops.certificates import Shown, all_shown, places, shown
from newapi.ops.doctor import examine

NOW = datetime.now(UTC).replace(microsecond=0)


def make(directory: Path, begins: timedelta, ends: timedelta) -> Path:
    """Write a certificate for localhost that vouches for itself, and its key."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")])
    built = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(NOW + begins)
        .not_valid_after(NOW + ends)
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    file = directory / "server.pem"
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    file.write_bytes(private + built.public_bytes(serialization.Encoding.PEM))
    return file


@contextmanager
def serving(file: Path) -> Iterator[int]:
    """Shake hands with whoever comes; yields the port."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(file)
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def serve() -> None:
            while True:
                try:
                    plain, _ = listener.accept()
                except OSError:
                    return
                with plain:
                    try:
                        context.wrap_socket(plain, server_side=True).close()
                    except OSError:  # who does not trust it hangs up
                        continue

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        yield listener.getsockname()[1]
        listener.shutdown(socket.SHUT_RDWR)
        thread.join(5)


@pytest.mark.parametrize(
    ("begins", "ends", "trusted", "said", "is_time"),
    [
        (timedelta(days=-1), timedelta(days=30), True, "", False),
        (timedelta(days=-1), timedelta(days=30), False, "self", False),
        (timedelta(days=-9), timedelta(days=-1), True, "expired", True),
        (timedelta(days=1), timedelta(days=30), True, "not yet valid", True),
    ],
)
def test_what_a_server_shows(
    tmp_path: Path, begins: timedelta, ends: timedelta, trusted: bool, said: str, is_time: bool
) -> None:
    file = make(tmp_path, begins, ends)
    context = ssl.create_default_context(cafile=file) if trusted else ssl.create_default_context()
    with serving(file) as port:
        found = shown("localhost", port, context=context)
    assert said in found.problem
    assert (not found.problem, found.is_time) == (not said, is_time)
    assert found.until == (0 if said else (NOW + ends).timestamp())


def test_nobody_is_there() -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    assert shown("127.0.0.1", port).problem == "connection refused"


def test_where_to_ask() -> None:
    urls = ["https://b.test/v1", "https://a.test:8443", "http://c.test", "", "https://b.test"]
    assert places(urls) == [("a.test", 8443), ("b.test", 443)]
    assert [s.host for s in all_shown(places(urls), Shown)] == ["a.test", "b.test"]


@pytest.mark.parametrize(
    ("show", "ok", "said", "hint"),
    [
        (lambda h, p: Shown(h, p, until=1e6 + 86_400 * 30), True, "good for 30 days", ""),
        (lambda h, p: Shown(h, p, until=1e6 + 86_400 * 3), False, "good for 3 days", "renew"),
        (lambda h, p: Shown(h, p, problem="expired", is_time=True), False, "api.openai.com: expired", "clock"),
        (lambda h, p: Shown(h, p, problem="refused"), False, "api.openai.com:443: refused", "cannot be reached"),
    ],
)
def test_what_the_doctor_says(
    tmp_path: Path, show: Callable[[str, int], Shown], ok: bool, said: str, hint: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("K", "x")
    config = tmp_path / "config.toml"
    config.write_text(
        '[models.m]\nratio = 1\n[channels.a]\ntype = "openai"\nkey = "env:K"\nmodels = ["m"]\n'
        '[channels.b]\ntype = "openai"\nkey = "env:K"\nmodels = ["m"]\nbase_url = "http://127.0.0.1:1"\n'
        '[channels.c]\ntype = "openai"\nkey = "env:K"\nmodels = ["m"]\nbase_url = "https://off.test"\nenabled = false\n'
    )
    (found,) = [finding for finding in examine(config, now=1e6, show=show) if finding.check == "TLS"]
    assert found.ok is ok
    assert said in found.message
    assert hint in found.hint
