"""Shared limits in a file, for the processes and threads of one host."""

from __future__ import annotations

import asyncio
import sqlite3
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from time import monotonic, sleep

from syncline.http.shared_store import STORE_SECONDS, Kept
from syncline.model import Clock

TABLE = (
    "CREATE TABLE IF NOT EXISTS shared_limits (name TEXT PRIMARY KEY, version INTEGER NOT NULL, value BLOB NOT NULL)"
)
PUT_FIRST = "INSERT INTO shared_limits VALUES (?, 1, ?) ON CONFLICT DO NOTHING"
PUT = "UPDATE shared_limits SET version = version + 1, value = ? WHERE name = ? AND version = ?"
LOOK = "SELECT version, CASE WHEN version <> ? THEN value END FROM shared_limits WHERE name = ?"
BUSY_SECONDS = STORE_SECONDS / 2
LOOK_AGAIN = 0.001
"""Seconds; SQLite by itself looks after up to a tenth of one, while others come and go."""


class SqliteStore:
    """One row of an SQLite file, on one thread of its own. Time is the host's wall clock, which survives its restart."""

    def __init__(self, path: Path, clock: Clock) -> None:
        self._path, self._clock = path, clock
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="shared-limits")
        self._connection: sqlite3.Connection | None = None

    async def swap(self, key: str, known: int, value: bytes | None) -> Kept:
        return await asyncio.get_running_loop().run_in_executor(self._thread, self._swap, key, known, value)

    async def close(self) -> None:
        await asyncio.get_running_loop().run_in_executor(self._thread, self._close)
        self._thread.shutdown(wait=False)

    def _swap(self, key: str, known: int, value: bytes | None) -> Kept:
        give_up = monotonic() + BUSY_SECONDS
        while True:
            try:
                return self._swap_once(key, known, value)
            except sqlite3.OperationalError as error:
                if error.sqlite_errorcode & 0xFF != sqlite3.SQLITE_BUSY or monotonic() > give_up:
                    raise
                sleep(LOOK_AGAIN)

    def _swap_once(self, key: str, known: int, value: bytes | None) -> Kept:
        connection = self._connection or self._open()
        if value is not None:
            how = (PUT, (value, key, known)) if known else (PUT_FIRST, (key, value))
            if connection.execute(*how).rowcount == 1:
                return Kept(True, known + 1, value, None)
        row = connection.execute(LOOK, (known, key)).fetchone()
        return Kept(False, row[0], row[1], None) if row else Kept(False, 0, None, None)

    def _open(self) -> sqlite3.Connection:
        self._path.parent.mkdir(parents=True, exist_ok=True)
        connection = sqlite3.connect(self._path, timeout=0.0, isolation_level=None)
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = OFF")  # a power cut may cost a window's count, which is over by then
        connection.execute(TABLE)
        self._connection = connection
        return connection

    def _close(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None
