from __future__ import annotations

from pathlib import Path

import pytest

from newapi.store.database import Database, open_database


@pytest.fixture
def db(tmp_path: Path) -> Database:
    """An empty database in a file."""
    return open_database("sqlite:///test.db", relative_to=tmp_path)
