"""Rows into a table of SQLite: quickly where all is well, carefully, row by row, where something is not."""

from __future__ import annotations

import math
import sqlite3
from collections.abc import Iterable, Sequence
from decimal import Decimal
from typing import Any

import msgspec

from syncline.destinations.destination import SchemaPolicy
from syncline.destinations.identifiers import fault_of, fold, quoted
from syncline.destinations.sqlite_table import Column, Table, ensure_key, evolve, load_table
from syncline.destinations.values import (
    MAX_INTEGER,
    MIN_INTEGER,
    NONE,
    Convert,
    Logical,
    converter,
    join,
    logical_of,
    misfit,
    shape_of,
    within,
)
from syncline.errors import WriteError
from syncline.model import Batch

MAX_COLUMNS = 1_000
RISKY = {int, float, Decimal, str}
"""What a column of numeric affinity may change."""
Kinds = tuple[frozenset[type], ...]


class Unfit(Exception):
    """The batch holds something that the quick way cannot write; begin anew, carefully."""


REFUSED = (ValueError, TypeError, OverflowError, sqlite3.IntegrityError, sqlite3.DataError,
           sqlite3.InterfaceError, sqlite3.ProgrammingError)  # fmt: skip
"""What Python and SQLite raise for single values and rows."""


class Refusal(msgspec.Struct, frozen=True):
    """Row number `row` of the batch (from 0) was not written."""

    row: int
    path: str
    reason: str


class Put(msgspec.Struct):
    """What became of a batch. `changes` are the statements that changed the schema."""

    written: int = 0
    unchanged: int = 0
    refusals: list[Refusal] = []
    changes: list[str] = []


class Shape(msgspec.Struct, frozen=True):
    """How a batch of certain columns and types is written: the statement, and which columns are converted by what."""

    sql: str
    converts: tuple[tuple[int, Convert], ...]
    floats: tuple[int, ...]


class Rows:
    """Writes batches to one table, inside the caller's transaction. `key` makes it an upsert."""

    def __init__(
        self, connection: sqlite3.Connection, name: str, key: tuple[str, ...], schema: SchemaPolicy = "evolve"
    ) -> None:
        self._connection, self._name, self._key, self._schema = connection, name, key, schema
        self._table = Table(name, {})
        self._version = -1
        self._shapes: dict[tuple[tuple[str, ...], Kinds, bool], Shape] = {}

    def forget(self) -> None:
        """What was known of the table may not be true any more: a transaction was rolled back."""
        self._version = -1

    def put(self, batch: Batch) -> Put:
        """The quick way. Raises Unfit, after which the transaction is to be rolled back and `put_carefully` called."""
        self._refresh()
        try:
            return self._put(batch)
        except REFUSED as problem:
            raise Unfit from problem

    def _put(self, batch: Batch) -> Put:
        changes: list[str] = []
        columns, kinds = shape_of(batch.rows)
        shape = self._shapes.get((batch.columns, kinds, batch.whole))
        if shape is None:
            shape = self._shape(batch, columns, kinds, changes)
        for index in shape.floats:
            if not all(value is None or math.isfinite(value) for value in columns[index]):
                raise Unfit
        rows: Iterable[Any] = batch.rows
        if shape.converts:
            bound: list[Any] = list(columns)
            for index, convert in shape.converts:
                bound[index] = _convert(columns[index], convert, with_none=NONE in kinds[index])
            rows = zip(*bound, strict=True)  # not a list: zip uses its one tuple again and again
        written = self._connection.executemany(shape.sql, rows).rowcount
        return Put(written=written, unchanged=len(batch.rows) - written, changes=changes)

    def put_carefully(self, batch: Batch) -> Put:
        """Every value looked at, every row written by itself; what cannot be kept exactly is refused with its path."""
        self._refresh()
        refused: dict[int, Refusal] = {}
        names = self._usable(batch, refused)
        self._screen(batch, names, refused)
        kept = [number for number in range(len(batch.rows)) if number not in refused]
        if not names:
            nothing = "the row has no column that can be written"
            refused.update({number: Refusal(number, "", nothing) for number in kept})
        put = Put(refusals=[])
        if kept and names:
            put.changes = self._settle(batch, names, kept, refused)
            self._execute(batch, names, [number for number in kept if number not in refused], refused, put)
        put.refusals = sorted(refused.values(), key=lambda refusal: refusal.row)
        return put

    def _refresh(self) -> None:
        """Another writer, or another program, may have changed the schema since."""
        version = self._connection.execute("PRAGMA schema_version").fetchone()[0]
        if version != self._version:
            self._table = load_table(self._connection, self._name)
            self._shapes.clear()
            self._version = version

    # The quick way

    def _shape(self, batch: Batch, columns: Any, kinds: Kinds, changes: list[str]) -> Shape:
        names = batch.columns
        folded = [fold(name) for name in names]
        full = {name for name, types in zip(folded, kinds, strict=True) if NONE not in types}
        if len(set(folded)) < len(names) or not {fold(name) for name in self._key} <= full:
            raise Unfit
        if len(self._table.columns.keys() | set(folded)) > MAX_COLUMNS:
            raise Unfit
        wanted = {
            name: self._quick_type(name, values, types)
            for name, values, types in zip(names, columns, kinds, strict=True)
        }
        changes += self._evolve(wanted)
        logical = [self._table.columns[fold(name)].logical for name in names]
        converts = [(index, converter(logical[index], types)) for index, types in enumerate(kinds)]
        shape = Shape(
            self._statement(names, whole=batch.whole),
            tuple((index, convert) for index, convert in converts if convert is not None),
            tuple(i for i, types in enumerate(kinds) if float in types or (logical[i] == "json" and Decimal in types)),
        )
        self._shapes[names, kinds, batch.whole] = shape
        return shape

    def _quick_type(self, name: str, values: Sequence[Any], types: frozenset[type]) -> Logical:
        """The column's type from now on. Raises Unfit where single values may have to be refused."""
        needed = logical_of(types)
        if needed is None or fault_of(name):
            raise Unfit
        if int in types and not _in_64_bits(values):
            needed = join(needed, "decimal") or needed
        have = self._table.column(name)
        if have is None:
            if self._table.exists and self._schema != "evolve":
                raise Unfit
            return needed
        wider = join(have.logical, needed) if self._may_widen() else within(have.logical, needed)
        if wider is None or (wider != have.logical and not self._may_widen()) or (have.numeric and types & RISKY):
            raise Unfit
        return wider

    def _statement(self, names: Sequence[str], *, whole: bool) -> str:
        table = quoted(self._table.name)
        listed = [quoted(name) for name in names]
        insert = f"INSERT INTO {table} ({', '.join(listed)}) VALUES ({', '.join('?' * len(listed))})"  # noqa: S608
        if not self._key:
            return insert
        conflict = f"{insert} ON CONFLICT ({', '.join(map(quoted, self._key))})"
        keys = {fold(name) for name in self._key}
        after = {quoted(name): f"excluded.{quoted(name)}" for name in names if fold(name) not in keys}
        if whole and self._table.ours:
            given = keys | {fold(name) for name in names}
            after |= {quoted(c.name): "NULL" for name, c in self._table.columns.items() if name not in given}
        if not after:
            return f"{conflict} DO NOTHING"
        assignments = ", ".join(f"{name} = {value}" for name, value in after.items())
        before = ", ".join(f"{table}.{name}" for name in after)
        return f"{conflict} DO UPDATE SET {assignments} WHERE ({before}) IS NOT ({', '.join(after.values())})"

    def _evolve(self, wanted: dict[str, Logical]) -> list[str]:
        new = not self._table.exists
        changes = evolve(self._connection, self._table, wanted, self._key)
        if self._key and not new:
            changes += ensure_key(self._connection, self._table, self._key)
        if changes:
            self._shapes.clear()
            self._version = self._connection.execute("PRAGMA schema_version").fetchone()[0]
        return changes

    def _may_widen(self) -> bool:
        return self._table.ours and self._schema == "evolve"

    # The careful way

    def _usable(self, batch: Batch, refused: dict[int, Refusal]) -> dict[str, int]:
        """The columns that can be written, by their place; rows with a value in another one are refused."""
        usable: dict[str, int] = {}
        taken: dict[str, str] = {}
        for index, name in enumerate(batch.columns):
            fault = fault_of(name)
            twin = taken.setdefault(fold(name), name)
            new = self._table.column(name) is None
            if not fault and fold(name) in taken and twin is not name:
                fault = f"it differs from the column {twin!r} in case only; map it to another name"
            if not fault and new and len(self._table.columns) + len(usable) >= MAX_COLUMNS:
                fault = f"the table would get more than {MAX_COLUMNS} columns"
            if not fault and new and self._table.exists and self._schema != "evolve":
                if self._schema == "freeze":
                    raise _frozen(self._name, f"a new column {name!r} came")
                continue
            if not fault:
                usable[name] = index
                continue
            for number, row in enumerate(batch.rows):
                if row[index] is not None:
                    refused.setdefault(number, Refusal(number, name[:200], f"not a column: {fault}"))
        return usable

    def _screen(self, batch: Batch, names: dict[str, int], refused: dict[int, Refusal]) -> None:
        places = {fold(name): index for name, index in names.items()}
        for number, row in enumerate(batch.rows):
            for name in self._key:
                if fold(name) not in places or row[places[fold(name)]] is None:
                    refused.setdefault(number, Refusal(number, name, "the primary key is missing"))
            for name, index in names.items():
                if reason := misfit(row[index], None):
                    refused.setdefault(number, Refusal(number, name, reason))

    def _settle(self, batch: Batch, names: dict[str, int], kept: list[int], refused: dict[int, Refusal]) -> list[str]:
        """Decide each column's type, refuse what does not fit it, and change the table."""
        wanted: dict[str, Logical] = {}
        for name, index in names.items():
            have = self._table.column(name)
            values = [(number, batch.rows[number][index]) for number in kept]
            wanted[name] = self._decide(have, [value for _, value in values])
            for number, value in values:
                if reason := misfit(value, wanted[name], numeric=have is not None and have.numeric):
                    if self._schema == "freeze":
                        raise _frozen(self._name, f"{name}: {reason}")
                    refused.setdefault(number, Refusal(number, name, reason))
        return self._evolve(wanted)

    def _decide(self, have: Column | None, values: list[Any]) -> Logical:
        """The narrowest type for as many of the values as one type can hold; the first of them decide."""
        decided: Logical = have.logical if have else "unknown"
        if have and not self._may_widen():
            return decided
        for value in values:
            needed = logical_of([type(value)])
            if needed == "integer" and not MIN_INTEGER <= value <= MAX_INTEGER:
                needed = "decimal"
            decided = (join(decided, needed) if needed else None) or decided
        return decided

    def _execute(
        self, batch: Batch, names: dict[str, int], kept: list[int], refused: dict[int, Refusal], put: Put
    ) -> None:
        sql = self._statement(list(names), whole=batch.whole)
        for number in kept:
            row = batch.rows[number]
            bound = [self._bind(name, row[index]) for name, index in names.items()]
            try:
                changed = self._connection.execute(sql, bound).rowcount
            except (sqlite3.IntegrityError, sqlite3.DataError) as problem:
                refused[number] = Refusal(number, "", f"the database refused the row: {problem}")
            else:
                put.written += changed
                put.unchanged += 1 - changed

    def _bind(self, name: str, value: Any) -> Any:
        if value is None:
            return None
        column = self._table.columns[fold(name)]
        convert = converter(column.logical, frozenset({type(value)}))
        return convert(value) if convert else value


def _convert(column: Sequence[Any], convert: Convert, *, with_none: bool) -> Sequence[Any]:
    if with_none:
        return [None if value is None else convert(value) for value in column]
    return list(map(convert, column))


def _in_64_bits(values: Sequence[Any]) -> bool:
    return all(MIN_INTEGER <= value <= MAX_INTEGER for value in values if isinstance(value, int))


def _frozen(table: str, what: str) -> WriteError:
    return WriteError(
        f"the schema of {table!r} is frozen: {what}",
        hint="look at it with `syncline plan`, then set `schema: evolve` on the stream, or map the field",
    )
