"""Tables in DuckDB."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Any, ClassVar

from syncline.databases.duckdb import DuckdbDatabase
from syncline.destinations.sql import duckdb_types as types
from syncline.destinations.sql.duckdb_rows import Append, Source, Upsert
from syncline.destinations.sql.identifiers import fold, quoted
from syncline.destinations.sql.table import Change, Column, Table
from syncline.destinations.sql.tables import Check, Statement, Tables, doubled
from syncline.destinations.values import Convert, Logical, join, within
from syncline.errors import PlanError
from syncline.model import Row, decode_json

HERE = "NOT internal AND database_name = current_database() AND schema_name = current_schema()"
COLUMNS = (
    f"SELECT table_name, column_name, data_type, column_default FROM duckdb_columns() WHERE {HERE}"  # noqa: S608
    " AND lower(table_name) = lower(?) ORDER BY table_name, column_index"
)
CONSTRAINTS = (
    "SELECT constraint_type, constraint_column_names FROM duckdb_constraints() WHERE database_name = current_database()"
    " AND schema_name = current_schema() AND table_name = ?"
)
INDEXES = (
    "SELECT index_name, is_unique, expressions, sql FROM duckdb_indexes() WHERE database_name = current_database()"
    " AND schema_name = current_schema() AND table_name = ?"
)
MADE_BY = "made by Syncline"
REBUILT = "syncline_rebuild"
KEY_INDEX = "syncline_key_"
NUMBERS = ("integer", "float", "decimal")


class DuckdbTables(Tables):
    exchanges: ClassVar[bool] = True
    batch_rows: ClassVar[int] = 10_000
    savepoints: ClassVar[bool] = False

    def __init__(self, database: DuckdbDatabase) -> None:
        super().__init__(database)
        self._duckdb = database
        self._done: list[Callable[[], Any]] = []
        self._done_in = 0
        """What was done in the transaction of that number, to be done again where it has to be begun anew."""

    # Shapes

    def load(self, name: str) -> Table:
        rows = [row for row in self.database.execute(COLUMNS, (name,)).fetchall() if fold(row[0]) == fold(name)]
        if not rows:
            return Table(name, {})
        real_name = rows[0][0]
        found = self.database.execute(
            f"SELECT comment FROM duckdb_tables() WHERE {HERE} AND table_name = ?",  # noqa: S608 – ours
            (real_name,),
        ).fetchone()
        if found is None:
            raise PlanError(
                f"{name!r} is a view; rows cannot be written to it", hint="name a table: `into: {table: …}`"
            )
        constraints = self.database.execute(CONSTRAINTS, (real_name,)).fetchall()
        key = next((tuple(names) for kind, names in constraints if kind == "PRIMARY KEY"), ())
        table = Table(real_name, {fold(row[1]): types.read_column(row[1], row[2]) for row in rows}, key, exists=True)
        # what somebody has made of it since would be lost where it has to be copied
        changed = any(default is not None for *_, default in rows) or any(
            kind != "PRIMARY KEY" and not (kind == "NOT NULL" and set(names) <= set(key)) for kind, names in constraints
        )
        table.ours = found[0] == MADE_BY and not changed
        return table

    def column(self, name: str, logical: Logical, *, key: bool = False) -> Column:
        if logical == "decimal":
            return types.decimal_column(name, 0)
        return Column(name, types.DECLARED[logical], logical)

    def first(self, name: str, needed: Logical, values: Sequence[Any], *, key: bool) -> Column:
        return types.number_column(name, needed, values) if needed in NUMBERS else self.column(name, needed)

    def within(self, have: Column, needed: Logical, values: Sequence[Any]) -> bool:
        if have.lossy and needed != "unknown":
            return False
        return within(have.logical, needed) == have.logical

    def holding(self, have: Column, needed: Logical, values: Sequence[Any]) -> Column | None:
        """Whether there is room for what the column holds already is seen to by `changes`."""
        logical = join(have.logical, needed)
        if logical is None or (have.lossy and needed != "unknown"):
            return None
        if logical in NUMBERS and needed != "unknown" and types.is_plain(have):
            return types.number_column(have.name, logical, values, have)
        return have if logical == have.logical else self.column(have.name, logical)

    # Growth

    def changes(self, table: Table, wanted: Sequence[Column], key: tuple[str, ...]) -> list[Change]:
        if not table.exists:
            return [self._creation(table.name, wanted, key)]
        shown = self.quoted(table.name)
        changes, wider = [], {}
        for column in wanted:
            before = table.columns.get(fold(column.name))
            if before is None:
                changes.append(Change(f"ALTER TABLE {shown} ADD COLUMN {_definition(column)}"))
            elif before.declared != (made := self._with_room(table, before, column)).declared:
                wider[fold(column.name)] = made
        if wider:
            copied = self._must_be_copied(table, wider)
            for number, (folded, column) in enumerate(wider.items()):
                name = self.quoted(column.name)
                using = types_widened(name, table.columns[folded], column)
                statement = f"ALTER TABLE {shown} ALTER COLUMN {name} TYPE {column.declared} USING {using}"
                rebuild = self._rebuilding(table.name, wider) if number == 0 else _nothing  # all of them by one copy
                changes.append(Change(statement, rebuild if copied else None))
        return changes + self._key_changes(table, key)

    def apply(self, changes: Sequence[Change]) -> list[str]:
        if changes:
            self._remember(lambda: super(DuckdbTables, self).apply(changes))
        return super().apply(changes)

    def _creation(self, name: str, columns: Sequence[Column], key: tuple[str, ...]) -> Change:
        pieces = [_definition(column) for column in columns]
        if key:
            pieces.append(f"PRIMARY KEY ({self.listed(key)})")
        statement = f"CREATE TABLE {self.quoted(name)} ({', '.join(pieces)})"

        def create() -> None:
            self.database.define(statement)
            self.database.define(f"COMMENT ON TABLE {self.quoted(name)} IS '{MADE_BY}'")

        return Change(statement, create)

    def _with_room(self, table: Table, before: Column, column: Column) -> Column:
        """The decimal column with room for what is stored as well; text where there is none."""
        if column.logical != "decimal" or before.declared == column.declared:
            return column
        name, shown = self.quoted(before.name), self.quoted(table.name)
        if before.logical == "float":
            rows = self.database.execute(f"SELECT DISTINCT {name} FROM {shown} WHERE {name} IS NOT NULL").fetchall()  # noqa: S608
            stored = [value for (value,) in rows]
            if not all(map(math.isfinite, stored)):
                return self.column(column.name, "text")
        else:
            found = self.database.execute(f"SELECT max({name}), min({name}) FROM {shown}").fetchone()  # noqa: S608
            stored = [value for value in found if value is not None]
        return types.number_column(column.name, "decimal", stored, column)

    def _must_be_copied(self, table: Table, wider: Mapping[str, Column]) -> bool:
        """Whether a column of the key or an index stands in the way of changing a type."""
        return not {fold(name) for name in table.key}.isdisjoint(wider) or bool(
            self.database.execute(INDEXES, (table.name,)).fetchall()
        )

    def _rebuilding(self, name: str, wider: Mapping[str, Column]) -> Callable[[], None]:
        def rebuild() -> None:
            table = self.load(name)
            values = [
                types_widened(self.quoted(column.name), column, wider[folded])
                if folded in wider
                else self.quoted(column.name)
                for folded, column in table.columns.items()
            ]
            columns = [
                Column(column.name, wider[folded].declared, wider[folded].logical) if folded in wider else column
                for folded, column in table.columns.items()
            ]
            creation = self._creation(REBUILT, columns, table.key)
            assert creation.apply is not None
            creation.apply()
            self.database.execute(
                f"INSERT INTO {self.quoted(REBUILT)} SELECT {', '.join(values)} FROM {self.quoted(name)}"  # noqa: S608
            )
            self._rename(REBUILT, name)

        return rebuild

    def _key_changes(self, table: Table, key: tuple[str, ...]) -> list[Change]:
        """Make the key known as unique, where it is not yet."""
        wanted = set(map(fold, key))
        if not key or set(map(fold, table.key)) == wanted:
            return []
        constraints = self.database.execute(CONSTRAINTS, (table.name,)).fetchall()
        if any(kind == "UNIQUE" and set(map(fold, names)) == wanted for kind, names in constraints):
            return []
        for _, unique, expressions, _ in self.database.execute(INDEXES, (table.name,)).fetchall():
            members = {fold(name.strip("'\" ")) for name in expressions.strip("[]").split(",")}
            if unique and members == wanted:
                return []
        name = self.quoted(f"{KEY_INDEX}{'_'.join((table.name, *key))}")
        statement = f"CREATE UNIQUE INDEX {name} ON {self.quoted(table.name)} ({self.listed(key)})"

        def make_unique() -> None:
            try:
                self.database.define(statement)
            except self.database.errors as problem:
                if self.database.trouble(problem) != "refused":
                    raise
                raise doubled(table.name, key, self.said(problem)) from problem

        return [Change(statement, make_unique)]

    def take_place(self, staged: Table, table: Table) -> None:
        """A table of somebody else's making keeps its definition; one of ours is exchanged as it is."""
        if table.ours and not self.database.execute(INDEXES, (staged.name,)).fetchall():
            self._rename(staged.name, table.name)
        else:
            super().take_place(staged, table)
        self._changed += 1

    def _rename(self, newcomer: str, name: str) -> None:
        """Put one table in another's place; the old one's indexes are made anew, views keep working."""
        indexes = self.database.execute(INDEXES, (name,)).fetchall()
        self.database.define(f"DROP TABLE {self.quoted(name)}")
        self.database.define(f"ALTER TABLE {self.quoted(newcomer)} RENAME TO {self.quoted(name)}")
        for index, _, _, sql in indexes:
            if not index.startswith(KEY_INDEX):  # the newcomer has a key of its own
                self.database.define(sql)

    # Rows

    def statement(self, table: Table, names: Sequence[str], key: tuple[str, ...], *, whole: bool) -> Statement:
        columns = self._columns(table, names)
        if not key:
            return Append(self._duckdb, table, columns)
        places = [next(i for i, name in enumerate(names) if fold(name) == fold(one)) for one in key]
        return Upsert(self._duckdb, table, columns, places, whole=whole)

    def converter(self, column: Column, kinds: frozenset[type]) -> Convert | None:
        return types.converter(column, kinds)

    def check(self, column: Column, kinds: frozenset[type]) -> Check | None:
        if types.is_plain(column) and not (column.logical == "float" and kinds - {float, type(None)}):
            return None
        return lambda values: all(value is None or self.misfit(value, column) is None for value in values)

    def refuses(self, problem: BaseException) -> bool:
        return isinstance(problem, ArithmeticError) or super().refuses(problem)

    def misfit(self, value: Any, column: Column | None) -> str | None:
        if value is None:
            return None
        reason = types.misfit(value, column) if column is not None and column.lossy else None
        reason = reason or super().misfit(value, column)
        return reason if reason or column is None else types.misfit(value, column)

    def put_each(self, statement: Statement, rows: Mapping[int, Row]) -> tuple[int, dict[int, str]]:
        try:
            written = statement.run(rows.values(), len(rows))
        except Exception as problem:
            if not self.refuses(problem):
                raise
            return 0, self._refused(statement, rows, problem)
        kept = list(rows.values())
        self._remember(lambda: statement.run(kept, len(kept)))
        return written, {}

    def _refused(self, statement: Statement, rows: Mapping[int, Row], first: Exception) -> dict[int, str]:
        """Which rows the database refuses, found out by trials that are rolled back; the transaction is lost already."""
        before = list(self._done) if self._done_in == self._duckdb.begun else []
        self.database.rollback()

        def fails(numbers: Sequence[int]) -> Exception | None:
            self.database.begin()
            try:
                for again in before:
                    again()
                statement.run([rows[number] for number in numbers], len(numbers))
            except Exception as problem:
                if not self.refuses(problem):
                    raise
                return problem
            finally:
                self.database.rollback()
            return None

        refused: dict[int, str] = {}

        def halve(numbers: Sequence[int]) -> None:
            if not numbers or (problem := fails(numbers)) is None:
                return
            if len(numbers) == 1:
                refused[numbers[0]] = self.said(problem)
                return
            middle = len(numbers) // 2
            halve(numbers[:middle])
            halve(numbers[middle:])

        numbers = list(rows)
        middle = len(numbers) // 2
        halve(numbers[:middle])
        halve(numbers[middle:])
        if not refused:  # each may stand there, but not all of them
            fine, least = 0, len(numbers)
            while least - fine > 1:
                middle = (fine + least) // 2
                if fails(numbers[:middle]) is None:
                    fine = middle
                else:
                    least = middle
            refused[numbers[least - 1]] = self.said(first)
        return refused

    def _remember(self, step: Callable[[], Any]) -> None:
        if self._done_in != self._duckdb.begun:
            self._done_in = self._duckdb.begun
            self._done.clear()
        self._done.append(step)

    def delete(self, table: Table, key: Sequence[str], keys: Sequence[Row]) -> int:
        columns = self._columns(table, key)
        before = f"DELETE FROM {self.quoted(table.name)} USING ("  # noqa: S608 – quoted, here and below
        after = f") AS syncline_rows WHERE {self._same(table, columns)}"
        return int(Source(self._duckdb, columns).execute(before, keys, after).rowcount) if keys else 0

    def trim(self, table: Table, parent: Sequence[str], order: str, lengths: Sequence[Row]) -> None:
        columns = self._columns(table, [*parent, order])
        before = f"DELETE FROM {self.quoted(table.name)} USING ("  # noqa: S608
        place = f"{self.quoted(table.name)}.{self.quoted(columns[-1].name)} >= syncline_rows.c{len(parent)}"
        after = f") AS syncline_rows WHERE {self._same(table, columns[:-1])} AND {place}"
        Source(self._duckdb, columns).execute(before, [self._bound(columns, row) for row in lengths], after)

    def mark(self, table: Table, key: Sequence[str], keys: Sequence[Row], column: str, now: datetime) -> int:
        columns, marked = self._columns(table, key), self.quoted(column)
        before = f"UPDATE {self.quoted(table.name)} SET {marked} = ? FROM ("  # noqa: S608
        unmarked = f"{self.quoted(table.name)}.{marked} IS NULL"
        after = f") AS syncline_rows WHERE {self._same(table, columns)} AND {unmarked}"
        values = (self._moment(table, column, now),)
        return int(Source(self._duckdb, columns).execute(before, keys, after, values).rowcount) if keys else 0

    def fetch(self, table: Table, names: Sequence[str], key: Sequence[str], keys: Sequence[Row]) -> list[Row]:
        columns = self._columns(table, key)
        listed = ", ".join(f"{self.quoted(table.name)}.{self.quoted(name)}" for name in names)
        before = f"SELECT {listed} FROM {self.quoted(table.name)}, ("  # noqa: S608
        after = f") AS syncline_rows WHERE {self._same(table, columns)}"
        return list(map(tuple, Source(self._duckdb, columns).execute(before, keys, after).fetchall())) if keys else []

    def restore(self, stored: Any, column: Column) -> Any:
        return decode_json(stored) if column.logical == "json" and stored is not None else stored

    def _columns(self, table: Table, names: Sequence[str]) -> list[Column]:
        return [table.columns[fold(name)] for name in names]

    def _same(self, table: Table, columns: Sequence[Column]) -> str:
        """That these columns of the table are equal to those of the source, in this order."""
        shown = self.quoted(table.name)
        return " AND ".join(
            f"{shown}.{quoted(column.name)} = syncline_rows.c{place}" for place, column in enumerate(columns)
        )

    def _bound(self, columns: Sequence[Column], row: Row) -> Row:
        converts = [
            self.converter(column, frozenset({type(value)})) for column, value in zip(columns, row, strict=True)
        ]
        return tuple(
            value if value is None or convert is None else convert(value)
            for value, convert in zip(row, converts, strict=True)
        )


def types_widened(name: str, before: Column, after: Column) -> str:
    """The stored value as the wider type spells it."""
    text = f"{name}::VARCHAR"
    if before.logical == "timestamp":
        whole = f"strftime({name}, '%Y-%m-%dT%H:%M:%S.%f+00:00')"
        text = f"replace({whole}, '.000000+', '+')"
    if after.logical == "text":
        return text
    if after.logical == "json":
        if before.logical == "float":
            return f"CASE WHEN isfinite({name}) THEN {text}::JSON ELSE to_json({text}) END"
        return f"{text}::JSON" if before.logical in ("boolean", "integer", "decimal") else f"to_json({text})"
    return f"{text}::{after.declared}"


def _definition(column: Column) -> str:
    return f"{quoted(column.name)} {column.declared}"


def _nothing() -> None:
    return
