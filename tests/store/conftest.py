from __future__ import annotations

from collections.abc import Iterator

import pytest

from newapi.store.database import Database, open_database


@pytest.fixture
def db(database_url: str) -> Iterator[Database]:
    """An empty database, of each kind."""
    database = open_database(database_url)
    yield database
    database.close()
