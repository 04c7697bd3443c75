"""The tables every run keeps."""

from __future__ import annotations

from collections.abc import Iterator

from syncline.databases import Database, Word
from syncline.errors import StateError, SynclineError

VERSION = 4

TABLES: dict[str, dict[str, tuple[Word, str]]] = {
    "sync_state": {
        "integration": ("key", "PRIMARY KEY NOT NULL"),
        "last_cursor": ("text", ""),
        "last_sync_at": ("time", ""),
        "items_synced": ("integer", "DEFAULT 0 NOT NULL"),
        "status": ("short", "DEFAULT 'idle' NOT NULL"),
        "error": ("text", ""),
        "checkpoint": ("text", ""),
        "fence": ("integer", "DEFAULT 0 NOT NULL"),
        "owner": ("text", ""),
        "lease_until": ("time", ""),
        "run_id": ("key", ""),
        "commits": ("integer", "DEFAULT 0 NOT NULL"),
    },
    "syncline_runs": {
        "id": ("key", "PRIMARY KEY NOT NULL"),
        "integration": ("key", "NOT NULL"),
        "started": ("time", "NOT NULL"),
        "finished": ("time", ""),
        "status": ("short", "NOT NULL"),
        "report": ("text", ""),
    },
    "syncline_rejects": {
        "id": ("serial", ""),
        "stream": ("key", "NOT NULL"),
        "run_id": ("key", "NOT NULL"),
        "path": ("text", "NOT NULL"),
        "reason": ("text", "NOT NULL"),
        "record": ("text", "NOT NULL"),
        "created": ("time", "NOT NULL"),
        "attempts": ("integer", "DEFAULT 0 NOT NULL"),
        "status": ("short", "DEFAULT 'open' NOT NULL"),
    },
    "syncline_outbox": {
        "id": ("key", "PRIMARY KEY NOT NULL"),
        "stream": ("key", "NOT NULL"),
        "source_key": ("text", "NOT NULL"),
        "operation": ("short", "NOT NULL"),
        "content": ("text", "NOT NULL"),
        "digest": ("key", "NOT NULL"),
        "request": ("text", "NOT NULL"),
        "call_id": ("key", "NOT NULL"),
        "place": ("integer", "NOT NULL"),
        "idempotency_key": ("key", ""),
        "outcome": ("short", "NOT NULL"),
        "remote_id": ("text", ""),
        "path": ("text", ""),
        "reason": ("text", ""),
        "record": ("text", ""),
        "letter": ("integer", ""),
        "passed": ("integer", "DEFAULT 0 NOT NULL"),
        "run_id": ("key", "NOT NULL"),
        "created": ("time", "NOT NULL"),
    },
    "syncline_links": {
        "id": ("key", "PRIMARY KEY NOT NULL"),
        "stream": ("key", "NOT NULL"),
        "source_key": ("text", "NOT NULL"),
        "remote_id": ("text", "NOT NULL"),
        "digest": ("key", "NOT NULL"),
        "seen": ("key", "NOT NULL"),
        "updated": ("time", "NOT NULL"),
    },
    "syncline_circuits": {
        "id": ("key", "PRIMARY KEY NOT NULL"),
        "origin": ("text", "NOT NULL"),
        "opened": ("time", "NOT NULL"),
        "failure": ("text", "NOT NULL"),
    },
    "syncline_version": {"version": ("integer", "PRIMARY KEY NOT NULL")},
}
INDEXES = {
    "syncline_rejects_open": ("syncline_rejects", ("stream", "status")),
    "syncline_outbox_of_stream": ("syncline_outbox", ("stream",)),
    "syncline_links_of_stream": ("syncline_links", ("stream",)),
    "syncline_runs_recent": ("syncline_runs", ("integration", "started")),
}
ADDED: dict[int, tuple[tuple[str, str], ...]] = {2: (("sync_state", "commits"),), 3: (), 4: ()}
"""Columns that came with a version, for tables that an earlier one made."""
TRIES = 3


def prepare(database: Database) -> None:
    """Create what is missing; writes only where something is. Raises StateError for a newer version's tables."""
    for tried in range(1, TRIES + 1):
        version = _version_of(database)
        if version == VERSION:
            return
        if version is not None and version > VERSION:
            raise StateError(
                f"the state tables are of version {version}; this Syncline knows version {VERSION}",
                hint="upgrade Syncline to the version that wrote them",
            )
        try:
            _bring_up(database, version)
        except SynclineError:
            if tried == TRIES:  # somebody else may just have done the same
                raise


def exist(database: Database) -> bool:
    with database.explained():
        return database.has_table("sync_state")


def _bring_up(database: Database, version: int | None) -> None:
    with database.transaction():
        for statement in _statements(database, version):
            database.define(statement)
        for name, (table, columns) in INDEXES.items():
            database.define_index(name, table, columns)
        if version is None:
            database.execute("INSERT INTO syncline_version (version) VALUES (?)", (VERSION,))
        else:
            database.execute("UPDATE syncline_version SET version = ?", (VERSION,))


def _statements(database: Database, version: int | None) -> Iterator[str]:
    yield from database.before_tables
    for number in range((version or VERSION) + 1, VERSION + 1):
        for table, column in ADDED[number]:
            if _has_column(database, table, column):
                continue  # a killed process came so far, in a database where that cannot be taken back
            yield f"ALTER TABLE {table} ADD COLUMN {_column(database, table, column)}"
    for table, columns in TABLES.items():
        listed = ", ".join(_column(database, table, column) for column in columns)
        yield f"CREATE TABLE IF NOT EXISTS {table} ({listed})"


def _has_column(database: Database, table: str, column: str) -> bool:
    found = database.execute(f"SELECT * FROM {table} WHERE 1 = 0").description or ()  # noqa: S608 – ours
    return column in {name for name, *_ in found}


def _column(database: Database, table: str, column: str) -> str:
    word, rest = TABLES[table][column]
    return f"{column} {database.words[word]} {rest}".rstrip()


def _version_of(database: Database) -> int | None:
    with database.explained():
        if not database.has_table("syncline_version"):
            return None
        found = database.execute("SELECT max(version) FROM syncline_version").fetchone()
        return None if found[0] is None else int(found[0])
