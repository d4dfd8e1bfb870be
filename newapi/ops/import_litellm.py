"""LiteLLM's `config.yaml` taken over: channels, prices, fallbacks, routing, and the master key as a token."""

from __future__ import annotations

import glob
import hashlib
import hmac
import time
from pathlib import Path
from typing import Any

from msgspec.structs import replace

from newapi.base.errors import StoreError
from newapi.base.secret import Secret
from newapi.config.schema import Config
from newapi.ops import litellm, plan
from newapi.ops.apply import apply
from newapi.ops.export import export
from newapi.ops.importing import Count, Imported, Left, importing
from newapi.ops.local import Local, master_key
from newapi.store import audit, declared, sealed, specs
from newapi.store import snapshot as stored
from newapi.store.declared import Declared


def is_litellm(source: str) -> bool:
    """Say whether a source is LiteLLM's configuration: by the name of the file."""
    return Path(source).suffix in (".yaml", ".yml")


def import_litellm(local: Local, file: Path, *, dry_run: bool = False, who: str, now: float | None = None) -> Imported:
    """Take a configuration of LiteLLM's proxy over, in one transaction.

    Keys that stand in it are sealed and referred to. What is there already stays: a channel of another one's name gets
    a number, and a second import finds its own.

    Args:
        local: Where to.
        file: The `config.yaml`.
        dry_run: Do it, see what comes of it, and undo it.
        who: Who does it.
        now: Unix seconds.

    Raises:
        StoreError: The file cannot be read, or is no such file; nothing was changed.
        ConfigError: What comes of it cannot be applied.
    """
    now = time.time() if now is None else now
    try:
        text = file.read_text("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise StoreError(f"{file} cannot be read: {error}") from None
    with importing(local.db, dry_run=dry_run) as c:
        before = stored.load(local.db)
        keep = _keeper(local)
        made = litellm.convert(text, keep, routing=before.routing, health=before.health)
        there = declared.read(c)
        config, counts, renamed = _beside(made.config, there)
        only = [
            *made.sections,
            *(f"{kind}/{glob.escape(name)}" for kind in plan.KINDS for name in getattr(config, kind)),
        ]
        if only:
            applied = apply(local, config, who=who, source=file.name, prune=False, only=only, now=now)
            after = declared.read(c)
            for change in applied.changes:
                if change.action == "create":  # no file declares it: an apply of one leaves it alone
                    declared.update(c, change.kind, after.of(change.kind)[change.name].key, {"managed": ""})
        audit.note(c, audit.Entry(now, who, "import", file.name))
        left = [Left("litellm", one.where, "", one.reason) for one in made.missed]
        left += [Left("channels", name, "", f"it is called {new!r} here") for name, new in renamed.items()]
        return Imported("LiteLLM", tuple(counts), tuple(left), export(local.db))


def _keeper(local: Local) -> litellm.Keep:
    """Return what seals a key. The same key has the same name, which says nothing of it."""
    seal = master_key(local)

    def keep(secret: Secret) -> str:
        name = "litellm/" + hmac.new(seal, secret.reveal().encode(), hashlib.sha256).hexdigest()[:12]
        if sealed.find(local.db, name) is None:
            sealed.put(local.db, name, local.vault.seal(secret))
        return f"secret:{name}"

    return keep


def _beside(config: Config, there: Declared) -> tuple[Config, list[Count], dict[str, str]]:
    """Return what is new of `config`, how many of each kind that is, and channels that get another name."""
    counts: list[Count] = []
    renamed: dict[str, str] = {}
    fresh: dict[str, dict[str, Any]] = {}
    for kind in ("channels", "models", "tokens"):
        count, rows = Count(kind), there.of(kind)
        found = fresh.setdefault(kind, {})
        for name, spec in getattr(config, kind).items():
            new, number, text = name, 1, specs.encode(spec)
            while kind == "channels" and (new in found or (new in rows and rows[new].spec != text)):
                number += 1
                new = f"{spec.type}-{number}"
            if new in rows:
                count.there += 1
                continue
            found[new] = spec
            count.new += 1
            if new != name:
                renamed[name] = new
        if count.new + count.there:
            counts.append(count)
    return replace(config, **fresh), counts, renamed
