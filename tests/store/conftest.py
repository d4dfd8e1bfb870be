from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from newapi.store.database import Database
from tests.store.databases import fresh


@pytest.fixture
def db(tmp_path: Path) -> Iterator[Database]:
    """An empty database."""
    database = fresh(tmp_path)
    yield database
    database.close()
