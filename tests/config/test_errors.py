"""Every problem that a configuration can have, as it is told: `errors/<case>.toml` and `errors/<case>.txt`.

    NEWAPI_UPDATE_GOLDEN=1 pytest tests/config/test_errors.py

writes the texts anew; what changed in them is for whoever reviews it. A new case is a new `.toml` with an empty `.txt`;
`parts/` are what cases include.
"""

from __future__ import annotations

import os
import re
from pathlib import Path

import pytest

from newapi.base.errors import ConfigError
from newapi.config import check, load, read
from newapi.config.render import render
from tests.support import told

TELLERS = {"config/check.py", "config/load.py", "config/read.py"}
"""The modules whose problems have their cases here."""
OTHERS = {
    *("base/errors.py", "config/findings.py", "config/render.py", "cli/output.py"),  # what a problem is, and looks like
    *("ops/plan.py", "ops/apply.py", "ops/online.py"),  # tests/ops/test_config_errors.py
    *("ops/remote_gateway.py", "cli/commands/validate.py", "ops/their_channels.py"),  # pass on what another one told
    *("ops/contexts.py", "tui/settings.py", "cli/commands/channel/_spec.py"),  # about other files
}
ERRORS = Path(__file__).parent / "errors"
WITHOUT_A_FILE = {
    "no_configuration": None,
    "no_such_file": Path("elsewhere/config.toml"),
    "no_such_file_but_a_near_one": Path("parts/gruops.toml"),
}
CASES = sorted(path.stem for path in ERRORS.glob("*.txt"))


def _told(case: str) -> str:
    with pytest.raises(ConfigError) as caught:
        load.load(WITHOUT_A_FILE.get(case, Path(f"{case}.toml")))
    return render(caught.value.problems) + "\n"


@pytest.fixture(autouse=True)
def _there(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ERRORS)
    monkeypatch.setenv("XDG_CONFIG_HOME", "/home/me/.config")


@pytest.mark.parametrize("case", CASES)
def test_what_is_wrong_is_told(case: str) -> None:
    text, golden = _told(case), Path(f"{case}.txt")
    if os.environ.get("NEWAPI_UPDATE_GOLDEN"):
        golden.write_text(text)
    assert text == golden.read_text()
    assert "0123456789" not in text, "a secret is shown"
    assert "hunter2" not in text, "a secret is shown"


def test_every_problem_has_a_case() -> None:
    with told.watching() as places:
        for case in CASES:
            _told(case)
    assert told.untold(told.sites(check, load, read), places) == []


def test_every_sentence_is_in_a_case() -> None:
    told_so_far = " ".join(Path(f"{case}.txt").read_text() for case in CASES)
    there = {**told.sentences(check), **told.sentences(load), **told.sentences(read)}
    assert [text for text, like in there.items() if not like.search(told_so_far)] == []


def test_no_other_module_tells_problems() -> None:
    package = Path(check.__file__).parents[1]
    files = (path for path in package.rglob("*.py") if re.search(r"\b(?:Problem|Findings)\b", path.read_text()))
    assert {path.relative_to(package).as_posix() for path in files} == TELLERS | OTHERS
