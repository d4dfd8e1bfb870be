"""Looks for what is wrong with a gateway, or soon will be; no secret is told.

Nothing is changed, but that the opening of an older database brings its tables up to date.
"""

from __future__ import annotations

import io
import os
import shutil
import socket
import tarfile
import time
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import msgspec
from msgspec import Struct

from newapi import __version__, providers, secrets
from newapi.base.errors import ConfigError, NewapiError
from newapi.config.findings import mask
from newapi.config.load import Loaded, find, load
from newapi.ops.certificates import Show, all_shown, places
from newapi.ops.local import Local, open_local, state_directory
from newapi.ops.logs import records
from newapi.ops.references import Found, references
from newapi.ops.settings import as_toml, settings
from newapi.ops.workers import running
from newapi.store import migrations
from newapi.store.database import sqlite_path
from newapi.store.ledger import RecordFilter

FREE_BYTES = 512 * 1024 * 1024
"""With less than this, a disk is told to be full soon."""
CLOCK_SECONDS = 60
"""So far may the clocks of this machine and of the database be apart."""
_EARLIEST = 1_735_689_600  # 2025-01-01: no clock of a machine that runs this says less
_PROXY_SECONDS = 3.0
_DAYS = 7
"""A certificate that ends before is told."""
_BUNDLED_ERRORS = 100


class Finding(Struct, frozen=True):
    """What a check came to. `hint`: what to do where it is not well."""

    check: str
    ok: bool
    message: str
    hint: str = ""


def examine(path: Path | None = None, *, now: float | None = None, show: Show | None = None) -> list[Finding]:
    """Return what every check came to, in the order they were made.

    Args:
        path: The configuration; None looks at the usual places.
        now: Unix seconds.
        show: Asks an upstream for its certificate; None asks none.

    Raises:
        ConfigError: There is no configuration.
    """
    now = time.time() if now is None else now
    path = find(path)
    told: list[Finding] = []
    try:
        loaded = load(path)
    except ConfigError as error:
        count = len(error.problems)
        message = f"{path}: {count} {'problem' if count == 1 else 'problems'}"
        return [Finding("configuration", False, message, "newapi validate says what")]
    told.append(Finding("configuration", True, f"{path} is valid"))
    told += _permissions(loaded)
    local = None
    try:
        told += _file(loaded)
        if all(finding.ok for finding in told if finding.check == "database"):
            local = open_local(path)
            told += _database(local, now)
            told += _workers(local)
    except NewapiError as error:
        told.append(Finding("database", False, mask(error.message), getattr(error, "hint", "")))
    if now < _EARLIEST:
        told.append(Finding("clock", False, "this machine's clock is years behind", "set it, and keep it with NTP"))
    found = references(loaded.config)
    told += _keyring(found)
    if local is not None:
        told += _resolved(local, found)
    told += _proxies(loaded, local)
    if show is not None:
        told += _certificates(loaded, now, show)
    told += _disk(state_directory(local) if local else path.resolve().parent)
    return told


def bundle(path: Path | None, told: list[Finding]) -> bytes:
    """Return a `.tar.gz` for whoever is asked for help: findings, configuration, versions, the last errors.

    References stand where secrets are; what any of them resolves to, and what looks like a key or a password, is
    hidden wherever else it may be.
    """
    texts = {"doctor.json": _json(told), "version.json": _json(_versions())}
    hidden: set[str] = set()
    try:
        loaded = load(path)
        texts["config.toml"] = as_toml(settings(loaded), origins=True)
        local = open_local(path)
        for found in references(loaded.config):
            if found.key != ("server", "master_key") and (secret := local.vault.peek(found.reference)):
                hidden.update(line for line in (secret.reveal(), *secret.reveal().splitlines()) if len(line) > 3)
        errors = records(local.db, RecordFilter(status="error", limit=_BUNDLED_ERRORS))
        texts["errors.json"] = _json([_error(msgspec.to_builtins(record)) for record in errors])
    except NewapiError as error:
        texts["incomplete.txt"] = f"{error.message}\n"
    archive = io.BytesIO()
    with tarfile.open(fileobj=archive, mode="w:gz") as tar:
        for name, text in texts.items():
            for secret in sorted(hidden, key=len, reverse=True):
                text = text.replace(secret, "***")
            data = mask(text).encode()
            entry = tarfile.TarInfo(f"newapi/{name}")
            entry.size, entry.mtime, entry.mode = len(data), int(time.time()), 0o600
            tar.addfile(entry, io.BytesIO(data))
    return archive.getvalue()


def _error(record: dict[str, object]) -> dict[str, object]:
    """Return what a line of the log says of a failure: nothing of who asked."""
    kept = ("created_at", "kind", "model", "channel_name", "status", "error", "duration_ms", "request_id")
    return {key: record.get(key) for key in kept}


def _versions() -> dict[str, str | int]:
    import platform  # noqa: PLC0415  (slow, and only here)

    return {
        "newapi": __version__,
        "schema": migrations.steps()[-1][0],
        "python": platform.python_version(),
        "platform": platform.platform(),
    }


def _json(value: object) -> str:
    return msgspec.json.format(msgspec.json.encode(value), indent=2).decode() + "\n"


def _permissions(loaded: Loaded) -> Iterator[Finding]:
    """Yield who may read the master key, and who may put another one in its place."""
    scheme, _, name = loaded.config.server.master_key.partition(":")
    directory = loaded.path.resolve().parent
    if scheme == "file" and os.name == "posix":
        key = directory / Path(name).expanduser()
        if key.exists():
            mode = key.stat().st_mode & 0o777
            message, hint = f"{key} has mode {mode:04o}", f"chmod 600 {key}"
            yield Finding("master key", not mode & 0o077, message, hint if mode & 0o077 else "")
        else:
            yield Finding("master key", True, f"{key} is made at the first use")
        if key.parent != directory and key.parent.is_dir():
            yield _directory(key.parent)
    if os.name == "posix":
        yield _directory(directory)


def _directory(directory: Path) -> Finding:
    mode = directory.stat().st_mode & 0o7777
    is_open = bool(mode & 0o002) and not mode & 0o1000
    message = f"{directory} has mode {mode:04o}"
    hint = f"others may replace what is in it: chmod o-w {directory}" if is_open else ""
    return Finding("directory", not is_open, message, hint)


def _file(loaded: Loaded) -> Iterator[Finding]:
    """Yield whether SQLite's file is there, may be written, and is nobody else's to read: it is not made here."""
    file = sqlite_path(loaded.config.server.database, loaded.path.resolve().parent)
    if file is None:
        return
    if not file.exists():
        yield Finding("database", False, f"{file} is not there", "newapi apply makes it")
        return
    if not os.access(file, os.R_OK | os.W_OK):
        yield Finding("database", False, f"{file} cannot be read and written", "who owns it?")
    if os.name == "posix" and (mode := file.stat().st_mode & 0o777) & 0o007:
        yield Finding("database file", False, f"{file} has mode {mode:04o}", f"chmod 600 {file}")


def _database(local: Local, now: float) -> Iterator[Finding]:
    db = local.db
    latest, seen = migrations.steps()[-1][0], migrations.version(db)
    yield Finding("database", True, f"{db.shown} answers")
    yield Finding("migrations", seen == latest, f"schema {seen} of {latest}", "" if seen == latest else "update newapi")
    with db.reading() as c:
        if db.dialect == "sqlite":
            said = str(c.execute_sql("PRAGMA quick_check").fetchone()[0])
            hint = "" if said == "ok" else "restore a backup"
            yield Finding("integrity", said == "ok", f"quick_check: {said}", hint)
            # SQLite has no clock of its own: what was written last must not be in the future.
            row = c.execute_sql("SELECT MAX(created_at) FROM audit").fetchone()
            behind = float(row[0] or 0) - now
        else:
            query = "EXTRACT(EPOCH FROM clock_timestamp())" if db.dialect == "postgresql" else "UNIX_TIMESTAMP()"
            behind = abs(float(c.execute_sql(f"SELECT {query}").fetchone()[0]) - now)
    is_off = behind > CLOCK_SECONDS
    message = f"{behind:.0f} seconds off the database" if is_off else "agrees with the database"
    yield Finding("clock", not is_off, message, "keep it with NTP" if is_off else "")


def _workers(local: Local) -> Iterator[Finding]:
    """Yield whether the server that runs here has the workers it wants, and whether they last."""
    found = running(local)
    if found is None:
        return
    serving = [worker for worker in found.workers if worker.state == "serving"]
    restarts = sum({worker.slot: worker.restarts for worker in found.workers}.values())
    all_there = len(serving) >= found.wanted
    message = f"{len(serving)} of {found.wanted} serve" + (f", {restarts} were started again" if restarts else "")
    yield Finding("workers", all_there and not restarts, message, "its log says why they ended" if restarts else "")


def _keyring(found: list[Found]) -> Iterator[Finding]:
    uses = [f for f in found if f.reference.startswith("keyring:")]
    name, problem = secrets.keyring_backend()
    if problem:
        hint = "use env:, file: or secret:" if uses else ""
        needed = "" if uses else "; no reference needs one"
        yield Finding("keyring", not uses, f"{problem}{needed}", hint)
    else:
        yield Finding("keyring", True, name)


def _resolved(local: Local, found: list[Found]) -> Iterator[Finding]:
    for reference in found:
        if reference.key == ("server", "master_key"):
            continue  # its file is made at the first use; the permissions were looked at
        shown = reference.reference if not reference.reference.startswith("cmd:") else "cmd"
        try:
            local.resolve(reference.reference)
        except NewapiError as error:
            hint = getattr(error, "hint", "")
            yield Finding("reference", False, f"{reference.where}: {mask(error.message)}", hint)
        else:
            yield Finding("reference", True, f"{reference.where}: {shown} resolves")


def _proxies(loaded: Loaded, local: Local | None) -> Iterator[Finding]:
    for url in sorted({channel.proxy for channel in loaded.config.channels.values() if channel.proxy}):
        try:
            parts = urlsplit(local.resolve(url).reveal() if local and secrets.is_reference(url) else url)
        except NewapiError:
            continue  # told among the references
        host, port = parts.hostname or "", parts.port or {"http": 80, "https": 443}.get(parts.scheme, 1080)
        try:
            socket.create_connection((host, port), _PROXY_SECONDS).close()
        except OSError as error:
            reason = (error.strerror or str(error)).lower()
            yield Finding("proxy", False, f"{host}:{port}: {reason}", "channels that use it cannot be reached")
        else:
            yield Finding("proxy", True, f"{host}:{port} answers")


def _certificates(loaded: Loaded, now: float, show: Show) -> Iterator[Finding]:
    """Yield what the upstreams of enabled channels show that are asked without a proxy."""
    direct = [spec for spec in loaded.config.channels.values() if spec.enabled and not spec.proxy]
    urls = [spec.base_url or providers.get(spec.type).base_url for spec in direct]
    for found in all_shown(places(urls), show):
        days = int((found.until - now) // 86_400)
        if found.is_time:
            yield Finding("TLS", False, f"{found.host}: {found.problem}", "is the clock of this machine right?")
        elif found.problem:
            hint = "channels that use it cannot be reached"
            yield Finding("TLS", False, f"{found.host}:{found.port}: {found.problem}", hint)
        else:
            message = f"{found.host}: the certificate is good for {days} days"
            yield Finding("TLS", days >= _DAYS, message, "" if days >= _DAYS else "whoever runs it has to renew it")


def _disk(directory: Path) -> Iterator[Finding]:
    free = shutil.disk_usage(directory).free
    message = f"{free // (1024 * 1024)} MiB free at {directory}"
    is_low = free < FREE_BYTES
    hint = "`log.keep_days` and newapi db prune make room" if is_low else ""
    yield Finding("disk", not is_low, message, hint)
