"""Opening a SQLite file that somebody else is just making."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest

from syncline.databases import sqlite
from syncline.databases.sqlite import SqliteDatabase


def test_a_file_that_another_is_writing_its_first_table_to_is_waited_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """SQLite itself has no patience here: the switch to WAL is refused at once, whatever the timeout."""
    other = sqlite3.connect(tmp_path / "new.db", isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    other.execute("CREATE TABLE things (id)")
    waited: list[float] = []

    def sleep(seconds: float) -> None:
        waited.append(seconds)
        if len(waited) == 3:
            other.execute("COMMIT")

    monkeypatch.setattr(sqlite.time, "sleep", sleep)
    database = SqliteDatabase.open(tmp_path / "new.db")
    assert len(waited) == 3 and database.has_table("things")
    assert database.execute("PRAGMA journal_mode").fetchone() == ("wal",)
    database.close()
    other.close()
