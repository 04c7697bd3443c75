"""What a dialect of SQL has to say about tables: how they are read, grown and written, inside the caller's transaction."""

from __future__ import annotations

import re
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import AbstractContextManager
from datetime import datetime
from typing import Any, ClassVar, Protocol

from syncline.databases import Database
from syncline.destinations.sql.identifiers import MAX_IDENTIFIER, fault_of, fold, quoted
from syncline.destinations.sql.table import Change, Column, Table
from syncline.destinations.values import Convert, Logical, join, misfit, restore, spell, within
from syncline.errors import PlanError
from syncline.model import Row

Check = Callable[[Sequence[Any]], bool]
"""Whether a column's values can all be written as they are; what the database itself would not refuse."""


class Statement(Protocol):
    """Rows of certain columns into one table. Where it has a key, it inserts or updates, and leaves alone what is the same."""

    def run(self, rows: Iterable[Row], count: int) -> int:
        """Write the rows, whose values are converted already; returns how many were inserted or changed."""
        ...


class Tables(ABC):
    """The tables of one database. Nothing here begins or commits."""

    quotation: ClassVar[str] = '"'
    longest_name: ClassVar[int] = MAX_IDENTIFIER
    most_columns: ClassVar[int] = 1_000
    untyped: ClassVar[bool] = False
    """Whether a column may exist of which only nulls are known; else it is made with its first value."""
    definitive: ClassVar[bool] = False
    """Whether a change of the schema commits at once, and what was done before it in the transaction."""
    exchanges: ClassVar[bool] = False
    """Whether a table of ours is exchanged as it is, its new columns with it."""
    batch_rows: ClassVar[int] = 1_000
    """Rows that are best written in one transaction."""
    savepoints: ClassVar[bool] = True
    """Whether a part of a transaction can be taken back; else it is begun anew without the rows that are refused."""

    def __init__(self, database: Database) -> None:
        self.database = database
        self._changed = 0

    # Names

    def fold(self, name: str) -> str:
        """The name as the database compares it."""
        return fold(name)

    def fault_of(self, name: str) -> str | None:
        """Why this cannot be a name here; None where it can."""
        return fault_of(name, self.longest_name)

    def quoted(self, name: str) -> str:
        return quoted(name, self.quotation)

    def listed(self, names: Iterable[str]) -> str:
        return ", ".join(map(self.quoted, names))

    def column_of(self, table: Table, name: str) -> Column | None:
        return table.columns.get(self.fold(name))

    # Shapes

    @abstractmethod
    def load(self, name: str) -> Table:
        """The table of that name, or an empty one that does not exist yet. Raises PlanError for what is no table."""

    def version(self) -> object:
        """Changes when the schema does, as far as that can be known at next to no cost: when it was changed from here, and when
        the database was connected anew."""
        return (self._changed, self.database.session)

    @abstractmethod
    def column(self, name: str, logical: Logical, *, key: bool = False) -> Column:
        """A new column of that type."""

    def holding(self, have: Column, needed: Logical, values: Sequence[Any]) -> Column | None:
        """The narrowest column that holds what `have` holds and these values too; None where there is none."""
        logical = join(have.logical, needed)
        return have if logical == have.logical else None if logical is None else self.column(have.name, logical)

    def within(self, have: Column, needed: Logical, values: Sequence[Any]) -> bool:
        """Whether the column as it is holds such values; what is no matter of types, `check` and `misfit` say."""
        return within(have.logical, needed) == have.logical

    def first(self, name: str, needed: Logical, values: Sequence[Any], *, key: bool) -> Column:
        """A new column for these values."""
        return self.column(name, needed, key=key)

    @abstractmethod
    def changes(self, table: Table, wanted: Sequence[Column], key: tuple[str, ...]) -> list[Change]:
        """What gives the table these columns in these types, and makes the key known as unique; nothing is done yet."""

    def apply(self, changes: Sequence[Change]) -> list[str]:
        """Make the changes; returns their statements."""
        self._changed += bool(changes)
        for change in changes:
            if change.apply is None:
                self.database.define(change.statement)
            else:
                change.apply()
        return [change.statement for change in changes]

    def laid_aside(self, name: str, like: Table, key: tuple[str, ...]) -> list[Change]:
        """A table of that name in the shape of another one; where that is somebody else's, its types stay as they are."""
        columns = [column for column in like.columns.values() if column.logical != "unknown" or self.untyped]
        return self.changes(Table(name, {}, ours=like.ours), columns, key) if columns else []

    def take_place(self, staged: Table, table: Table) -> None:
        """Put what was laid aside in the table's place, all at once. `table` has its columns already.

        Where changes of the schema commit, the emptied place stays until after the commit.
        """
        names = self.listed(column.name for column in staged.columns.values())
        self.database.execute(f"DELETE FROM {self.quoted(table.name)}")  # noqa: S608 – quoted
        self.database.execute(
            f"INSERT INTO {self.quoted(table.name)} ({names}) SELECT {names} FROM {self.quoted(staged.name)}"  # noqa: S608
        )
        if not self.definitive:
            self.drop(staged.name)

    def drop(self, name: str) -> None:
        self._changed += 1
        self.database.define(f"DROP TABLE IF EXISTS {self.quoted(name)}")

    # Rows

    @abstractmethod
    def statement(self, table: Table, names: Sequence[str], key: tuple[str, ...], *, whole: bool) -> Statement:
        """How rows of these columns are written. `whole` sets the other columns of a table of ours to null."""

    @abstractmethod
    def converter(self, column: Column, kinds: frozenset[type]) -> Convert | None:
        """What turns each value that is not None into what is bound; None where the values are bound as they are."""

    def check(self, column: Column, kinds: frozenset[type]) -> Check | None:
        return None

    def misfit(self, value: Any, column: Column | None) -> str | None:
        """Why this value cannot be kept exactly in such a column; None where it can. `column=None` asks for any at all."""
        if column is None:
            return misfit(value, None)
        return misfit(value, column.logical, lossy=column.lossy)

    def delete(self, table: Table, key: Sequence[str], keys: Sequence[Row]) -> int:
        """Delete the rows of these keys; returns how many there were."""
        condition = " AND ".join(f"{self.quoted(name)} = ?" for name in key)
        return self.database.executemany(f"DELETE FROM {self.quoted(table.name)} WHERE {condition}", keys)  # noqa: S608

    def trim(self, table: Table, parent: Sequence[str], order: str, lengths: Sequence[Row]) -> None:
        """Delete elements of lists that are shorter now; `lengths` are parents' keys, each with its list's length."""
        condition = " AND ".join(f"{self.quoted(name)} = ?" for name in parent)
        self.database.executemany(
            f"DELETE FROM {self.quoted(table.name)} WHERE {condition} AND {self.quoted(order)} >= ?",  # noqa: S608
            lengths,
        )

    def mark(self, table: Table, key: Sequence[str], keys: Sequence[Row], column: str, now: datetime) -> int:
        """Write the time into the column of the rows of these keys where it is null; returns in how many."""
        condition = " AND ".join(f"{self.quoted(name)} = ?" for name in key)
        moment = self._moment(table, column, now)
        return self.database.executemany(
            f"UPDATE {self.quoted(table.name)} SET {self.quoted(column)} = ?"  # noqa: S608
            f" WHERE {condition} AND {self.quoted(column)} IS NULL",
            [(moment, *row) for row in keys],
        )

    def mark_where(self, table: Table, condition: str, column: str, now: datetime) -> None:
        self.database.execute(
            f"UPDATE {self.quoted(table.name)} SET {self.quoted(column)} = ? WHERE {condition}",  # noqa: S608
            (self._moment(table, column, now),),
        )

    def _moment(self, table: Table, column: str, now: datetime) -> Any:
        made = self.column_of(table, column)
        convert = self.converter(made, frozenset({datetime})) if made is not None else None
        return convert(now) if convert else now

    def fetch(self, table: Table, names: Sequence[str], key: Sequence[str], keys: Sequence[Row]) -> list[Row]:
        """The values of these columns in the rows of these keys, as the database gives them."""
        found: list[Row] = []
        most = max(1, 500 // len(key))
        one = "(" + " AND ".join(f"{self.quoted(name)} = ?" for name in key) + ")"
        for start in range(0, len(keys), most):
            part = keys[start : start + most]
            statement = (
                f"SELECT {self.listed(names)} FROM {self.quoted(table.name)} WHERE {' OR '.join([one] * len(part))}"  # noqa: S608
            )
            found += map(tuple, self.database.execute(statement, [v for row in part for v in row]).fetchall())
        return found

    def restore(self, stored: Any, column: Column) -> Any:
        """The value that was written, read back from what the database gives."""
        return restore(stored, column.logical)

    def alike(self, kept: Any, value: Any, column: Column) -> bool:
        """Whether a restored value says the same as one that would be written; neither is None."""
        return bool(kept == value) or (column.logical in ("text", "decimal", "json") and spell(kept) == spell(value))

    def refuses(self, problem: BaseException) -> bool:
        """Whether this is about single rows or values, so that others can still be written."""
        if isinstance(problem, ValueError | TypeError | OverflowError):
            return True
        return isinstance(problem, self.database.errors) and self.database.trouble(problem) == "refused"

    def outdated(self, problem: BaseException) -> bool:
        """Whether it says that somebody else has changed the schema since the table was looked at."""
        return False

    def said(self, problem: BaseException) -> str:
        """What the driver says, on one line; PostgreSQL's own message has the row in its further lines."""
        lines = str(problem).strip().splitlines()
        return lines[0] if lines else type(problem).__name__

    def path_in(self, said: str, table: Table) -> str:
        """The column that such words speak of; empty where they name none, or several."""
        named = [column.name for column in table.columns.values() if re.search(rf"\b{re.escape(column.name)}\b", said)]
        return named[0] if len(named) == 1 else ""

    def savepoint(self) -> AbstractContextManager[None]:
        return self.database.savepoint()

    def put_each(self, statement: Statement, rows: Mapping[int, Row]) -> tuple[int, dict[int, str]]:
        """Write those of the numbered rows that the database takes: all at once, and by halves where it refuses one of them.

        Returns how many were inserted or changed, and what it says of each of the others. Without savepoints, one that is refused
        costs the transaction.
        """
        refused: dict[int, str] = {}

        def put(numbers: Sequence[int]) -> int:
            try:
                with self.savepoint():
                    return statement.run([rows[number] for number in numbers], len(numbers))
            except Exception as problem:
                if not self.refuses(problem):
                    raise
                if len(numbers) == 1:
                    refused[numbers[0]] = self.said(problem)
                    return 0
            middle = len(numbers) // 2
            return put(numbers[:middle]) + put(numbers[middle:])

        return put(list(rows)), refused


def doubled(table: str, key: Sequence[str], evidence: str) -> PlanError:
    """The error where a table holds rows with the same key."""
    return PlanError(
        f"the table {table!r} holds rows with the same {', '.join(key)}, so it cannot be written by that key",
        hint="remove the doubles, choose another table, or write: append",
        evidence=evidence,
    )
