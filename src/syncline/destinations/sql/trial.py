"""What writing a batch would do: nothing is changed, the rows that are there are looked at."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec

from syncline.databases import Address, Lane
from syncline.destinations.destination import Sample, Trial
from syncline.destinations.sql.dialects import tables_of
from syncline.destinations.sql.family import Family
from syncline.destinations.sql.rows import Put, Ready, Rows
from syncline.destinations.sql.sink import checked_target, refusals_of
from syncline.destinations.sql.tables import Tables
from syncline.destinations.target import Deletes, Target
from syncline.model import Batch, Row

SAMPLES = 5
"""Of each kind of change."""


class Wanted(msgspec.Struct, frozen=True):
    """What else is asked of the table: its key, and the keys of rows that would go."""

    primary_key: tuple[str, ...] = ()
    deletes: Deletes | None = None
    gone: Sequence[Row] = ()


async def try_sql(address: Address, stream: str, target: Target, batch: Batch, wanted: Wanted) -> Trial:
    """Raises PlanError where the target cannot be written like that, WriteError, StateError."""
    lane = Lane("syncline-trial")
    try:
        return await lane.run(_try, address, stream, target, batch, wanted)
    finally:
        lane.close()


def _try(address: Address, stream: str, target: Target, batch: Batch, wanted: Wanted) -> Trial:
    database = address.open_empty() if address.missing else address.open_to_read()
    try:
        with database.explained():
            tables = tables_of(database)
            name = checked_target(tables, stream, target, wanted.primary_key)
            family = Family(tables, name, wanted.primary_key, target, schema="evolve")
            return _tried(family, target, batch, wanted)
    finally:
        database.close()


def _tried(family: Family, target: Target, batch: Batch, wanted: Wanted) -> Trial:
    judged = family.judged(batch)
    rows, ready = family.rows, judged.own
    kept = [ready.batch.rows[number] for number in ready.kept if number not in ready.refused]
    compared = _Compared(family.tables, rows, ready, () if target.write == "append" else wanted.primary_key)
    if wanted.primary_key and target.write == "upsert":
        compared.look_up(kept)
    for row in kept:
        compared.take(row)
    deletes = compared.going(wanted) if wanted.gone else 0
    return Trial(
        exists=rows.table.exists,
        statements=tuple(judged.statements),
        inserts=compared.inserts,
        updates=compared.updates,
        deletes=deletes,
        unchanged=len(kept) - compared.inserts - compared.updates + len(wanted.gone) - deletes,
        rejected=refusals_of(Put(refusals=judged.refusals), batch, None),
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

    def going(self, wanted: Wanted) -> int:
        """How many of the rows that would go are there, and not deleted yet."""
        if not self._table.exists or not set(self._key) <= {column.name for column in self._table.columns.values()}:
            return 0
        soft = wanted.deletes.column if wanted.deletes and wanted.deletes.how == "soft" else None
        marked = soft is not None and self._tables.column_of(self._table, soft) is not None
        names = [*self._key, soft] if marked and soft else list(self._key)
        keys = [
            tuple(self._bound(name, value) for name, value in zip(self._key, row, strict=True)) for row in wanted.gone
        ]
        found = [
            row for row in self._tables.fetch(self._table, names, self._key, keys) if not marked or row[-1] is None
        ]
        for row in found:
            self._keep(Sample(what="delete", key=row[: len(self._key)]))
        return len(found)

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
