"""What writing a batch would do: nothing is changed, the rows that are there are looked at."""

from __future__ import annotations

from typing import Any

from syncline.databases import Address, Database, Lane
from syncline.destinations.destination import Sample, Trial
from syncline.destinations.sql.dialects import tables_of
from syncline.destinations.sql.rows import Put, Ready, Rows
from syncline.destinations.sql.sink import checked_target, refusals_of
from syncline.destinations.sql.tables import Tables
from syncline.destinations.target import Target
from syncline.model import Batch, Row

SAMPLES = 5
"""Of each kind of change."""


async def try_sql(address: Address, stream: str, target: Target, batch: Batch, primary_key: tuple[str, ...]) -> Trial:
    """Raises PlanError where the target cannot be written like that, WriteError, StateError."""
    lane = Lane("syncline-trial")
    try:
        return await lane.run(_try, address, stream, target, batch, primary_key)
    finally:
        lane.close()


def _try(address: Address, stream: str, target: Target, batch: Batch, primary_key: tuple[str, ...]) -> Trial:
    database = _nothing() if address.missing else address.open_to_read()
    try:
        with database.explained():
            tables = tables_of(database)
            name = checked_target(tables, stream, target, primary_key)
            key = () if target.write == "append" else primary_key
            return _tried(tables, Rows(tables, name, key), target, batch, key)
    finally:
        database.close()


def _nothing() -> Database:
    from syncline.databases.sqlite import MEMORY, SqliteDatabase  # late: sqlite3 is needed by runs only

    return SqliteDatabase.open(MEMORY)


def _tried(tables: Tables, rows: Rows, target: Target, batch: Batch, key: tuple[str, ...]) -> Trial:
    ready = rows.judged(batch) if batch.rows else Ready(batch, [])
    statements = rows.wanted(ready) if batch.rows else []
    kept = [batch.rows[number] for number in ready.kept if number not in ready.refused]
    put = Put(refusals=sorted(ready.refused.values(), key=lambda refusal: refusal.row))
    compared = _Compared(tables, rows, ready, key)
    if key and target.write == "upsert":
        compared.look_up(kept)
    for row in kept:
        compared.take(row)
    return Trial(
        exists=rows.table.exists,
        statements=tuple(statements),
        inserts=compared.inserts,
        updates=compared.updates,
        unchanged=len(kept) - compared.inserts - compared.updates,
        rejected=refusals_of(put, batch, None),
        samples=tuple(compared.samples),
    )


class _Compared:
    """Rows beside those that are there; counts what would change, and keeps the first of each kind."""

    def __init__(self, tables: Tables, rows: Rows, ready: Ready, key: tuple[str, ...]) -> None:
        self.inserts = self.updates = 0
        self.samples: list[Sample] = []
        self._tables, self._table, self._key = tables, rows.table, key
        self._places = ready.names
        self._names = [name for name in ready.names if tables.column_of(self._table, name) is not None]
        self._known: dict[Row, dict[str, Any]] = {}

    def look_up(self, rows: list[Row]) -> None:
        if not self._table.exists or not set(self._key) <= set(self._names):
            return
        keys = {tuple(self._bound(name, row[self._places[name]]) for name in self._key): None for row in rows}
        for found in self._tables.fetch(self._table, self._names, self._key, list(keys)):
            row = {name: self._restored(name, value) for name, value in zip(self._names, found, strict=True)}
            self._known[_spelled(row[name] for name in self._key)] = row

    def take(self, row: Row) -> None:
        after = {name: row[place] for name, place in self._places.items()}
        if not self._key:
            self.inserts += 1
            self._keep(Sample(what="insert", after=after))
            return
        key = tuple(after[name] for name in self._key)
        before = self._known.get(_spelled(key))
        if before is None:
            self.inserts += 1
            self._keep(Sample(what="insert", key=key, after=after))
        elif changed := {name: value for name, value in after.items() if not self._same(name, before, value)}:
            self.updates += 1
            self._keep(
                Sample(what="update", key=key, before={name: before.get(name) for name in changed}, after=changed)
            )
        self._known[_spelled(key)] = {**(before or {}), **after}

    def _keep(self, sample: Sample) -> None:
        if sum(1 for known in self.samples if known.what == sample.what) < SAMPLES:
            self.samples.append(sample)

    def _same(self, name: str, before: dict[str, Any], value: Any) -> bool:
        column, stored = self._tables.column_of(self._table, name), before.get(name)
        if stored is None or value is None:
            return stored is None and value is None
        return stored == value or (column is not None and self._tables.alike(stored, value, column))

    def _bound(self, name: str, value: Any) -> Any:
        column = self._tables.column_of(self._table, name)
        convert = self._tables.converter(column, frozenset({type(value)})) if column is not None else None
        return convert(value) if convert else value

    def _restored(self, name: str, stored: Any) -> Any:
        column = self._tables.column_of(self._table, name)
        return stored if column is None or stored is None else self._tables.restore(stored, column)


def _spelled(key: Any) -> Row:
    """A key as it can be looked up, whichever way its values are spelled."""
    return tuple(map(str, key))
