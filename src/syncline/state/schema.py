"""The tables every run keeps."""

from __future__ import annotations

import sqlite3

from syncline.errors import StateError
from syncline.state.sqlite import transaction

VERSION = 1

TABLES = (
    """CREATE TABLE IF NOT EXISTS sync_state (
        integration VARCHAR(100) PRIMARY KEY NOT NULL,
        last_cursor TEXT,
        last_sync_at TEXT,
        items_synced INTEGER NOT NULL DEFAULT 0,
        status VARCHAR(20) NOT NULL DEFAULT 'idle',
        error TEXT,
        checkpoint TEXT,
        fence INTEGER NOT NULL DEFAULT 0,
        owner TEXT,
        lease_until TEXT,
        run_id TEXT
    )""",
    """CREATE TABLE IF NOT EXISTS syncline_runs (
        id VARCHAR(100) PRIMARY KEY NOT NULL,
        integration VARCHAR(100) NOT NULL,
        started TEXT NOT NULL,
        finished TEXT,
        status VARCHAR(20) NOT NULL,
        report TEXT
    )""",
    """CREATE TABLE IF NOT EXISTS syncline_rejects (
        id INTEGER PRIMARY KEY AUTOINCREMENT,
        stream VARCHAR(100) NOT NULL,
        run_id VARCHAR(100) NOT NULL,
        path TEXT NOT NULL,
        reason TEXT NOT NULL,
        record TEXT NOT NULL,
        created TEXT NOT NULL,
        attempts INTEGER NOT NULL DEFAULT 0,
        status VARCHAR(20) NOT NULL DEFAULT 'open'
    )""",
    "CREATE INDEX IF NOT EXISTS syncline_rejects_open ON syncline_rejects (stream, status)",
    "CREATE INDEX IF NOT EXISTS syncline_runs_recent ON syncline_runs (integration, started)",
    "CREATE TABLE IF NOT EXISTS syncline_version (version INTEGER NOT NULL)",
)


def prepare(connection: sqlite3.Connection) -> None:
    """Create what is missing; takes the write lock only where something is. Raises StateError for a newer version's tables."""
    version = _version_of(connection)
    if version == VERSION:
        return
    if version is not None:
        raise StateError(
            f"the state tables are of version {version}; this Syncline knows version {VERSION}",
            hint="upgrade Syncline to the version that wrote them",
        )
    with transaction(connection):
        for statement in TABLES:
            connection.execute(statement)
        if _version_of(connection) is None:
            connection.execute("INSERT INTO syncline_version VALUES (?)", (VERSION,))


def _version_of(connection: sqlite3.Connection) -> int | None:
    known = connection.execute(
        "SELECT 1 FROM sqlite_master WHERE type = 'table' AND name = 'syncline_version'"
    ).fetchone()
    found = connection.execute("SELECT max(version) FROM syncline_version").fetchone() if known else None
    return found[0] if found else None
