"""Rows on their way into DuckDB: JSON lines that it reads as typed columns."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import islice, starmap
from typing import Any

import msgspec

from syncline.databases.duckdb import DuckdbDatabase
from syncline.destinations.sql.duckdb_types import SMALLER, handed
from syncline.destinations.sql.identifiers import quoted
from syncline.destinations.sql.table import Column, Table
from syncline.model import Row

_encoder = msgspec.json.Encoder()
TOGETHER = 1_000
"""Rows that are encoded at once."""
LONG = 16_000_000
"""Bytes that a line may have without DuckDB being told: it reads through a buffer of twice that."""
ORDERED = {"BIGINT", "VARCHAR", "DATE", *SMALLER}
"""Types of keys that Python and DuckDB put into the same order."""


class Source:
    """Rows of certain columns, whose values are converted already, as something that can be selected from."""

    def __init__(self, database: DuckdbDatabase, columns: Sequence[Column]) -> None:
        """In the selection they go by `c0`, `c1`, …"""
        self._database = database
        names = [f"c{index}" for index in range(len(columns))]
        # a struct is written four times as fast as a dictionary
        self._line = msgspec.defstruct("Line", [(name, Any) for name in names], gc=False)
        ways = [handed(column) for column in columns]
        self._types = ", ".join(f"'{name}': '{read}'" for name, (read, _) in zip(names, ways, strict=True))
        self._made = ", ".join(
            name if made == "{}" else f"{made.format(name)} AS {name}"
            for name, (_, made) in zip(names, ways, strict=True)
        )

    def select(self, rows: Iterable[Row]) -> str:
        """A SELECT of these rows, good until the next ones are spooled. Raises what the encoder raises."""
        longest = LONG

        def pieces() -> Iterator[bytes]:
            nonlocal longest
            made = starmap(self._line, rows)
            while some := list(islice(made, TOGETHER)):
                lines = _encoder.encode_lines(some)
                if len(lines) > LONG:
                    longest = max(longest, max(map(len, lines.split(b"\n"))) + 1)
                yield lines

        path = self._database.spool.put(pieces()).replace("'", "''")
        return (
            f"SELECT {self._made} FROM read_json('{path}', format = 'newline_delimited', auto_detect = false,"  # noqa: S608
            f" maximum_object_size = {longest}, columns = {{{self._types}}})"
        )

    def execute(self, before: str, rows: Iterable[Row], after: str = "", values: Sequence[Any] = ()) -> Any:
        """The statement with the selection between these parts; returns its cursor."""
        try:
            return self._database.execute(before + self.select(rows) + after, values)
        finally:
            self._database.spool.clear()


class Append:
    def __init__(self, database: DuckdbDatabase, table: Table, columns: Sequence[Column]) -> None:
        names = ", ".join(quoted(column.name) for column in columns)
        self._source = Source(database, columns)
        self._sql = f"INSERT INTO {quoted(table.name)} ({names}) "

    def run(self, rows: Iterable[Row], count: int) -> int:
        return int(self._source.execute(self._sql, rows).rowcount)


class Upsert:
    """One INSERT … ON CONFLICT; of doubles in a batch, the last wins.

    Where no row of the table lies between the batch's least key and its greatest, a plain INSERT does it at half the price. That
    costs next to nothing to ask: DuckDB knows the least and the greatest value of every part of a column.
    """

    def __init__(
        self,
        database: DuckdbDatabase,
        table: Table,
        columns: Sequence[Column],
        key: Sequence[int],
        *,
        whole: bool,
    ) -> None:
        """`key` are the places of the key's columns; `whole` sets the other columns of a table of ours to null."""
        self._database, self._key = database, tuple(key)
        self._source = Source(database, columns)
        shown = quoted(table.name)
        listed = [quoted(column.name) for column in columns]
        keys = [listed[place] for place in key]
        self._insert = f"INSERT INTO {shown} ({', '.join(listed)}) "
        after = {name: f"excluded.{name}" for place, name in enumerate(listed) if place not in key}
        if whole and table.ours:
            others = (quoted(column.name) for column in table.columns.values())
            after |= {name: "NULL" for name in others if name not in listed}
        action = "NOTHING"
        if after:
            assignments = ", ".join(f"{name} = {value}" for name, value in after.items())
            before = ", ".join(f"{shown}.{name}" for name in after)
            action = f"UPDATE SET {assignments} WHERE ({before}) IS DISTINCT FROM ({', '.join(after.values())})"
        self._on_conflict = f" ON CONFLICT ({', '.join(keys)}) DO {action}"
        ranged = " AND ".join(f"{name} BETWEEN ? AND ?" for name in keys)
        ordered = table.ours and all(columns[place].declared in ORDERED for place in key)
        self._known = f"SELECT 1 FROM {shown} WHERE {ranged} LIMIT 1" if ordered else None  # noqa: S608 – quoted

    def run(self, rows: Iterable[Row], count: int) -> int:
        last = self._last_of_each(rows)
        after = self._on_conflict if self._may_be_known(last) else ""
        return int(self._source.execute(self._insert, last, after).rowcount)

    def _last_of_each(self, rows: Iterable[Row]) -> list[Row]:
        if len(self._key) == 1:
            place = self._key[0]
            return list({row[place]: row for row in rows}.values())
        return list({tuple(row[place] for place in self._key): row for row in rows}.values())

    def _may_be_known(self, rows: Sequence[Row]) -> bool:
        if self._known is None or not rows:
            return True
        bounds = []
        for place in self._key:
            values = [row[place] for row in rows]
            bounds += [min(values), max(values)]
        return self._database.execute(self._known, bounds).fetchone() is not None
