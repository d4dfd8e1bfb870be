"""What only the database or the world outside says against a configuration: `errors/<case>.toml` and `errors/<case>.txt`.

    NEWAPI_UPDATE_GOLDEN=1 pytest tests/ops/test_config_errors.py

writes the texts anew; what changed in them is for whoever reviews it. A new case is a new `.toml` with an empty `.txt`.
"""

from __future__ import annotations

import os
from functools import partial
from pathlib import Path

import pytest
from msgspec.structs import replace

from newapi import secrets
from newapi.base.errors import ConfigError, NewapiError, Problem
from newapi.base.secret import Secret
from newapi.config.load import load
from newapi.config.render import render
from newapi.config.schema import ChannelSpec, TokenSpec
from newapi.ops import apply, online, plan, tokens, users
from newapi.ops.local import Local
from newapi.ops.vault import Vault
from tests.support import told

ERRORS = Path(__file__).parent / "errors"
CASES = sorted(path.stem for path in ERRORS.glob("*.txt"))


@pytest.fixture
def there(local: Local, monkeypatch: pytest.MonkeyPatch) -> Local:
    """A gateway with a user, and a token that has a key already; references are those of the environment."""
    monkeypatch.chdir(ERRORS)
    for name in ("TAKEN", "CI", "OTHER"):
        monkeypatch.setenv(name, f"sk-{name.lower() * 9}")
    vault = Vault(partial(secrets.resolve, base_dir=ERRORS), bytes, bytes)
    local = replace(local, vault=vault)
    users.create(local.db, users.NewUser(name="ann", password=Secret("hunter2hunter2")), who="test")
    tokens.create(local, "taken", TokenSpec(key="env:TAKEN"), who="test")
    return local


def _ask(spec: ChannelSpec, key: Secret) -> list[str]:
    if spec.keys:
        raise NewapiError(f"HTTP 401: the key {key.reveal()} is not valid")
    return list(spec.models)


def _problems(local: Local, case: str) -> list[Problem]:
    loaded = load(Path(f"{case}.toml"))
    local = replace(local, config=loaded.config, places=loaded.places)
    try:
        apply.apply(local, loaded.config, who="test")
    except ConfigError as error:
        return error.problems
    return list(online.check_online(local, ask=_ask).problems)


@pytest.mark.parametrize("case", CASES)
def test_what_is_wrong_is_told(there: Local, case: str) -> None:
    text, golden = render(_problems(there, case)) + "\n", Path(f"{case}.txt")
    if os.environ.get("NEWAPI_UPDATE_GOLDEN"):
        golden.write_text(text)
    assert text == golden.read_text()
    assert "hunter2" not in text
    assert "otherother" not in text, "a key is shown"


def test_every_problem_has_a_case(there: Local) -> None:
    with told.watching() as places:
        with pytest.raises(ConfigError):
            plan.Choice(["chanels/a"])
        for case in CASES:
            _problems(there, case)
    assert told.untold(told.sites(plan, apply, online), places) == []
