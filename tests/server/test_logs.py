from __future__ import annotations

import logging
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from newapi.config.schema import LogSpec
from newapi.server.logs import configure


@pytest.fixture(autouse=True)
def as_it_was() -> Iterator[None]:
    root = logging.getLogger()
    before, level = root.handlers[:], root.level
    yield
    for handler in root.handlers:
        if handler not in before:
            handler.close()
    root.handlers[:], root.level = before, level


def test_json_to_a_file(tmp_path: Path) -> None:
    configure(LogSpec(format="json", directory="logs"), tmp_path)
    log = logging.getLogger("newapi.test")
    log.debug("not told")
    log.info("a line with %r", 'a "quote"\n')
    try:
        raise ValueError("why")
    except ValueError:
        log.exception("it broke")
    told = [msgspec.json.decode(line) for line in (tmp_path / "logs" / "newapi.log").read_text().splitlines()]
    assert [(t["level"], t["logger"], t["message"]) for t in told] == [
        ("info", "newapi.test", "a line with 'a \"quote\"\\n'"),
        ("error", "newapi.test", "it broke"),
    ]
    assert "ValueError: why" in told[1]["trace"]
    assert (tmp_path / "logs").stat().st_mode & 0o777 == 0o700


def test_lines_for_people(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    configure(LogSpec(level="warning"), tmp_path)
    logging.getLogger("newapi").info("quiet")
    logging.getLogger("newapi").warning("loud")
    assert capsys.readouterr().err.endswith("WARNING loud\n")
