"""Tables in SQLite, which grow without losing anything."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from decimal import Decimal
from typing import ClassVar

import msgspec

from syncline.databases.sqlite import SqliteDatabase
from syncline.destinations.sql.identifiers import fold, quoted
from syncline.destinations.sql.table import Change, Column, Table
from syncline.destinations.sql.tables import Check, Statement, Tables, doubled
from syncline.destinations.values import Convert, Logical, all_finite, converter, widen
from syncline.errors import PlanError
from syncline.model import Row

DECLARED: dict[Logical, str] = {
    "unknown": "",
    "boolean": "BOOLEAN",
    "integer": "INTEGER",
    "decimal": "DECIMAL TEXT",
    "float": "REAL",
    "text": "TEXT",
    "timestamp": "TIMESTAMP TEXT",
    "date": "DATE TEXT",
    "json": "JSON TEXT",
    "binary": "BLOB",
}
"""Type names whose affinity changes no value (https://www.sqlite.org/datatype3.html#determination_of_column_affinity):
plain DECIMAL and TIMESTAMP would have numeric affinity and turn text into floats."""

LOGICAL_OF = {declared: logical for logical, declared in DECLARED.items()}
REBUILT = "syncline_rebuild"
KEY_INDEX = "syncline_key_"


class SqliteTables(Tables):
    untyped: ClassVar[bool] = True
    exchanges: ClassVar[bool] = True

    def __init__(self, database: SqliteDatabase) -> None:
        super().__init__(database)
        self._sqlite = database

    def load(self, name: str) -> Table:
        found = self.database.execute(
            "SELECT type, name, sql FROM sqlite_master WHERE lower(name) = lower(?) AND type IN ('table', 'view')",
            (name,),
        ).fetchone()
        if found is None:
            return Table(name, {})
        kind, real_name, sql = found
        if kind == "view":
            raise PlanError(
                f"{name!r} is a view; rows cannot be written to it", hint="name a table: `into: {table: …}`"
            )
        columns: dict[str, Column] = {}
        ranked: list[tuple[int, str]] = []
        for _, column, declared, _, _, rank, _ in self.database.execute(
            f"PRAGMA table_xinfo({quoted(real_name)})"
        ).fetchall():
            columns[fold(column)] = _read_column(column, declared)
            if rank:
                ranked.append((rank, column))
        table = Table(real_name, columns, tuple(column for _, column in sorted(ranked)), exists=True)
        table.ours = sql == _create(real_name, table.columns.values(), table.key)
        return table

    def version(self) -> object:
        return self.database.execute("PRAGMA schema_version").fetchone()[0]

    def column(self, name: str, logical: Logical, *, key: bool = False) -> Column:
        return Column(name, DECLARED[logical], logical)

    def converter(self, column: Column, kinds: frozenset[type]) -> Convert | None:
        return converter(column.logical, kinds)

    def check(self, column: Column, kinds: frozenset[type]) -> Check | None:
        if float in kinds or (column.logical == "json" and Decimal in kinds):
            return all_finite
        return None

    # Growth

    def changes(self, table: Table, wanted: Sequence[Column], key: tuple[str, ...]) -> list[Change]:
        if not table.exists:
            return [Change(_create(table.name, wanted, key))]
        before = table.columns
        changes = [
            Change(f"ALTER TABLE {quoted(table.name)} ADD COLUMN {_definition(column)}")
            for column in wanted
            if fold(column.name) not in before
        ]
        wider = {
            fold(column.name): column
            for column in wanted
            if fold(column.name) in before and before[fold(column.name)].logical != column.logical
        }
        for number, column in enumerate(wider.values()):
            name = quoted(before[fold(column.name)].name)
            changes.append(
                Change(
                    f"ALTER TABLE {quoted(table.name)} ALTER COLUMN {name} TYPE {column.declared}",
                    self._rebuilding(table.name, wider) if number == 0 else _nothing,  # all of them by one copy
                )
            )
        return changes + self._key_changes(table, key)

    def laid_aside(self, name: str, like: Table, key: tuple[str, ...]) -> list[Change]:
        """With the key of the table it will replace."""
        columns = {fold(column): self.column(column, "unknown") for column in key} | like.columns
        return [Change(_create(name, columns.values(), key if like.ours else like.key))]

    def _rebuilding(self, name: str, wider: dict[str, Column]) -> Callable[[], None]:
        """Change columns' types by copying the table, as https://www.sqlite.org/lang_altertable.html advises."""

        def rebuild() -> None:
            self._sqlite.function("syncline_widen", 3, widen)
            table = self.load(name)
            values = []
            for folded, column in list(table.columns.items()):
                after = wider.get(folded)
                if after is None:
                    values.append(quoted(column.name))
                    continue
                values.append(f"syncline_widen({quoted(column.name)}, '{column.logical}', '{after.logical}')")
                table.columns[folded] = Column(column.name, after.declared, after.logical)
            names = ", ".join(quoted(column.name) for column in table.columns.values())
            self.database.execute(_create(REBUILT, table.columns.values(), table.key))
            self.database.execute(
                f"INSERT INTO {quoted(REBUILT)} ({names}) SELECT {', '.join(values)} FROM {quoted(name)}"  # noqa: S608
            )
            self._rename(REBUILT, name)

        return rebuild

    def _key_changes(self, table: Table, key: tuple[str, ...]) -> list[Change]:
        """Make the key known as unique, where it is not yet."""
        wanted = set(map(fold, key))
        if not key or set(map(fold, table.key)) == wanted:
            return []
        for _, index, unique, _, partial in self.database.execute(
            f"PRAGMA index_list({quoted(table.name)})"
        ).fetchall():
            members = self.database.execute(f"PRAGMA index_info({quoted(index)})").fetchall()
            if unique and not partial and {fold(name or "") for _, _, name in members} == wanted:
                return []
        name = quoted(f"{KEY_INDEX}{'_'.join((table.name, *key))}")
        statement = f"CREATE UNIQUE INDEX {name} ON {quoted(table.name)} ({self.listed(key)})"

        def make_unique() -> None:
            try:
                self.database.execute(statement)
            except self.database.errors as problem:
                if self.database.trouble(problem) != "refused":
                    raise
                raise doubled(table.name, key, str(problem)) from problem

        return [Change(statement, make_unique)]

    def take_place(self, staged: Table, table: Table) -> None:
        """A table of somebody else's making keeps its definition; one of ours is exchanged as it is."""
        if not table.ours:
            super().take_place(staged, table)
            return
        for _, name, *_ in self.database.execute(f"PRAGMA index_list({quoted(table.name)})").fetchall():
            if name.startswith(KEY_INDEX):  # the staged table has a key of its own
                self.database.execute(f"DROP INDEX {quoted(name)}")
        self._rename(staged.name, table.name)

    def _rename(self, newcomer: str, name: str) -> None:
        """Put one table in another's place; the old one's indexes and triggers are made anew, views keep working."""
        dependents = self.database.execute(
            "SELECT sql FROM sqlite_master WHERE lower(tbl_name) = lower(?) AND type IN ('index', 'trigger')"
            " AND sql IS NOT NULL",
            (name,),
        ).fetchall()
        self.database.execute("PRAGMA legacy_alter_table = ON")  # otherwise a view on the table refuses the renaming
        self.database.execute(f"DROP TABLE IF EXISTS {quoted(name)}")
        self.database.execute(f"ALTER TABLE {quoted(newcomer)} RENAME TO {quoted(name)}")
        for (sql,) in dependents:
            self.database.execute(sql)

    # Rows

    def statement(self, table: Table, names: Sequence[str], key: tuple[str, ...], *, whole: bool) -> Statement:
        return _Upsert(self._sqlite, _written(table, names, key, whole=whole))


class _Upsert(msgspec.Struct, frozen=True):
    database: SqliteDatabase
    sql: str

    def run(self, rows: Iterable[Row], count: int) -> int:
        return self.database.executemany(self.sql, rows)


def _written(table: Table, names: Sequence[str], key: tuple[str, ...], *, whole: bool) -> str:
    shown = quoted(table.name)
    listed = [quoted(name) for name in names]
    insert = f"INSERT INTO {shown} ({', '.join(listed)}) VALUES ({', '.join('?' * len(listed))})"  # noqa: S608
    if not key:
        return insert
    conflict = f"{insert} ON CONFLICT ({', '.join(map(quoted, key))})"
    keys = set(map(fold, key))
    after = {quoted(name): f"excluded.{quoted(name)}" for name in names if fold(name) not in keys}
    if whole and table.ours:
        given = keys | set(map(fold, names))
        after |= {quoted(c.name): "NULL" for name, c in table.columns.items() if name not in given}
    if not after:
        return f"{conflict} DO NOTHING"
    assignments = ", ".join(f"{name} = {value}" for name, value in after.items())
    before = ", ".join(f"{shown}.{name}" for name in after)
    return f"{conflict} DO UPDATE SET {assignments} WHERE ({before}) IS NOT ({', '.join(after.values())})"


def _create(name: str, columns: Iterable[Column], key: tuple[str, ...]) -> str:
    """In one line, so that it stays equal to what SQLite keeps after a column was added."""
    pieces = [_definition(column) for column in columns]
    if key:
        pieces.append(f"PRIMARY KEY ({', '.join(map(quoted, key))})")
    return f"CREATE TABLE {quoted(name)} ({', '.join(pieces)})"


def _definition(column: Column) -> str:
    return f"{quoted(column.name)} {column.declared}".rstrip()


def _read_column(name: str, declared: str) -> Column:
    if declared in LOGICAL_OF:
        return Column(name, declared, LOGICAL_OF[declared])
    upper = declared.upper()
    if "INT" in upper:
        return Column(name, declared, "integer")
    if re.search("CHAR|CLOB|TEXT", upper):
        return Column(name, declared, "text")
    if "BLOB" in upper:
        return Column(name, declared, "binary")
    if re.search("REAL|FLOA|DOUB", upper):
        return Column(name, declared, "float")
    if "BOOL" in upper:
        return Column(name, declared, "boolean", lossy=True)
    if "JSON" in upper:
        return Column(name, declared, "json", lossy=True)
    return Column(name, declared, "text" if re.search("DATE|TIME", upper) else "decimal", lossy=True)


def _nothing() -> None:
    return
