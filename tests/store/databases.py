"""The database that tests use: a new SQLite file, or the server that `NEWAPI_TEST_DB` names, emptied."""

from __future__ import annotations

import os
from pathlib import Path

from playhouse import db_url

from newapi.store.database import Database, open_database
from newapi.store.models import TABLES


def url() -> str:
    """Return the URL of the server to test on, or "" for SQLite."""
    return os.environ.get("NEWAPI_TEST_DB", "")


def fresh(directory: Path) -> Database:
    """Return an empty database."""
    if not url():
        return open_database("sqlite:///test.db", relative_to=directory)
    raw = db_url.connect(url())
    quote = raw.quote[0]
    for table in ("schema_version", *(model._meta.table_name for model in TABLES)):
        raw.execute_sql(f"DROP TABLE IF EXISTS {quote}{table}{quote}")
    raw.close()
    return open_database(url())
