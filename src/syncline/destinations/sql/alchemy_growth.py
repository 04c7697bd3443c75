"""How tables that are reached through SQLAlchemy are made and grow, as far as their database can do it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

import msgspec
import sqlalchemy as sa

from syncline.databases.alchemy import AlchemyDatabase
from syncline.destinations.sql.alchemy_columns import AlchemyColumn, Columns
from syncline.destinations.sql.table import Table
from syncline.destinations.values import Logical
from syncline.model import encode_json

MADE = "syncline_tables"
REBUILT = "syncline_rebuild"
COPIED = 1_000
"""Rows that are copied together."""
IN_PLACE = {
    ("integer", "decimal"),
    ("decimal", "decimal"),
    ("integer", "text"),
    ("decimal", "text"),
    ("text", "text"),
}
"""Changes of a type that every database makes without changing a value."""

Shape = dict[str, tuple[Logical, str]]
"""A column's name, what it was made for, and its type as the database spells it."""


class Made:
    """Which tables Syncline made, and what each column is for: types alone do not tell JSON, decimals and text apart."""

    def __init__(self, database: AlchemyDatabase) -> None:
        self._database = database

    def shape_of(self, name: str) -> Shape:
        if not self._database.has_table(MADE):
            return {}
        row = self._database.execute(f"SELECT shape FROM {MADE} WHERE name = ?", (name,)).fetchone()  # noqa: S608 – ours
        return {} if row is None else msgspec.json.decode(row[0], type=Shape)

    def prepare(self) -> None:
        """Before anything else in the transaction."""
        ways, dialect = self._database.ways, self._database.dialect
        name = ways.key_text(ways.longest_key or 255).compile(dialect=dialect)
        text = self._database.words["text"]
        self._database.define(f"CREATE TABLE IF NOT EXISTS {MADE} (name {name} NOT NULL PRIMARY KEY, shape {text})")

    def note(self, name: str, shape: Shape) -> None:
        self.forget(name)
        spelled = encode_json(shape).decode()
        self._database.execute(f"INSERT INTO {MADE} (name, shape) VALUES (?, ?)", (name, spelled))  # noqa: S608

    def forget(self, name: str) -> None:
        if self._database.has_table(MADE):
            self._database.execute(f"DELETE FROM {MADE} WHERE name = ?", (name,))  # noqa: S608


class Growth:
    """The statements that make a table and let it grow."""

    def __init__(self, database: AlchemyDatabase, columns: Columns, quoted: Callable[[str], str]) -> None:
        self._database, self._ways, self._columns, self._quoted = database, database.ways, columns, quoted

    def possible(self, have: AlchemyColumn, wider: AlchemyColumn) -> bool:
        """Whether a column that is there can get the other type, every value in it staying the same."""
        if self._ways.rebuilds:
            return True
        if self._ways.retype is None or (have.key and self._database.dialect.name == "mssql"):
            return False
        if (
            have.logical != "text"
            and wider.logical == "text"
            and not (self._ways.numbers_to_text and have.fits is None)
        ):
            return False  # 5.00 as text is not 5
        return (have.logical, wider.logical) in IN_PLACE

    def creating(self, name: str, columns: Iterable[AlchemyColumn], key: Sequence[str]) -> str:
        pieces = [self._definition(column, not_null=column.name in key) for column in columns]
        if key:
            pieces.append(f"PRIMARY KEY ({', '.join(map(self._quoted, key))})")
        return f"CREATE TABLE {self._quoted(name)} ({', '.join(pieces)}){self._ways.options}"

    def adding(self, name: str, column: AlchemyColumn) -> str:
        return f"ALTER TABLE {self._quoted(name)} {self._ways.add.format(column=self._definition(column))}"

    def retyping(self, name: str, have: AlchemyColumn, wider: AlchemyColumn) -> str:
        retype = self._ways.retype or "ALTER COLUMN {name} TYPE {type}"
        spelled = retype.format(name=self._quoted(have.name), type=self._columns.spelled(wider.made))
        return f"ALTER TABLE {self._quoted(name)} {spelled}"

    def _definition(self, column: AlchemyColumn, *, not_null: bool = False) -> str:
        return f"{self._quoted(column.name)} {self._columns.spelled(column.made)}" + (" NOT NULL" if not_null else "")

    def rebuild(self, table: Table, wider: dict[str, AlchemyColumn]) -> None:
        """Copy an SQLite table into one with wider columns, as https://www.sqlite.org/lang_altertable.html advises."""
        before = [column for column in table.columns.values() if isinstance(column, AlchemyColumn)]
        after = [wider.get(folded, column) for folded, column in table.columns.items()]
        dependents = self._database.execute(
            "SELECT sql FROM sqlite_master WHERE lower(tbl_name) = lower(?) AND type IN ('index', 'trigger')"
            " AND sql IS NOT NULL",
            (table.name,),
        ).fetchall()
        made = [column for column in after if isinstance(column, AlchemyColumn)]
        self._database.define(self.creating(REBUILT, made, table.key))
        self._copy(table.name, before, made)
        self._database.define("PRAGMA legacy_alter_table = ON")  # otherwise a view on the table refuses the renaming
        self._database.define(f"DROP TABLE {self._quoted(table.name)}")
        self._database.define(f"ALTER TABLE {self._quoted(REBUILT)} RENAME TO {self._quoted(table.name)}")
        for (statement,) in dependents:
            self._database.define(statement)

    def _copy(self, name: str, before: Sequence[AlchemyColumn], after: Sequence[AlchemyColumn]) -> None:
        source = self._table(name, before)
        goal = self._table(REBUILT, after)
        keys = [column.key for column in goal.c]
        result = self._database.connection.execution_options(yield_per=COPIED).execute(sa.select(*source.c))
        for part in result.partitions():
            rows = [dict(zip(keys, map(self._columns.moved, row, before, after), strict=True)) for row in part]
            self._database.run(sa.insert(goal), rows)

    def _table(self, name: str, columns: Sequence[AlchemyColumn]) -> sa.Table:
        made = [sa.Column(sa.sql.quoted_name(c.name, quote=True), c.bound, key=f"c{n}") for n, c in enumerate(columns)]
        return sa.Table(sa.sql.quoted_name(name, quote=True), sa.MetaData(), *made, implicit_returning=False)
