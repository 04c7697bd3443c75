"""What a scratch destination holds, read by other means than Syncline's own."""

from __future__ import annotations

import asyncio
import csv
import gzip
import json
import re
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from decimal import Decimal
from pathlib import Path
from typing import Any, NamedTuple, Protocol

from syncline.model import reveal
from syncline.rehearsal.simulator.recipient import Recipient
from syncline.spec import Integration, Stream, key_columns

Row = dict[str, Any]
MANIFESTS = "_manifest"
FORMULA = re.compile(r"^'(?=[=+\-@\t\r\n])")
"""What is put before text in CSV that a spreadsheet would run as a formula."""
HELD = 0.2
"""Seconds for which a database is taken away."""


class Letter(NamedTuple):
    """A dead letter: the record as JSON text, and why it is one."""

    record: str
    why: str


LETTERS = "SELECT record, path, reason FROM syncline_rejects WHERE status = 'open' AND stream = "


class Holdings(Protocol):
    """`rows` are those of a stream's table, in the order in which they lie; `letters` its dead letters."""

    def rows(self, stream: Stream) -> Iterator[Row]: ...

    def letters(self, key: str) -> list[Letter]: ...

    def close(self) -> None: ...


class Tables:
    """A database: a stream's table, and those of the lists within its rows, which are put back where they were."""

    def table(self, name: str) -> Iterator[Row]:
        raise NotImplementedError

    def close(self) -> None:
        """Nothing is looked at any more."""

    def rows(self, stream: Stream) -> Iterator[Row]:
        target, key = stream.into, key_columns(stream)
        table = target.table or stream.name
        lists = {column: self._lists(stream, table, column) for column in target.children}
        for row in self.table(table):
            at = tuple(str(row[name]) for name in key)
            yield row | {column: found.get(at, []) for column, found in lists.items()}

    def _lists(self, stream: Stream, table: str, column: str) -> dict[tuple[str, ...], list[Row]]:
        """The elements of one column's lists, in order, by the key of the row that they belong to."""
        children = stream.into.children[column]
        names = [children.parent.get(name, f"_parent_{name}") for name in key_columns(stream)]
        found: dict[tuple[str, ...], list[tuple[int, Row]]] = {}
        for row in self.table(stream.into.children_table(table, column)):
            at = tuple(str(row.pop(name)) for name in names)
            found.setdefault(at, []).append((row.pop(children.order), row))
        return {at: [row for _, row in sorted(rows, key=lambda each: each[0])] for at, rows in found.items()}


class SqliteHoldings(Tables):
    def __init__(self, path: Path, state: Path | None = None) -> None:
        self._path, self._state = path, state or path

    def table(self, name: str) -> Iterator[Row]:
        if not self._path.exists():
            return
        with closing(sqlite3.connect(f"file:{self._path}?mode=ro", uri=True)) as database:
            if _has(database, name):
                found = database.execute(f"SELECT * FROM {_quoted(name)}")  # noqa: S608 – quoted
                columns = [column for column, *_ in found.description]
                for values in found:
                    yield dict(zip(columns, values, strict=True))

    def letters(self, key: str) -> list[Letter]:
        if not self._state.exists():
            return []
        with closing(sqlite3.connect(f"file:{self._state}?mode=ro", uri=True)) as database:
            if not _has(database, "syncline_rejects"):
                return []
            return [letter(*values) for values in database.execute(f"{LETTERS}?", (key,))]


class DuckdbHoldings(Tables):
    """A DuckDB file; the package is there, or the run could not have written it."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._database: Any = None
        """One connection for all: to open a file takes much longer than to read a few rows of it."""

    def close(self) -> None:
        if self._database is not None:
            self._database.close()

    def table(self, name: str) -> Iterator[Row]:
        return self._read(f"SELECT * FROM {_quoted(name)}")  # noqa: S608 – quoted

    def letters(self, key: str) -> list[Letter]:
        return [letter(**row) for row in self._read(f"{LETTERS}?", key)]

    def _read(self, query: str, *values: Any) -> Iterator[Row]:
        import duckdb  # late: an optional extra

        if not self._path.exists():
            return
        if self._database is None:
            self._database = duckdb.connect(str(self._path), read_only=True)
        try:
            found = self._database.cursor().execute(query, values)
        except duckdb.CatalogException:  # no such table yet
            return
        columns = [column for column, *_ in found.description or ()]
        while some := found.fetchmany(1_000):
            for row in some:
                yield dict(zip(columns, row, strict=True))


class FileHoldings:
    """Files below a folder; those of a stream are the ones its manifests name."""

    def __init__(self, folder: Path, state: Path) -> None:
        self._folder, self._letters = folder, SqliteHoldings(state)

    def rows(self, stream: Stream) -> Iterator[Row]:
        for folder in self._folder.rglob(f"{MANIFESTS}/{stream.into.table or stream.name}"):
            for manifest in sorted(folder.glob("*.json")):
                for entry in json.loads(manifest.read_text(encoding="utf-8"))["files"]:
                    yield from _rows_of(folder.parent.parent / entry["path"])

    def letters(self, key: str) -> list[Letter]:
        return self._letters.letters(key)

    def close(self) -> None:
        """Every file is closed once it is read."""


class ApiHoldings:
    """What another API was told, as it remembers it."""

    def __init__(self, recipient: Recipient, state: Path) -> None:
        self._recipient, self._letters = recipient, SqliteHoldings(state)

    def rows(self, stream: Stream) -> Iterator[Row]:
        return iter(list(self._recipient.records[stream.name].values()))

    def letters(self, key: str) -> list[Letter]:
        return self._letters.letters(key)

    def close(self) -> None:
        """Every file is closed once it is read."""


def letter(record: str, path: str, reason: str) -> Letter:
    return Letter(record, f"{path}: {reason}" if path else reason)


def _rows_of(path: Path) -> Iterator[Row]:
    name = path.name.removesuffix(".gz")
    opened: Callable[..., Any] = gzip.open if path.name.endswith(".gz") else open
    if name.endswith(".parquet"):
        import duckdb  # late: an optional extra, there because the run has written with it

        found = duckdb.execute("SELECT * FROM read_parquet(?, hive_partitioning = true)", [str(path)])
        columns = [column for column, *_ in found.description or ()]
        yield from (dict(zip(columns, row, strict=True)) for row in found.fetchall())
        return
    with opened(path, "rt", encoding="utf-8", newline="") as lines:
        if name.endswith(".csv"):
            for row in csv.DictReader(lines):
                yield {column: FORMULA.sub("", value or "") for column, value in row.items()}
        else:
            yield from (json.loads(line, parse_float=Decimal) for line in lines)


def holdings_of(integration: Integration, folder: Path, recipient: Recipient | None = None) -> Holdings:
    """Of a staged integration's destination; of one that is an API, what its `recipient` was told."""
    destination: Any = integration.destination
    state = folder / "state.db"
    if recipient is not None:
        return ApiHoldings(recipient, state)
    if destination.kind == "duckdb":
        return DuckdbHoldings(Path(reveal(destination.path)))
    if destination.kind == "file":
        return FileHoldings(folder, state)
    scheme, _, path = reveal(destination.url).partition(":///")
    return DuckdbHoldings(Path(path)) if scheme == "duckdb" else SqliteHoldings(Path(path))


def hold(path: Path, held: list[sqlite3.Connection]) -> None:
    """Keep an SQLite file to oneself for a moment of real time, or until what is `held` is closed; whoever writes has to wait.

    Called within an event loop.
    """
    loop = asyncio.get_running_loop()
    database = sqlite3.connect(path, timeout=0.0, isolation_level=None)
    try:
        database.execute("BEGIN EXCLUSIVE")
    except sqlite3.OperationalError:  # somebody is writing just now
        database.close()
        loop.call_later(HELD / 10, hold, path, held)
    else:
        held.append(database)
        loop.call_later(HELD, database.close)


def _has(database: sqlite3.Connection, table: str) -> bool:
    return database.execute("SELECT 1 FROM sqlite_master WHERE name = ?", (table,)).fetchone() is not None


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'
