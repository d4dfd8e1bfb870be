"""References to secrets, and what they resolve to. The only importer of keyring.

A configuration never holds a secret, only where it is: `env:NAME`, `file:PATH`, `keyring:NAME`, `cred:NAME` (a systemd
credential), `secret:NAME` (encrypted in the gateway's database), `cmd:COMMAND`. An error here names the reference and
never shows a part of the secret.
"""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from newapi.base.errors import NewapiError
from newapi.base.nearest import nearest
from newapi.base.secret import Secret
from newapi.config.values import SCHEMES

SERVICE = "newapi"
"""The keyring's service."""
KEY_BYTES = 32
_NONCE_BYTES = 12
_COMMAND_SECONDS = 30.0


class NoSecret(NewapiError):
    """A reference does not resolve.

    Attributes:
        reference: What was to be resolved.
        hint: What to do.
    """

    code = "no_secret"

    def __init__(self, reference: str, message: str, hint: str = "") -> None:
        super().__init__(f"{reference}: {message}")
        self.reference = reference
        self.hint = hint


def is_reference(text: str) -> bool:
    """Say whether `text` is a reference, by its form."""
    scheme, colon, rest = text.partition(":")
    return bool(colon and rest) and scheme in SCHEMES


def resolve(
    reference: str,
    *,
    base_dir: Path,
    allow_cmd: bool = False,
    database: Callable[[str], Secret | None] | None = None,
) -> Secret:
    """Return the secret that `reference` names.

    Args:
        reference: `scheme:name`.
        base_dir: What `file:` is relative to: the directory of the configuration.
        allow_cmd: `server.allow_cmd_secrets`.
        database: Finds what `secret:` names, None where there is nothing of that name.

    Raises:
        NoSecret: It does not resolve.
    """
    scheme, _, name = reference.partition(":")
    if not is_reference(reference):
        # It may be the secret itself, written where a reference belongs: it is not repeated.
        raise NoSecret("a secret", "not a reference", f"write one of {', '.join(f'{s}:…' for s in SCHEMES)}")
    match scheme:
        case "env":
            found = os.environ.get(name)
            if found is None:
                near = nearest(name, os.environ)
                hint = f"did you mean env:{near}?" if near else f"export {name}=…"
                raise NoSecret(reference, "the environment has no such variable", hint)
        case "file":
            found = _read(reference, base_dir / Path(name).expanduser())
        case "cred":
            found = _credential(reference, name)
        case "keyring":
            found = _from_keyring(reference, name)
        case "secret":
            secret = database(name) if database else None
            if secret is None:
                hint = f"newapi secret set {name} --in database"
                raise NoSecret(reference, "the database has no such secret", hint)
            found = secret.reveal()
        case _:
            if not allow_cmd:
                hint = "`allow_cmd_secrets = true` in [server] allows them"
                raise NoSecret("cmd", "commands are not run for secrets here", hint)
            found = _run(name)
    if not found:
        raise NoSecret("cmd" if scheme == "cmd" else reference, "it is empty")
    return Secret(found)


def _read(reference: str, path: Path) -> str:
    """Return a file's text without the newline that editors put at its end."""
    try:
        text = path.read_text(encoding="utf-8")
    except OSError as error:
        raise NoSecret(reference, (error.strerror or "cannot be read").lower(), f"looked at {path}") from None
    except UnicodeDecodeError:
        raise NoSecret(reference, "the file is not text", f"looked at {path}") from None
    return text.removesuffix("\n").removesuffix("\r")


def _credential(reference: str, name: str) -> str:
    directory = os.environ.get("CREDENTIALS_DIRECTORY")
    if not directory:
        hint = f"LoadCredential={name}:/path in the unit"
        raise NoSecret(reference, "this process was given no credentials by systemd", hint)
    if "/" in name or name in (".", ".."):
        raise NoSecret(reference, "the name of a credential holds no slash")
    return _read(reference, Path(directory) / name)


def _run(command: str) -> str:
    """Return what a command prints. Its words may hold secrets: an error repeats neither them nor the command."""
    try:
        done = subprocess.run(  # noqa: S602  (the operator's own command, and only where the operator allows it)
            command, shell=True, stdin=subprocess.DEVNULL, capture_output=True, timeout=_COMMAND_SECONDS, check=True
        )
        text = done.stdout.decode()
    except subprocess.CalledProcessError as error:
        raise NoSecret("cmd", f"the command ended with {error.returncode}") from None
    except subprocess.TimeoutExpired:
        raise NoSecret("cmd", f"the command took longer than {_COMMAND_SECONDS:.0f} seconds") from None
    except UnicodeDecodeError:
        raise NoSecret("cmd", "the command printed what is not text") from None
    return text.removesuffix("\n").removesuffix("\r")


def _from_keyring(reference: str, name: str) -> str:
    found = _keyring(reference, lambda ring: ring.get_password(SERVICE, name))
    if found is None:
        raise NoSecret(reference, "the keyring has no such entry", f"newapi secret set {name}")
    return found


def keep(name: str, secret: Secret) -> None:
    """Put a secret into the keyring, where `keyring:NAME` finds it.

    Raises:
        NoSecret: There is no keyring here, or only one that keeps secrets as plain text.
    """
    _keyring(f"keyring:{name}", lambda ring: ring.set_password(SERVICE, name, secret.reveal()))


def forget(name: str) -> None:
    """Take a secret out of the keyring.

    Raises:
        NoSecret: It is not there, or there is no keyring.
    """
    _keyring(f"keyring:{name}", lambda ring: ring.delete_password(SERVICE, name))


def keyring_backend() -> tuple[str, str]:
    """Return what keeps the keyring here, and why it cannot be used, or ""."""
    import keyring  # noqa: PLC0415
    import keyring.backends.fail  # noqa: PLC0415

    ring = keyring.get_keyring()
    name = f"{type(ring).__module__}.{type(ring).__name__}"
    if isinstance(ring, keyring.backends.fail.Keyring):
        return name, "there is no keyring here"
    if _plain(ring) is not None:
        return name, f"the keyring here keeps secrets as plain text ({name})"
    return name, ""


def _plain(ring: object) -> object | None:
    """Return the backend of a keyring that keeps secrets as plain text, None where none does."""
    # Those are `keyrings.alt.file.PlaintextKeyring` and its like; a chain holds several.
    used = [ring, *getattr(ring, "backends", ())]
    return next((r for r in used if "plaintext" in type(r).__name__.lower()), None)


def _keyring(reference: str, do: Callable[..., str | None]) -> str | None:
    import keyring  # noqa: PLC0415  (100 ms, and most commands need none)
    import keyring.errors  # noqa: PLC0415

    ring = keyring.get_keyring()
    if (plain := _plain(ring)) is not None:
        where = f"{type(plain).__module__}.{type(plain).__name__}"
        raise NoSecret(reference, f"the keyring here keeps secrets as plain text ({where})", "use file: or env:")
    try:
        return do(ring)
    except keyring.errors.NoKeyringError:
        raise NoSecret(reference, "there is no keyring here", "use env:, file: or secret:") from None
    except keyring.errors.PasswordDeleteError:
        raise NoSecret(reference, "the keyring has no such entry") from None
    except keyring.errors.KeyringError as error:
        raise NoSecret(reference, f"the keyring refused: {type(error).__name__}") from None


def master_key(path: Path) -> bytes:
    """Return the master key in the file at `path`: 32 bytes; made, readable by its owner alone, when there is none.

    Raises:
        NoSecret: It cannot be read or made, is not 32 bytes, or others may read it.
    """
    reference = f"file:{path}"
    try:
        with suppress(FileExistsError):
            _create(path, os.urandom(KEY_BYTES))
        key = path.read_bytes()
        mode = path.stat().st_mode & 0o777
    except OSError as error:
        raise NoSecret(
            reference, (error.strerror or "cannot be read").lower(), "server.master_key says where"
        ) from None
    if len(key) != KEY_BYTES:
        hint = "restore it from a backup: what it has encrypted cannot be read without it"
        raise NoSecret(reference, f"a master key is {KEY_BYTES} bytes, this has {len(key)}", hint)
    if os.name == "posix" and mode & 0o077:
        raise NoSecret(reference, f"others may read the master key (mode {mode:04o})", f"chmod 600 {path}")
    return key


def _create(path: Path, content: bytes) -> None:
    """Make a file with its whole content at once, so that of two processes that start together one makes it.

    Raises:
        FileExistsError: There is one.
    """
    if path.exists():
        raise FileExistsError
    draft = path.with_name(f"{path.name}.{os.urandom(4).hex()}.tmp")
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        os.link(draft, path)
    finally:
        draft.unlink()


def seal(master: bytes, plaintext: bytes) -> bytes:
    """Return `plaintext` encrypted and authenticated with AES-GCM: 12 bytes of nonce, then the cipher and its tag."""
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM  # noqa: PLC0415  (not for commands that need none)

    nonce = os.urandom(_NONCE_BYTES)
    return nonce + AESGCM(master).encrypt(nonce, plaintext, None)


def unseal(master: bytes, sealed: bytes) -> bytes:
    """Return what was sealed.

    Raises:
        NoSecret: It was changed, or sealed with another master key.
    """
    from cryptography.exceptions import InvalidTag  # noqa: PLC0415
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM  # noqa: PLC0415

    try:
        return AESGCM(master).decrypt(sealed[:_NONCE_BYTES], sealed[_NONCE_BYTES:], None)
    except (InvalidTag, ValueError):
        hint = "is it the master key that the database was made with?"
        raise NoSecret("a sealed secret", "the master key does not open it", hint) from None
