"""How rows get into MySQL's tables: straight, or by way of a temporary table that is joined with the real one.

INSERT … ON DUPLICATE KEY UPDATE would be shorter. But it does not tell inserted rows from unchanged ones, it overwrites another row
where one of the table's other unique indexes is met, and MySQL and MariaDB do not agree on how it names the new values.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from syncline.databases.literals import literal
from syncline.databases.mysql import MysqlDatabase
from syncline.databases.mysql_troubles import DOUBLE, code_of
from syncline.destinations.sql.mysql_changes import stage_type, table_options
from syncline.destinations.sql.table import Column, Table
from syncline.destinations.sql.tables import Statement, Tables
from syncline.model import Row

STAGE, LENGTH = "syncline_stage", "syncline_length"


class Append:
    """INSERT of many rows at once."""

    def __init__(self, database: MysqlDatabase, tables: Tables, table: Table, names: Sequence[str]) -> None:
        self._database = database
        self._into = f"INSERT INTO {tables.quoted(table.name)} ({tables.listed(names)}) VALUES"

    def run(self, rows: Iterable[Row], count: int) -> int:
        return self._database.insert(self._into, rows)


class Part:
    """Some of the columns only."""

    def __init__(self, statement: Statement, places: Sequence[int]) -> None:
        self._statement, self._places = statement, places

    def run(self, rows: Iterable[Row], count: int) -> int:
        return self._statement.run([tuple(row[place] for place in self._places) for row in rows], count)


class Upsert:
    """Insert what is not there, then change what differs; of doubles in a batch, the last wins."""

    def __init__(
        self,
        database: MysqlDatabase,
        tables: Tables,
        table: Table,
        names: Sequence[str],
        key: tuple[str, ...],
        *,
        whole: bool,
    ) -> None:
        self._database = database
        self._stage = Stage(database, tables, [table.columns[tables.fold(name)] for name in names])
        folded = list(map(tables.fold, names))
        self._key = [folded.index(tables.fold(name)) for name in key]
        keys = set(map(tables.fold, key))
        shown = tables.quoted(table.name)
        columns = {tables.quoted(name): table.columns[fold] for name, fold in zip(names, folded, strict=True)}
        pairs = " AND ".join(_pair(shown, tables.quoted(name), table.columns[tables.fold(name)]) for name in key)
        after = {name: f"{STAGE}.{name}" for name, fold in zip(columns, folded, strict=True) if fold not in keys}
        same = [_same(f"{shown}.{name}", after[name], columns[name]) for name in after]
        if whole and table.ours:
            rest = {
                tables.quoted(column.name) for fold, column in table.columns.items() if fold not in {*keys, *folded}
            }
            after |= dict.fromkeys(sorted(rest), "NULL")
            same += [f"{shown}.{name} IS NULL" for name in sorted(rest)]
        assignments = ", ".join(f"{shown}.{name} = {value}" for name, value in after.items())
        self._change = (
            f"UPDATE {STAGE} STRAIGHT_JOIN {shown} ON {pairs} SET {assignments} WHERE NOT ({' AND '.join(same)})"  # noqa: S608
            if after
            else None
        )
        first = f"{shown}.{tables.quoted(key[0])}"
        self._add = (
            f"INSERT INTO {shown} ({', '.join(columns)}) SELECT {', '.join(f'{STAGE}.{name}' for name in columns)}"  # noqa: S608
            f" FROM {STAGE} LEFT JOIN {shown} ON {pairs} WHERE {first} IS NULL"
        )

    def run(self, rows: Iterable[Row], count: int) -> int:
        last = list(self._last_of_each(rows))
        self._stage.fill(last)
        written = self._added()
        if written < len(last) and self._change is not None:
            written += self._database.execute(self._change).rowcount
        return min(written, len(last))  # a trigger of somebody else's may give new rows other values at once

    def _added(self) -> int:
        """Insert what is not there. First of all, so that what another program inserts meanwhile is met and changed afterwards."""
        try:
            return self._database.execute(self._add).rowcount
        except self._database.errors as problem:
            if code_of(problem) != DOUBLE:
                raise
        return self._database.execute(
            self._add
        ).rowcount  # what was not committed yet when it was looked for is there now

    def _last_of_each(self, rows: Iterable[Row]) -> Iterable[Row]:
        if len(self._key) == 1:
            place = self._key[0]
            return {row[place]: row for row in rows}.values()
        return {tuple(row[place] for place in self._key): row for row in rows}.values()


class Stage:
    """A temporary table of some columns, in the same types as the real ones, so that nothing is compared otherwise than there.

    It is made anew for every batch: TRUNCATE would commit, and InnoDB reads an emptied table with all that was deleted from it.
    """

    def __init__(self, database: MysqlDatabase, tables: Tables, columns: Sequence[Column]) -> None:
        self._database = database
        types = ", ".join(f"{tables.quoted(column.name)} {stage_type(column)}" for column in columns)
        self._create = f"CREATE TEMPORARY TABLE {STAGE} ({types}) {table_options(database)}"
        self._into = f"INSERT INTO {STAGE} ({tables.listed(column.name for column in columns)}) VALUES"

    def fill(self, rows: Iterable[Row]) -> None:
        self._database.execute(f"DROP TEMPORARY TABLE IF EXISTS {STAGE}")
        self._database.execute(self._create)
        self._database.insert(self._into, rows)


class Keyed:
    """What is done to the rows of many keys at once."""

    def __init__(self, database: MysqlDatabase, tables: Tables) -> None:
        self._database, self._tables = database, tables

    def delete(self, table: Table, key: Sequence[str], keys: Sequence[Row]) -> int:
        if not keys:
            return 0
        columns = self._columns(table, key)
        Stage(self._database, self._tables, columns).fill(keys)
        return self._database.execute(self._deleting(table, columns)).rowcount

    def trim(self, table: Table, parent: Sequence[str], order: str, lengths: Sequence[Row]) -> None:
        """Delete rows whose `order` is not below the length that stands behind the parent's key."""
        columns = self._columns(table, parent)
        Stage(self._database, self._tables, [*columns, Column(LENGTH, "BIGINT", "integer")]).fill(
            [(*self._bound(columns, row), row[-1]) for row in lengths]
        )
        beyond = f"{self._tables.quoted(table.name)}.{self._tables.quoted(order)} >= {STAGE}.{LENGTH}"
        self._database.execute(f"{self._deleting(table, columns)} WHERE {beyond}")

    def mark(self, table: Table, key: Sequence[str], keys: Sequence[Row], column: str, moment: Any) -> int:
        columns = self._columns(table, key)
        Stage(self._database, self._tables, columns).fill(keys)
        shown = self._tables.quoted(table.name)
        marked = f"{shown}.{self._tables.quoted(column)}"
        return self._database.execute(
            f"UPDATE {STAGE} STRAIGHT_JOIN {shown} ON {self._pairs(shown, columns)}"  # noqa: S608 – quoted
            f" SET {marked} = {literal(moment)} WHERE {marked} IS NULL"
        ).rowcount

    def _deleting(self, table: Table, columns: Sequence[Column]) -> str:
        shown = self._tables.quoted(table.name)
        return f"DELETE {shown} FROM {STAGE} STRAIGHT_JOIN {shown} ON {self._pairs(shown, columns)}"

    def _pairs(self, shown: str, columns: Sequence[Column]) -> str:
        return " AND ".join(_pair(shown, self._tables.quoted(column.name), column) for column in columns)

    def _columns(self, table: Table, names: Sequence[str]) -> list[Column]:
        return [table.columns[self._tables.fold(name)] for name in names]

    def _bound(self, columns: Sequence[Column], row: Row) -> Iterable[Any]:
        for column, value in zip(columns, row, strict=False):
            convert = self._tables.converter(column, frozenset({type(value)}))
            yield convert(value) if convert else value


def _compared_loosely(column: Column) -> bool:
    """Whether the database would call texts the same that differ in case, accents or spaces at the end."""
    return " COLLATE " in column.declared


def _pair(shown: str, name: str, column: Column) -> str:
    """The same key in both tables. An index finds what is alike; that it is the same is looked at then."""
    alike = f"{shown}.{name} = {STAGE}.{name}"
    return f"{alike} AND {_exactly(f'{shown}.{name}', '=', f'{STAGE}.{name}')}" if _compared_loosely(column) else alike


def _same(before: str, after: str, column: Column) -> str:
    return _exactly(before, "<=>", after) if _compared_loosely(column) else f"{before} <=> {after}"


def _exactly(first: str, sign: str, second: str) -> str:
    return f"CAST({first} AS BINARY) {sign} CAST({second} AS BINARY)"
