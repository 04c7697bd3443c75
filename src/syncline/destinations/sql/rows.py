"""Rows into one table: quickly where all is well, carefully, value by value, where something is not."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from decimal import Decimal
from typing import Any

import msgspec

from syncline.destinations.sql.table import Column, Table
from syncline.destinations.sql.tables import Check, Statement, Tables
from syncline.destinations.target import SchemaPolicy
from syncline.destinations.values import NONE, Convert, needed_for
from syncline.errors import WriteError
from syncline.model import Batch, Row

Kinds = tuple[frozenset[type], ...]
RISKY = {int, float, Decimal, str}
"""What a lossy column may change."""


class Unfit(Exception):
    """The batch holds something that the quick way cannot write; begin anew, carefully."""


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
    """How a batch of certain columns and types is written: which of them, converted by what, after which checks."""

    statement: Statement
    places: tuple[int, ...] | None
    """Where in a row the columns that are written stand; None for all."""
    converts: tuple[tuple[int, Convert], ...]
    checks: tuple[tuple[int, Check], ...]


class Ready(msgspec.Struct):
    """A batch for which the table is ready. `kept` are the numbers of the rows that are to be written."""

    batch: Batch
    changes: list[str]
    kept: list[int] = []
    names: dict[str, int] = {}
    refused: dict[int, Refusal] = {}
    shape: Shape | None = None
    kinds: Kinds = ()
    _columns: tuple[tuple[Any, ...], ...] | None = None

    @property
    def columns(self) -> tuple[tuple[Any, ...], ...]:
        """The rows by column; made when somebody looks."""
        if self._columns is None:
            self._columns = tuple(zip(*self.batch.rows, strict=True))
        return self._columns


class Rows:
    """Writes batches to one table, inside the caller's transaction. `key` makes it an upsert.

    A batch is made ready first, which may change the schema, and written then: where a database cannot take a change of the schema
    back, nothing else was done before it.
    """

    def __init__(self, tables: Tables, name: str, key: tuple[str, ...], schema: SchemaPolicy = "evolve") -> None:
        self.name, self.key = name, key
        self._tables, self._name, self._key, self._schema = tables, name, key, schema
        self._table = Table(name, {})
        self._version: object = None
        self._shapes: dict[tuple[tuple[str, ...], Kinds, bool], Shape] = {}
        self._statements: dict[tuple[tuple[str, ...], bool], Statement] = {}

    @property
    def table(self) -> Table:
        """The table as it is known."""
        self._refresh()
        return self._table

    def forget(self) -> None:
        """What was known of the table may not be true any more: a transaction was rolled back."""
        self._version = None

    def _refresh(self) -> None:
        """Another writer, or another program, may have changed the schema since."""
        version = self._tables.version()
        if version != self._version:
            self._table = self._tables.load(self._name)
            self._shapes.clear()
            self._statements.clear()
            self._version = version

    # The quick way

    def ready(self, batch: Batch) -> Ready:
        """Raises Unfit, after which the transaction is to be rolled back and `ready_carefully` called."""
        self._refresh()
        ready = Ready(batch, [])
        ready.kinds = self._kinds(ready)
        ready.shape = self._shapes.get((batch.columns, ready.kinds, batch.whole))
        try:
            if ready.shape is None:
                ready.shape = self._shape(ready)
            for index, check in ready.shape.checks:
                if not check(ready.columns[index]):
                    raise Unfit
        except Exception as problem:
            raise self._unfit(problem) from problem
        return ready

    def _kinds(self, ready: Ready) -> Kinds:
        """The types of each column, looked for where nobody vouches for them, and in a key that may be null."""
        batch, known = ready.batch, ready.batch.kinds
        if known is None:
            return tuple(frozenset(map(type, column)) for column in ready.columns)
        keys = set(self._key)
        return tuple(
            kinds
            if kinds is not None and (name not in keys or NONE not in kinds)
            else frozenset([row[place].__class__ for row in batch.rows])
            for place, (name, kinds) in enumerate(zip(batch.columns, known, strict=True))
        )

    def put(self, ready: Ready) -> Put:
        """Raises Unfit, as `ready`."""
        shape, batch = ready.shape, ready.batch
        assert shape is not None
        try:
            written = shape.statement.run(_bound(batch.rows, ready, shape), len(batch.rows))
        except Exception as problem:
            raise self._unfit(problem) from problem
        return Put(written=written, unchanged=len(batch.rows) - written, changes=ready.changes)

    def _unfit(self, problem: Exception) -> Exception:
        """Unfit, where the careful way can do better."""
        return Unfit() if self._tables.refuses(problem) or self._tables.outdated(problem) else problem

    def _shape(self, ready: Ready) -> Shape:
        batch = ready.batch
        names = batch.columns
        fold = self._tables.fold
        folded = [fold(name) for name in names]
        full = {name for name, types in zip(folded, ready.kinds, strict=True) if NONE not in types}
        if len(set(folded)) < len(names) or not {fold(name) for name in self._key} <= full:
            raise Unfit
        if len(self._table.columns.keys() | set(folded)) > self._tables.most_columns:
            raise Unfit
        wanted = [
            self._quick_column(name, values, types)
            for name, values, types in zip(names, ready.columns, ready.kinds, strict=True)
        ]
        written = {index: column for index, column in enumerate(wanted) if column is not None}
        ready.changes += self._change(list(written.values()), all_kept=False)
        converts, checks = [], []
        for index in written:
            column = self._table.columns[folded[index]]
            if convert := self._tables.converter(column, ready.kinds[index]):
                converts.append((index, convert))
            if check := self._tables.check(column, ready.kinds[index]):
                checks.append((index, check))
        shape = Shape(
            self._statement(tuple(names[index] for index in written), whole=batch.whole),
            None if len(written) == len(names) else tuple(written),
            tuple(converts),
            tuple(checks),
        )
        self._shapes[names, ready.kinds, batch.whole] = shape
        return shape

    def _quick_column(self, name: str, values: Sequence[Any], types: frozenset[type]) -> Column | None:
        """The column from now on; None where it is not written. Raises Unfit where single values may have to be refused."""
        needed = needed_for(types, values)
        if needed is None or self._tables.fault_of(name):
            raise Unfit
        have = self._tables.column_of(self._table, name)
        if have is None:
            if self._table.exists and self._schema != "evolve":
                raise Unfit
            if needed == "unknown" and not self._tables.untyped:
                return None
            return self._tables.first(name, needed, values, key=self._is_key(name))
        if have.lossy and types & RISKY:
            raise Unfit
        if self._tables.within(have, needed, values) and not self._may_widen():
            return have
        wider = self._tables.holding(have, needed, values)
        if wider is None or (wider != have and not self._may_widen()):
            raise Unfit
        return wider

    def _statement(self, names: tuple[str, ...], *, whole: bool) -> Statement:
        known = self._statements.get((names, whole))
        if known is None:
            known = self._tables.statement(self._table, names, self._key, whole=whole)
            self._statements[names, whole] = known
        return known

    def _change(self, wanted: Sequence[Column], *, all_kept: bool = True) -> list[str]:
        """Raises Unfit where rows may still turn out to be refused and what is changed for them could not be taken back."""
        found = self._tables.changes(self._table, wanted, self._key)
        if found and self._tables.definitive and not all_kept:
            raise Unfit
        changes = self._tables.apply(found)
        if changes:
            self._shapes.clear()
            self._statements.clear()
            self._table = self._tables.load(self._name)
            self._version = self._tables.version()
        return changes

    def _may_widen(self) -> bool:
        return self._table.ours and self._schema == "evolve"

    def _is_key(self, name: str) -> bool:
        return self._tables.fold(name) in map(self._tables.fold, self._key)

    # The careful way

    def ready_carefully(self, batch: Batch) -> Ready:
        """Every value looked at; what cannot be kept exactly is refused with its path."""
        ready = self.judged(batch)
        wanted, ready.names = self._chosen(ready)
        if wanted:
            ready.changes = self._change(wanted)
        return ready

    def judged(self, batch: Batch) -> Ready:
        """Which rows can be kept in which columns; the table is not changed yet."""
        self._refresh()
        ready = Ready(batch, [], names={}, refused={})
        ready.names = self._usable(ready)
        self._screen(ready)
        ready.kept = [number for number in range(len(batch.rows)) if number not in ready.refused]
        return ready

    def wanted(self, ready: Ready) -> list[str]:
        """The statements that would make the table ready for what was judged."""
        wanted, _ = self._chosen(ready)
        return [change.statement for change in self._tables.changes(self._table, wanted, self._key)] if wanted else []

    def put_carefully(self, ready: Ready) -> Put:
        """The rows that are left, all at once, and by halves where the database refuses one of them."""
        names = [name for name in ready.names if self._tables.column_of(self._table, name) is not None]
        ready.kept = [number for number in ready.kept if number not in ready.refused]
        if not names:
            nothing = "the row has no column that can be written"
            ready.refused.update({number: Refusal(number, "", nothing) for number in ready.kept})
            ready.kept = []
        put = Put(refusals=[], changes=ready.changes)
        if ready.kept:
            statement = self._statement(tuple(names), whole=ready.batch.whole)
            rows = {
                n: tuple(self._bind(name, ready.batch.rows[n][ready.names[name]]) for name in names) for n in ready.kept
            }
            put.written, told = self._tables.put_each(statement, rows)
            put.unchanged = len(rows) - len(told) - put.written
            for number, what in told.items():
                path = self._tables.path_in(what, self._table)
                ready.refused[number] = Refusal(number, path, f"the database refused the row: {what}")
        put.refusals = sorted(ready.refused.values(), key=lambda refusal: refusal.row)
        return put

    def _usable(self, ready: Ready) -> dict[str, int]:
        """The columns that can be written, by their place; rows with a value in another one are refused."""
        usable: dict[str, int] = {}
        taken: dict[str, str] = {}
        for index, name in enumerate(ready.batch.columns):
            fault = self._tables.fault_of(name)
            twin = name if fault else taken.setdefault(self._tables.fold(name), name)
            new = fault is not None or self._tables.column_of(self._table, name) is None
            if not fault and twin is not name:
                fault = f"it differs from the column {twin!r} in case only; map it to another name"
            if not fault and new and len(self._table.columns) + len(usable) >= self._tables.most_columns:
                fault = f"the table would get more than {self._tables.most_columns} columns"
            if not fault and new and self._table.exists and self._schema != "evolve":
                if all(row[index] is None for row in ready.batch.rows):
                    continue
                if self._schema == "freeze":
                    raise _frozen(self._name, f"a new column {name!r} came")
                continue
            if not fault:
                usable[name] = index
                continue
            for number, row in enumerate(ready.batch.rows):
                if row[index] is not None:
                    ready.refused.setdefault(number, Refusal(number, name[:200], f"not a column: {fault}"))
        return usable

    def _screen(self, ready: Ready) -> None:
        fold = self._tables.fold
        places = {fold(name): index for name, index in ready.names.items()}
        for number, row in enumerate(ready.batch.rows):
            for name in self._key:
                if fold(name) not in places or row[places[fold(name)]] is None:
                    ready.refused.setdefault(number, Refusal(number, name, "the primary key is missing"))
            for name, index in ready.names.items():
                if reason := self._tables.misfit(row[index], None):
                    ready.refused.setdefault(number, Refusal(number, name, reason))

    def _chosen(self, ready: Ready) -> tuple[list[Column], dict[str, int]]:
        """Decide each column's type, and refuse what does not fit it."""
        wanted: list[Column] = []
        names: dict[str, int] = {}
        for name, index in ready.names.items():
            have = self._tables.column_of(self._table, name)
            values = [(number, ready.batch.rows[number][index]) for number in ready.kept]
            column = self._decide(name, have, [value for _, value in values])
            for number, value in values:
                if reason := self._tables.misfit(value, column):
                    if self._schema == "freeze":
                        raise _frozen(self._name, f"{name}: {reason}")
                    ready.refused.setdefault(number, Refusal(number, name, reason))
            if column.logical != "unknown" or self._tables.untyped or have is not None:
                wanted.append(column)
                names[name] = index
        return wanted, names

    def _decide(self, name: str, have: Column | None, values: list[Any]) -> Column:
        """The narrowest type for as many of the values as one type can hold; the first of them decide."""
        decided = have
        for value in values:
            needed = needed_for([type(value)], [value])
            if needed is None or value is None:
                continue
            if decided is None:
                decided = self._tables.first(name, needed, [value], key=self._is_key(name))
            elif have is None or self._may_widen():
                decided = self._tables.holding(decided, needed, [value]) or decided
        return decided or self._tables.column(name, "unknown", key=self._is_key(name))

    def _bind(self, name: str, value: Any) -> Any:
        if value is None:
            return None
        column = self._table.columns[self._tables.fold(name)]
        convert = self._tables.converter(column, frozenset({type(value)}))
        return convert(value) if convert else value


def _bound(rows: Sequence[Row], ready: Ready, shape: Shape) -> Iterable[Row]:
    if not shape.converts and shape.places is None:
        return rows
    bound: list[Any] = list(ready.columns)
    for index, convert in shape.converts:
        bound[index] = _convert(ready.columns[index], convert, with_none=NONE in ready.kinds[index])
    if shape.places is not None:
        bound = [bound[index] for index in shape.places]
    return zip(*bound, strict=True)  # not a list: zip uses its one tuple again and again


def _convert(column: Sequence[Any], convert: Convert, *, with_none: bool) -> Sequence[Any]:
    if with_none:
        return [None if value is None else convert(value) for value in column]
    return list(map(convert, column))


def _frozen(table: str, what: str) -> WriteError:
    return WriteError(
        f"the schema of {table!r} is frozen: {what}",
        hint="look at it with `syncline plan`, then set `schema: evolve` on the stream, or map the field",
    )
