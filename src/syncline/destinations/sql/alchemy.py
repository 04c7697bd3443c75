"""Tables of any database that SQLAlchemy knows. What a database is not known to keep exactly is read back."""

from __future__ import annotations

import hashlib
import warnings
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, ClassVar

import msgspec
import sqlalchemy as sa
from sqlalchemy.exc import SAWarning

from syncline.databases.alchemy import AlchemyDatabase
from syncline.destinations.sql.alchemy_columns import AlchemyColumn, Columns, largest, same_json
from syncline.destinations.sql.alchemy_growth import Growth, Made, Shape
from syncline.destinations.sql.alchemy_rows import NUMBER, Append, CheckedAppend, Fault, Inexact, Pieces, Upsert
from syncline.destinations.sql.identifiers import MAX_IDENTIFIER, fault_of, fold
from syncline.destinations.sql.table import Change, Column, Table
from syncline.destinations.sql.tables import Check, Statement, Tables, doubled
from syncline.destinations.values import Convert, Logical, join, spell_json
from syncline.errors import PlanError
from syncline.model import Row, decode_json

CHECKING = "syncline_check_"
"""Begins the name of a table through which rows without a key go."""


class AlchemyTable(Table):
    """`uniques` are sets of folded names that no two rows share; `checking` are the types of its table for checking."""

    uniques: tuple[frozenset[str], ...] = ()
    checking: tuple[str, ...] = ()


class AlchemyTables(Tables):
    def __init__(self, database: AlchemyDatabase) -> None:
        super().__init__(database)
        self._alchemy, self._ways, self._dialect = database, database.ways, database.dialect
        self._columns = Columns(database.dialect, database.ways)
        self._growth = Growth(database, self._columns, self.quoted)
        self._made = Made(database)

    @staticmethod
    def of(database: AlchemyDatabase) -> AlchemyTables:
        return AlchemyTables(database) if database.ways.transactional_ddl else DefinitiveTables(database)

    # Names

    def fold(self, name: str) -> str:
        match self._ways.names:
            case "exact":
                return name
            case "ascii":
                return fold(name)
        return name.casefold()

    def fault_of(self, name: str) -> str | None:
        most = min(MAX_IDENTIFIER, self._ways.longest_name or self._dialect.max_identifier_length)
        if fault := fault_of(name, most, of_bytes=self._ways.bytes_of_name):
            return fault
        if self._dialect.name in ("mysql", "mariadb") and (name.endswith(" ") or max(name) > "\uffff"):
            return "the name ends with a space or holds a character beyond U+FFFF"
        return None

    def quoted(self, name: str) -> str:
        super().quoted(name)
        spelled = self._dialect.identifier_preparer.quote(self._named(name))
        return spelled.replace("%%", "%") if self._dialect.paramstyle in ("format", "pyformat") else spelled

    def _named(self, name: str) -> sa.sql.quoted_name:
        """Quoted always; where names are kept in capitals unless they are quoted, only where they must be."""
        return sa.sql.quoted_name(name, quote=None if self._dialect.requires_name_normalize else True)

    # Shapes

    def load(self, name: str) -> AlchemyTable:
        with self._alchemy.looking() as inspector, _silent():
            named = self._named(name)
            if not inspector.has_table(named):
                return AlchemyTable(name, {})
            if name in inspector.get_view_names():
                raise PlanError(
                    f"{name!r} is a view; rows cannot be written to it", hint="name a table: `into: {table: …}`"
                )
            found = [(column["name"], column["type"]) for column in inspector.get_columns(named)]
            key = tuple(inspector.get_pk_constraint(named)["constrained_columns"])
            uniques = tuple(self._uniques(inspector, named))
            checking = self._checking(inspector, name)
            self._refuse_without_transactions(inspector, name)
        shape = self._made.shape_of(name)
        ours = bool(shape) and self._unchanged(shape, dict(found))
        columns: dict[str, Column] = {
            self.fold(column): self._columns.read(
                column, made, shape[column][0] if ours and column in shape else None, key=column in key
            )
            for column, made in found
        }
        return AlchemyTable(name, columns, key, exists=True, ours=ours, uniques=uniques, checking=checking)

    def _unchanged(self, shape: Shape, found: dict[str, Any]) -> bool:
        return all(name in found and self._columns.spelled(found[name]) == made for name, (_, made) in shape.items())

    def _uniques(self, inspector: sa.Inspector, name: str) -> Iterator[frozenset[str]]:
        for index in inspector.get_indexes(name):
            if index["unique"] and not any(option.endswith("_where") for option in index.get("dialect_options", {})):
                yield frozenset(self.fold(column or "") for column in index["column_names"])
        try:
            for constraint in inspector.get_unique_constraints(name):
                yield frozenset(map(self.fold, constraint["column_names"]))
        except NotImplementedError:
            return

    def _checking(self, inspector: sa.Inspector, name: str) -> tuple[str, ...]:
        stage = self._named(checking_of(name))
        if not inspector.has_table(stage):
            return ()
        found = {column["name"]: column["type"] for column in inspector.get_columns(stage)}
        return tuple(self._columns.spelled(made) for column, made in found.items() if column != NUMBER)

    def _refuse_without_transactions(self, inspector: sa.Inspector, name: str) -> None:
        if self._dialect.name not in ("mysql", "mariadb"):
            return
        engine = str(inspector.get_table_options(name).get("mysql_engine", "InnoDB"))
        if engine.lower() in ("myisam", "aria", "memory", "csv", "archive", "merge", "mrg_myisam"):
            raise PlanError(
                f"the table {name!r} is kept by {engine}, which has no transactions",
                hint=f"ALTER TABLE {name} ENGINE = InnoDB, or choose another table",
            )

    def column(self, name: str, logical: Logical, *, key: bool = False) -> AlchemyColumn:
        return self._columns.made(name, logical, key=key)

    def first(self, name: str, needed: Logical, values: Sequence[Any], *, key: bool) -> Column:
        return self._columns.for_values(name, needed, values, key=key)

    def within(self, have: Column, needed: Logical, values: Sequence[Any]) -> bool:
        return have.logical == "unknown" or super().within(have, needed, values)

    def holding(self, have: Column, needed: Logical, values: Sequence[Any]) -> Column | None:
        assert isinstance(have, AlchemyColumn)
        logical = have.logical if have.logical == "unknown" and have.there else join(have.logical, needed)
        if logical is None:
            return None
        if logical == have.logical and (have.fits is None or not any(self._columns.misfit(v, have) for v in values)):
            return have
        wider = self._columns.for_values(have.name, logical, values, key=have.key, beside=have)
        if (wider.logical, wider.fits) == (have.logical, have.fits):
            return have
        origin = have if have.there else have.origin
        if origin is not None and not self._growth.possible(origin, wider):
            return have if logical == have.logical else None
        return msgspec.structs.replace(wider, origin=origin)

    def changes(self, table: Table, wanted: Sequence[Column], key: tuple[str, ...]) -> list[Change]:
        columns = [column for column in wanted if isinstance(column, AlchemyColumn)]
        if not table.exists:
            statement = self._growth.creating(table.name, columns, key)
            made = [Change(statement, lambda: self._create(table, statement, columns))]
        else:
            made = [*self._growing(table, columns), *self._key_changes(table, key)]
        checking = self._checking_change(table, columns, key)
        if checking is None:
            return made
        return [*made[:-1], _together(made[-1], checking)] if made else [checking]

    def _create(self, table: Table, statement: str, columns: Sequence[AlchemyColumn]) -> None:
        self._made.prepare()
        self._alchemy.define(statement)
        if table.ours:
            self._note(table.name, columns)

    def _growing(self, table: Table, columns: Sequence[AlchemyColumn]) -> list[Change]:
        added = [column for column in columns if self.fold(column.name) not in table.columns]
        changes = [self._change(table, self._growth.adding(table.name, column), [column]) for column in added]
        wider: dict[str, AlchemyColumn] = {}
        for column in columns:
            have = table.columns.get(self.fold(column.name))
            if isinstance(have, AlchemyColumn) and (goal := self._goal(table, have, column)) is not have:
                wider[self.fold(column.name)] = goal
        for number, (folded, column) in enumerate(wider.items()):
            have = table.columns[folded]
            assert isinstance(have, AlchemyColumn)
            statement = self._growth.retyping(table.name, have, column)
            if not self._ways.rebuilds:
                changes.append(self._change(table, statement, [column]))
            elif number == 0:  # all of them by one copy
                changes.append(Change(statement, lambda: self._rebuild(table.name, wider)))
            else:
                changes.append(Change(statement, lambda: None))
        return changes

    def _goal(self, table: Table, have: AlchemyColumn, column: AlchemyColumn) -> AlchemyColumn:
        """What a column has to become so that it holds all that the other one does."""
        if not column.there:
            return column
        holder = self.holding(have, column.logical, list(largest(column)))
        if isinstance(holder, AlchemyColumn) and (holder is have or table.ours):
            return holder
        raise PlanError(
            f"the column {have.name!r} of {table.name!r} is {have.declared}; the new rows need {column.declared}",
            hint="change its type, or choose another table: `into: {table: …}`",
        )

    def _change(self, table: Table, statement: str, columns: Sequence[AlchemyColumn]) -> Change:
        def apply() -> None:
            self._alchemy.define(statement)
            if table.ours:
                self._note(table.name, columns)

        return Change(statement, apply)

    def _rebuild(self, name: str, wider: dict[str, AlchemyColumn]) -> None:
        self._growth.rebuild(self.load(name), wider)
        self._note(name, list(wider.values()))

    def _note(self, name: str, columns: Sequence[AlchemyColumn]) -> None:
        """Remember what these columns are for."""
        with self._alchemy.looking() as inspector, _silent():
            found = {column["name"]: column["type"] for column in inspector.get_columns(self._named(name))}
        shape = self._made.shape_of(name)
        shape |= {
            column.name: (column.logical, self._columns.spelled(found[column.name]))
            for column in columns
            if column.name in found
        }
        self._made.note(name, shape)

    def _key_changes(self, table: Table, key: tuple[str, ...]) -> list[Change]:
        """Make the key known as unique, where it is not yet and the database has such indexes."""
        wanted = frozenset(map(self.fold, key))
        if not key or not self._ways.unique_index or frozenset(map(self.fold, table.key)) == wanted:
            return []
        if isinstance(table, AlchemyTable) and wanted in table.uniques:
            return []
        name = "syncline_key_" + _digest(table.name, *sorted(wanted))
        statement = f"CREATE UNIQUE INDEX {name} ON {self.quoted(table.name)} ({self.listed(key)})"

        def make_unique() -> None:
            try:
                self._alchemy.define(statement)
            except self._alchemy.errors as problem:
                if self._alchemy.trouble(problem) != "refused":
                    raise
                raise doubled(table.name, key, self._alchemy.explain(problem).evidence or "") from problem

        return [Change(statement, make_unique)]

    def _checking_change(self, table: Table, columns: Sequence[AlchemyColumn], key: tuple[str, ...]) -> Change | None:
        """A table of the same types for rows that have no key and may have to be looked at."""
        if key or not any(column.doubtful for column in columns):
            return None
        everything = {**table.columns, **{self.fold(column.name): column for column in columns}}
        types = [column.made for column in checked(everything.values())]
        if isinstance(table, AlchemyTable) and table.checking == tuple(map(self._columns.spelled, types)):
            return None
        stage = checking_of(table.name)
        named = [self._columns.of_type(f"c{number}", made) for number, made in enumerate(types)]
        statement = self._growth.creating(stage, [*named, self._columns.of_type(NUMBER, sa.Integer())], ())

        def apply() -> None:
            if self._alchemy.has_table(stage):
                self._alchemy.define(f"DROP TABLE {self.quoted(stage)}")
            self._alchemy.define(statement)

        return Change(statement, apply)

    def drop(self, name: str) -> None:
        self._changed += 1
        for table in (name, checking_of(name)):
            if self._alchemy.has_table(table):
                self._alchemy.define(f"DROP TABLE {self.quoted(table)}")
        self._made.forget(name)

    # Rows

    def statement(self, table: Table, names: Sequence[str], key: tuple[str, ...], *, whole: bool) -> Statement:
        columns = {folded: column for folded, column in table.columns.items() if isinstance(column, AlchemyColumn)}
        chosen = [columns[self.fold(name)] for name in names]
        pieces = Pieces(self._alchemy, self._columns, self._named, table.name)
        if key:
            given = {self.fold(name) for name in (*names, *key)}
            others = (
                [column for folded, column in columns.items() if folded not in given] if whole and table.ours else []
            )
            return Upsert(pieces, chosen, [columns[self.fold(name)].name for name in key], others)
        if any(column.doubtful for column in chosen):
            everything = checked(columns.values())
            return CheckedAppend(
                pieces, chosen, checking_of(table.name), [everything.index(column) for column in chosen]
            )
        return Append(pieces, chosen)

    def fetch(self, table: Table, names: Sequence[str], key: Sequence[str], keys: Sequence[Row]) -> list[Row]:
        ordered = [*key, *(name for name in names if name not in key)]
        columns = [self.column_of(table, name) for name in ordered]
        pieces = Pieces(self._alchemy, self._columns, self._named, table.name)
        chosen = [column for column in columns if isinstance(column, AlchemyColumn)]
        places = [ordered.index(name) for name in names]
        found = pieces.fetch(pieces.table(chosen), len(key), keys)
        return [tuple(row[place] for place in places) for row in found]

    def converter(self, column: Column, kinds: frozenset[type]) -> Convert | None:
        return self._columns.converter(column, kinds)

    def check(self, column: Column, kinds: frozenset[type]) -> Check | None:
        return self._columns.check(column, kinds, self.misfit)

    def misfit(self, value: Any, column: Column | None) -> str | None:
        return super().misfit(value, column) or self._columns.misfit(value, column)

    def put_each(self, statement: Statement, rows: Mapping[int, Row]) -> tuple[int, dict[int, str]]:
        try:
            with self.savepoint():
                return statement.run(list(rows.values()), len(rows)), {}
        except Inexact as problem:
            numbers = list(rows)
            told: dict[int, str] = {numbers[place]: fault for place, fault in problem.faults.items()}
        except Exception as problem:
            if not self.refuses(problem):
                raise
            return super().put_each(statement, rows)
        left = {number: row for number, row in rows.items() if number not in told}
        written, more = self.put_each(statement, left) if left else (0, {})
        return written, told | more

    def said(self, problem: BaseException) -> str:
        return problem.faults[0] if isinstance(problem, Inexact) else self._alchemy.said(problem)

    def path_in(self, said: str, table: Table) -> str:
        return said.path if isinstance(said, Fault) else super().path_in(said, table)

    def restore(self, stored: Any, column: Column) -> Any:
        return self._columns.restored(stored, column)

    def alike(self, kept: Any, value: Any, column: Column) -> bool:
        if column.logical == "json":
            return same_json(kept, decode_json(spell_json(value)))
        return super().alike(kept, value, column)


class DefinitiveTables(AlchemyTables):
    """Of databases that commit at every change of the schema."""

    definitive: ClassVar[bool] = True


def _together(change: Change, beside: Change) -> Change:
    """The change, and one that is nobody's business together with it."""

    def apply() -> None:
        for one in (change, beside):
            if one.apply is not None:
                one.apply()

    return Change(change.statement, apply)


def checked(columns: Iterable[Column]) -> list[AlchemyColumn]:
    """Those that can be written, in the table's order."""
    return [column for column in columns if isinstance(column, AlchemyColumn) and column.logical != "unknown"]


def checking_of(name: str) -> str:
    """The name of a table for checking; short, because some databases take no long ones."""
    return CHECKING + _digest(name)


def _digest(*names: str) -> str:
    return hashlib.sha256("\0".join(names).encode()).hexdigest()[:12]


@contextmanager
def _silent() -> Iterator[None]:
    """Without SQLAlchemy's words about types and indexes that it does not know; the columns say it where it matters."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", SAWarning)
        yield
