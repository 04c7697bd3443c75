"""A table in SQLite: what it is, and how it grows without losing anything. All of it inside the caller's transaction."""

from __future__ import annotations

import re
import sqlite3

import msgspec

from syncline.destinations.identifiers import fold, quoted
from syncline.destinations.values import Logical, widen
from syncline.errors import PlanError

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


class Column(msgspec.Struct, frozen=True):
    """`numeric` marks a column of somebody else's making in which SQLite may turn text into numbers."""

    name: str
    declared: str
    logical: Logical
    numeric: bool = False


class Table(msgspec.Struct):
    """A table as it is now; `columns` by folded name. `ours` is one that Syncline made and may rebuild."""

    name: str
    columns: dict[str, Column]
    key: tuple[str, ...] = ()
    exists: bool = False
    ours: bool = True

    def column(self, name: str) -> Column | None:
        return self.columns.get(fold(name))

    def create(self, name: str) -> str:
        """In one line, so that it stays equal to what SQLite keeps after a column was added."""
        pieces = [definition(column) for column in self.columns.values()]
        if self.key:
            pieces.append(f"PRIMARY KEY ({', '.join(map(quoted, self.key))})")
        return f"CREATE TABLE {quoted(name)} ({', '.join(pieces)})"


def definition(column: Column) -> str:
    return f"{quoted(column.name)} {column.declared}".rstrip()


def column_of(name: str, logical: Logical) -> Column:
    return Column(name, DECLARED[logical], logical)


def load_table(connection: sqlite3.Connection, name: str) -> Table:
    """The table of that name, or an empty one that does not exist yet. Raises PlanError for a view."""
    found = connection.execute(
        "SELECT type, name, sql FROM sqlite_master WHERE lower(name) = lower(?) AND type IN ('table', 'view')", (name,)
    ).fetchone()
    if found is None:
        return Table(name, {})
    kind, real_name, sql = found
    if kind == "view":
        raise PlanError(f"{name!r} is a view; rows cannot be written to it", hint="name a table: `into: {table: …}`")
    columns: dict[str, Column] = {}
    ranked: list[tuple[int, str]] = []
    for _, column, declared, _, _, rank, _ in connection.execute(f"PRAGMA table_xinfo({quoted(real_name)})"):
        columns[fold(column)] = _read_column(column, declared)
        if rank:
            ranked.append((rank, column))
    table = Table(real_name, columns, tuple(column for _, column in sorted(ranked)), exists=True)
    table.ours = sql == table.create(real_name)
    return table


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
        return Column(name, declared, "boolean", numeric=True)
    if "JSON" in upper:
        return Column(name, declared, "json", numeric=True)
    return Column(name, declared, "text" if re.search("DATE|TIME", upper) else "decimal", numeric=True)


def evolve(connection: sqlite3.Connection, table: Table, wanted: dict[str, Logical], key: tuple[str, ...]) -> list[str]:
    """Give the table these columns in these types; returns the statements that did it. `key` is for a new table."""
    columns = [column_of(name, logical) for name, logical in wanted.items()]
    if not table.exists:
        return _create(connection, table, columns, key)
    done: list[str] = []
    for column in columns:
        if table.column(column.name) is None:
            done.append(f"ALTER TABLE {quoted(table.name)} ADD COLUMN {definition(column)}")
            connection.execute(done[-1])
            table.columns[fold(column.name)] = column
    wider = {fold(c.name): c for c in columns if table.columns[fold(c.name)].logical != c.logical}
    if wider:
        done += _rebuild(connection, table, wider)
    return done


def _create(connection: sqlite3.Connection, table: Table, columns: list[Column], key: tuple[str, ...]) -> list[str]:
    table.columns.update({fold(column.name): column for column in columns})
    table.key = key
    statement = table.create(table.name)
    connection.execute(statement)
    table.exists = True
    return [statement]


def _rebuild(connection: sqlite3.Connection, table: Table, wider: dict[str, Column]) -> list[str]:
    """Change columns' types by copying the table, as https://www.sqlite.org/lang_altertable.html advises."""
    connection.create_function("syncline_widen", 3, widen, deterministic=True)
    values, changes = [], []
    for folded, column in table.columns.items():
        after = wider.get(folded)
        if after is None:
            values.append(quoted(column.name))
            continue
        values.append(f"syncline_widen({quoted(column.name)}, '{column.logical}', '{after.logical}')")
        table.columns[folded] = Column(column.name, after.declared, after.logical)
        changes.append(f"ALTER TABLE {quoted(table.name)} ALTER COLUMN {quoted(column.name)} TYPE {after.declared}")
    names = ", ".join(quoted(column.name) for column in table.columns.values())
    connection.execute(table.create(REBUILT))
    connection.execute(
        f"INSERT INTO {quoted(REBUILT)} ({names}) SELECT {', '.join(values)} FROM {quoted(table.name)}"  # noqa: S608
    )
    take_place(connection, REBUILT, table.name)
    return changes


def take_place(connection: sqlite3.Connection, newcomer: str, name: str) -> None:
    """Put one table in another's place; the old one's indexes and triggers are made anew, views keep working."""
    dependents = connection.execute(
        "SELECT sql FROM sqlite_master WHERE lower(tbl_name) = lower(?) AND type IN ('index', 'trigger') AND sql IS NOT NULL",
        (name,),
    ).fetchall()
    connection.execute("PRAGMA legacy_alter_table = ON")  # otherwise a view on the table refuses the renaming
    connection.execute(f"DROP TABLE IF EXISTS {quoted(name)}")
    connection.execute(f"ALTER TABLE {quoted(newcomer)} RENAME TO {quoted(name)}")
    for (sql,) in dependents:
        connection.execute(sql)


def indexes_of(connection: sqlite3.Connection, table: str) -> list[str]:
    return [name for _, name, *_ in connection.execute(f"PRAGMA index_list({quoted(table)})")]


def ensure_key(connection: sqlite3.Connection, table: Table, key: tuple[str, ...]) -> list[str]:
    """Make sure that the database knows the key as unique. Raises PlanError where the rows there are not."""
    wanted = {fold(name) for name in key}
    if {fold(name) for name in table.key} == wanted:
        return []
    for _, index, unique, _, partial in connection.execute(f"PRAGMA index_list({quoted(table.name)})").fetchall():
        members = connection.execute(f"PRAGMA index_info({quoted(index)})").fetchall()
        if unique and not partial and {fold(name or "") for _, _, name in members} == wanted:
            return []
    listed = ", ".join(map(quoted, key))
    name = f"{KEY_INDEX}{'_'.join((table.name, *key))}"
    statement = f"CREATE UNIQUE INDEX {quoted(name)} ON {quoted(table.name)} ({listed})"
    try:
        connection.execute(statement)
    except sqlite3.IntegrityError as problem:
        raise PlanError(
            f"the table {table.name!r} holds rows with the same {', '.join(key)}, so it cannot be written by that key",
            hint="remove the doubles, choose another table, or write: append",
            evidence=str(problem),
        ) from problem
    return [statement]
