"""What the matrix has to know of a destination: how to write it into a file, and how to read it back by other means."""

from __future__ import annotations

import sqlite3
from abc import ABC, abstractmethod
from contextlib import closing
from pathlib import Path
from typing import Any, ClassVar

from tests.crash.api import Api
from tests.crash.oracle import Found, Raw

THINGS, LINES = "things", "things_lines"


class Place(ABC):
    """One life's own: a folder, and a schema or database named after it. `drop` takes away what is outside of the folder."""

    name: ClassVar[str]
    modes: ClassVar[tuple[str, ...]]
    stations: ClassVar[tuple[str, ...]] = ("dead letters written", "checkpoint written", "committed")
    batch: ClassVar[int] = 2_000
    """Rows that it writes at once; the sources of its lives are a few times as large."""
    driver: ClassVar[tuple[str, ...]] = ()
    """Modules that its victims are going to need."""
    soft: ClassVar[bool] = True
    """Whether rows can be deleted softly."""
    counted: ClassVar[bool] = True
    """Whether the items of a killed run are counted once."""
    publishes: ClassVar[bool] = False
    """Whether a pass becomes visible behind its commit only."""

    def __init__(self, folder: Path, api: Api) -> None:
        self.folder, self.api = folder, api

    @abstractmethod
    def destination(self) -> dict[str, Any]:
        """As the integration file has it."""

    def environment(self) -> dict[str, str] | None:
        """What its references stand for."""
        return None

    def into(self, write: str) -> dict[str, Any]:
        return {"table": THINGS, "write": write}

    @abstractmethod
    def found(self) -> Found: ...

    @abstractmethod
    def state(self) -> Raw | None:
        """The stream's row of `sync_state`."""

    @classmethod
    def need(cls) -> None:
        """Skips where this machine does not have what it takes."""
        return

    @abstractmethod
    def expire(self) -> None:
        """Let the lease on the stream be over, as if a minute had passed."""

    def drop(self) -> None:
        """Take away what is outside of the folder."""
        return


class WithStateFile(Place):
    """The state is beside it, in the file that is the default."""

    def state(self) -> Raw | None:
        rows = self.kept("sync_state")
        return rows[0] if rows else None

    def letters(self) -> list[str]:
        return [row["record"] for row in self.kept("syncline_rejects")]

    def expire(self) -> None:
        sqlite_rows(self._file, "UPDATE sync_state SET lease_until = '2024-01-01T00:00:00+00:00'")

    def kept(self, table: str) -> list[Raw]:
        """The rows of one of the state's tables."""
        if not self._file.exists():
            return []
        named = f"SELECT 1 AS one FROM sqlite_master WHERE name = '{table}'"
        return sqlite_rows(self._file, f"SELECT * FROM {table}") if sqlite_rows(self._file, named) else []

    @property
    def _file(self) -> Path:
        return self.folder / ".syncline" / "state.db"


def sqlite_rows(path: Path, statement: str) -> list[Raw]:
    with closing(sqlite3.connect(path, timeout=30)) as connection:
        connection.row_factory = sqlite3.Row
        rows = [dict(row) for row in connection.execute(statement)]
        connection.commit()
        return rows
