"""SQLite: how a database is opened, what a transaction is, what its errors mean."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, ClassVar, Literal

from syncline.databases.database import Database, Trouble, Word
from syncline.errors import StateError, SynclineError

BUSY_SECONDS = 10.0
MEMORY = ":memory:"
REFUSED = (ValueError, TypeError, OverflowError, sqlite3.IntegrityError, sqlite3.DataError,
           sqlite3.InterfaceError, sqlite3.ProgrammingError)  # fmt: skip
"""What Python and SQLite raise for single values and rows."""


class SqliteDatabase(Database):
    """A file in WAL mode. In it a killed process loses no commit; FULL keeps every commit over a power cut too, NORMAL may lose
    the last ones there, each as a whole (https://www.sqlite.org/pragma.html#pragma_synchronous)."""

    name = "SQLite"
    words: ClassVar[Mapping[Word, str]] = {
        "key": "VARCHAR(100)",
        "short": "VARCHAR(20)",
        "text": "TEXT",
        "time": "TEXT",
        "integer": "INTEGER",
        "serial": "INTEGER PRIMARY KEY AUTOINCREMENT",
    }
    at_hand = True

    def __init__(self, path: Path | str, connection: sqlite3.Connection) -> None:
        self.shown, self.connection = str(path), connection

    @classmethod
    def open(cls, path: Path | str, *, synchronous: Literal["NORMAL", "FULL"] = "FULL") -> SqliteDatabase:
        """Open or create. Raises StateError."""
        try:
            if path != MEMORY:
                Path(path).parent.mkdir(parents=True, exist_ok=True)
            connection = sqlite3.connect(path, timeout=BUSY_SECONDS, isolation_level=None, check_same_thread=False)
            try:
                _write_ahead(connection)
                connection.execute(f"PRAGMA synchronous = {synchronous}")
                connection.execute("PRAGMA wal_autocheckpoint = 4000")  # pages; a quarter of the CPU of 1000
                connection.execute("PRAGMA cache_size = -16000")  # 16 MB, in KiB
            except BaseException:
                connection.close()
                raise
        except (sqlite3.Error, OSError) as problem:
            raise explain(problem, path) from problem
        return cls(path, connection)

    @classmethod
    def open_to_read(cls, path: Path) -> SqliteDatabase:
        """An existing file, unchanged by being opened. Raises StateError."""
        try:
            connection = sqlite3.connect(
                f"{path.absolute().as_uri()}?mode=ro",
                uri=True,
                timeout=BUSY_SECONDS,
                isolation_level=None,
                check_same_thread=False,
            )
        except sqlite3.Error as problem:
            raise explain(problem, path) from problem
        return cls(path, connection)

    def execute(self, statement: str, values: Sequence[Any] = ()) -> sqlite3.Cursor:
        return self.connection.execute(statement, values)

    def executemany(self, statement: str, rows: Iterable[Sequence[Any]]) -> int:
        return self.connection.executemany(statement, rows).rowcount

    def has_table(self, name: str) -> bool:
        found = self.execute("SELECT 1 FROM sqlite_master WHERE type = 'table' AND lower(name) = lower(?)", (name,))
        return found.fetchone() is not None

    def begin(self) -> None:
        self.connection.execute("BEGIN IMMEDIATE")  # the write lock from the start: nobody has to be turned away later

    def begun_at_once(self) -> bool:
        """Begin a transaction without waiting; False where somebody else is writing just now."""
        self.execute("PRAGMA busy_timeout = 0")
        try:
            self.begin()
        except sqlite3.OperationalError as problem:
            if self.trouble(problem) == "contended":
                return False
            raise
        finally:
            self.execute(f"PRAGMA busy_timeout = {BUSY_SECONDS * 1000:.0f}")
        return True

    def commit(self) -> None:
        self.connection.execute("COMMIT")

    def rollback(self) -> None:
        if self.connection.in_transaction:
            self.connection.execute("ROLLBACK")

    @property
    def errors(self) -> tuple[type[Exception], ...]:
        return (sqlite3.Error,)

    def trouble(self, problem: BaseException) -> Trouble:
        name = getattr(problem, "sqlite_errorname", "") or ""
        if name.startswith(("SQLITE_BUSY", "SQLITE_LOCKED")):
            return "contended"
        if name.startswith("SQLITE_FULL"):
            return "full"
        return "refused" if isinstance(problem, REFUSED) else "other"

    def explain(self, problem: BaseException, error: type[SynclineError] = StateError) -> SynclineError:
        return explain(problem, self.shown, error)

    def reopen(self) -> None:
        return  # a file does not go away and come back

    def close(self) -> None:
        self.connection.close()

    def bound_time(self, moment: datetime) -> str:
        return moment.astimezone(UTC).isoformat()

    def function(self, name: str, arguments: int, function: Callable[..., Any]) -> None:
        """Make a pure Python function known to SQL."""
        self.connection.create_function(name, arguments, function, deterministic=True)


def _write_ahead(connection: sqlite3.Connection) -> None:
    """Keep a log of writes. A new file is refused at once, whatever the timeout, while somebody else does the same to it."""
    until = time.monotonic() + BUSY_SECONDS
    while True:
        try:
            connection.execute("PRAGMA journal_mode = WAL")
            return
        except sqlite3.OperationalError as problem:
            if problem.sqlite_errorname != "SQLITE_BUSY" or time.monotonic() >= until:
                raise
        time.sleep(0.002)


def explain(problem: BaseException, path: Path | str, error: type[SynclineError] = StateError) -> SynclineError:
    """SQLite's and the file system's errors as ours."""
    name = getattr(problem, "sqlite_errorname", "") or ""
    text = str(problem)
    shown = "the database in memory" if str(path) == MEMORY else str(path)
    if name.startswith("SQLITE_FULL") or getattr(problem, "errno", None) == 28:
        what, hint = f"no room left for {shown}", "free disk space and run again; nothing is lost, the run resumes"
    elif name.startswith(("SQLITE_BUSY", "SQLITE_LOCKED")):
        what = f"{shown} was locked by another program for {BUSY_SECONDS:g} seconds"
        hint = "close the program that has an open transaction on it, then run again"
    elif name.startswith(("SQLITE_CORRUPT", "SQLITE_NOTADB")):
        what, hint = f"{shown} is damaged or not an SQLite database", "restore it from a backup, or name another file"
    elif name.startswith("SQLITE_READONLY"):
        what, hint = f"{shown} cannot be written", "give this user the right to write the file and its folder"
    elif name.startswith("SQLITE_CANTOPEN") or isinstance(problem, OSError):
        what, hint = f"{shown} cannot be opened", "check that its folder exists and that this user may write there"
    elif name.startswith("SQLITE_IOERR"):
        what, hint = f"reading or writing {shown} failed", "check the disk (dmesg, df), then run again"
    else:
        what, hint = f"SQLite refused a statement on {shown}", "run `syncline doctor`; the transaction was rolled back"
    return error(what, hint=hint, evidence=f"{name}: {text}" if name else text)
