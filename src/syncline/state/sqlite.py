"""SQLite's own ways: how a database is opened, what a transaction is, what its errors mean."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Literal

from syncline.errors import StateError, SynclineError

BUSY_SECONDS = 10.0
MEMORY = ":memory:"


def connect(path: Path | str, *, synchronous: Literal["NORMAL", "FULL"] = "FULL") -> sqlite3.Connection:
    """Open or create a database in WAL mode, without implicit transactions. Raises StateError.

    One thread at a time may use the connection; the lane sees to it. In WAL mode a killed process loses no commit. FULL keeps
    every commit over a power cut too; NORMAL may lose the last ones there, each as a whole
    (https://www.sqlite.org/pragma.html#pragma_synchronous).
    """
    with explained(path):
        if path != MEMORY:
            Path(path).parent.mkdir(parents=True, exist_ok=True)
        connection = sqlite3.connect(path, timeout=BUSY_SECONDS, isolation_level=None, check_same_thread=False)
        try:
            connection.execute("PRAGMA journal_mode = WAL")
            connection.execute(f"PRAGMA synchronous = {synchronous}")
            connection.execute("PRAGMA wal_autocheckpoint = 4000")  # pages; a quarter of the CPU of 1000
            connection.execute("PRAGMA cache_size = -16000")  # 16 MB, in KiB
        except BaseException:
            connection.close()
            raise
    return connection


def begun_at_once(connection: sqlite3.Connection) -> bool:
    """Begin a transaction without waiting; False where somebody else is writing just now."""
    connection.execute("PRAGMA busy_timeout = 0")
    try:
        connection.execute("BEGIN IMMEDIATE")
    except sqlite3.OperationalError as problem:
        if problem.sqlite_errorname.startswith("SQLITE_BUSY"):
            return False
        raise
    finally:
        connection.execute(f"PRAGMA busy_timeout = {BUSY_SECONDS * 1000:.0f}")
    return True


@contextmanager
def transaction(
    connection: sqlite3.Connection, error: type[SynclineError] = StateError, *, begun: bool = False
) -> Iterator[None]:
    """All or nothing, with the write lock from the start. Raises `error` for what SQLite reports."""
    try:
        if not begun:
            connection.execute("BEGIN IMMEDIATE")
        yield
        connection.execute("COMMIT")
    except BaseException as problem:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        if isinstance(problem, sqlite3.Error):
            raise explain(problem, _path_of(connection), error) from problem
        raise


@contextmanager
def explained(path: Path | str, error: type[SynclineError] = StateError) -> Iterator[None]:
    """Turn SQLite's and the file system's errors into ours."""
    try:
        yield
    except (sqlite3.Error, OSError) as problem:
        raise explain(problem, path, error) from problem


def explain(problem: Exception, path: Path | str, error: type[SynclineError] = StateError) -> SynclineError:
    name = getattr(problem, "sqlite_errorname", "") or ""
    text = str(problem)
    shown = str(path)
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


def _path_of(connection: sqlite3.Connection) -> str:
    try:
        return str(connection.execute("PRAGMA database_list").fetchone()[2]) or MEMORY
    except sqlite3.Error:
        return "the database"
