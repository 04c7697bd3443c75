"""Rows through SQLAlchemy: written, and read back where it is not certain that the database keeps them as they are."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

import sqlalchemy as sa

from syncline.databases.alchemy import AlchemyDatabase
from syncline.destinations.sql.alchemy_columns import AlchemyColumn, Columns
from syncline.destinations.sql.tables import doubled
from syncline.model import Row

CHUNK = 500
"""Values in one question; SQL Server takes 2,100, Oracle 1,000 in a list."""
NUMBER = "n"
"""The column that numbers the rows of a table for checking."""
TRIES = 3

Named = Callable[[str], str]
"""A name as SQLAlchemy is to quote it."""


class Fault(str):
    """What is wrong with a value, and in which column it stands."""

    path: str

    def __new__(cls, path: str, what: str) -> Fault:
        made = super().__new__(cls, what)
        made.path = path
        return made


class Inexact(ValueError):
    """The database would keep some rows otherwise than they are; nothing may stay of the statement that wrote them.

    `faults` by the row's number among those that were given.
    """

    def __init__(self, faults: dict[int, Fault]) -> None:
        super().__init__(f"{len(faults)} rows")
        self.faults = faults


class Pieces:
    """Columns of one table, under names that cannot clash with anything: c0, c1, …"""

    def __init__(self, database: AlchemyDatabase, columns: Columns, named: Named, table: str) -> None:
        self.database, self.columns, self.named, self.name = database, columns, named, table

    def table(self, chosen: Sequence[AlchemyColumn]) -> sa.Table:
        made = [sa.Column(self.named(column.name), column.bound, key=f"c{n}") for n, column in enumerate(chosen)]
        return sa.Table(self.named(self.name), sa.MetaData(), *made, implicit_returning=False)

    def insert(self, table: sa.Table, rows: Sequence[Row]) -> None:
        names = [column.key for column in table.c]
        if rows:
            self.database.run(sa.insert(table), [dict(zip(names, row, strict=True)) for row in rows])

    def fetch(self, table: sa.Table, keys: int, wanted: Sequence[Row]) -> Iterator[Row]:
        """The rows of these keys, which are the first `keys` columns."""
        key = list(table.c)[:keys]
        most = max(1, CHUNK // keys)
        for start in range(0, len(wanted), most):
            part = wanted[start : start + most]
            if keys == 1:
                chosen: Any = sa.select(*table.c).where(key[0].in_(sa.bindparam("k", expanding=True)))
                values: dict[str, Any] = {"k": [value for (value,) in part]}
            else:
                size = min(most, 1 << (len(part) - 1).bit_length())  # few shapes, so that few are compiled
                part = [*part, *[part[-1]] * (size - len(part))]
                chosen = sa.select(*table.c).where(_one_of(key, size))
                values = {f"k{n}_{m}": value for n, row in enumerate(part) for m, value in enumerate(row)}
            yield from map(tuple, self.database.run(chosen, values).fetchall())

    def changed(self, kept: Row, row: Row, chosen: Sequence[AlchemyColumn]) -> Fault | None:
        """The first column that the database gives back otherwise than it was written."""
        for column, stored, bound in zip(chosen, kept, row, strict=True):
            if not self.columns.same(stored, bound, column):
                way = "as NULL" if stored is None else "otherwise than it is"
                return Fault(column.name, f"it would keep this value {way} ({column.declared})")
        return None


class Append:
    """Rows into a table that keeps what it is given."""

    def __init__(self, pieces: Pieces, chosen: Sequence[AlchemyColumn]) -> None:
        self._pieces, self._table = pieces, pieces.table(chosen)

    def run(self, rows: Iterable[Row], count: int) -> int:
        self._pieces.insert(self._table, list(rows))
        return count


class CheckedAppend:
    """Rows without a key cannot be found again in their table: they go through one of the same types, where they are looked at."""

    def __init__(self, pieces: Pieces, chosen: Sequence[AlchemyColumn], stage: str, places: Sequence[int]) -> None:
        """`places` are those of the columns in the stage, whose columns are called by them."""
        self._pieces, self._chosen = pieces, chosen
        self._table = pieces.table(chosen)
        columns = [sa.Column(f"c{place}", column.bound) for place, column in zip(places, chosen, strict=True)]
        self._stage = sa.Table(
            stage, sa.MetaData(), *columns, sa.Column(NUMBER, sa.Integer()), implicit_returning=False
        )

    def run(self, rows: Iterable[Row], count: int) -> int:
        given = list(rows)
        database, stage = self._pieces.database, self._stage
        database.run(sa.delete(stage))
        self._pieces.insert(stage, [(*row, number) for number, row in enumerate(given)])
        found = {kept[-1]: kept[:-1] for kept in map(tuple, database.run(sa.select(*stage.c)).fetchall())}
        wrong = {
            number: fault
            for number, row in enumerate(given)
            if (fault := self._pieces.changed(found[number], row, self._chosen))
        }
        if wrong:
            raise Inexact(wrong)
        names = [column.key for column in self._table.c]
        database.run(sa.insert(self._table).from_select(names, sa.select(*list(stage.c)[:-1])))
        database.run(sa.delete(stage))
        return count


class Upsert:
    """Looks at the rows that are there, then inserts and updates what differs; of doubles in a batch, the last wins.

    The key's columns come first in everything that is kept here; `emptied` are columns that become null.
    """

    def __init__(
        self,
        pieces: Pieces,
        chosen: Sequence[AlchemyColumn],
        key: Sequence[str],
        emptied: Sequence[AlchemyColumn],
    ) -> None:
        self._pieces = pieces
        places = {column.name: place for place, column in enumerate(chosen)}
        self._order = [places[name] for name in key] + [n for n, column in enumerate(chosen) if column.name not in key]
        self._keys, self._key_names = len(key), list(key)
        self._written = [chosen[place] for place in self._order]
        self._emptied = emptied
        everything = [*self._written, *emptied]
        self._table = pieces.table(self._written)
        self._seen = pieces.table(everything)
        self._update = self._updating(everything)
        self._proves = any(column.doubtful for column in self._written)
        self._plain = not any(column.logical == "json" for column in everything)

    def run(self, rows: Iterable[Row], count: int) -> int:
        given = [tuple(row[place] for place in self._order) for row in rows]
        latest = {self._key_of(row): number for number, row in enumerate(given)}
        new, other = self._compare(given, latest)
        self._pieces.insert(self._table, [given[number] for number in new])
        self._change(given, other, new)
        if self._proves:
            self._prove(given, [*new, *other])
        return len(new) + len(other)

    def _compare(self, given: list[Row], latest: dict[Row, int]) -> tuple[list[int], list[int]]:
        """The numbers of rows that are not there yet, and of those that are there with other values."""
        kept = self._look([given[number] for number in latest.values()])
        nothing = (None,) * len(self._emptied)
        new, other = [], []
        for key, number in latest.items():
            before = kept.get(key)
            if before is None:
                new.append(number)
            elif not self._same(before, (*given[number], *nothing)):
                other.append(number)
        return new, other

    def _look(self, rows: Sequence[Row]) -> dict[Row, Row]:
        kept: dict[Row, Row] = {}
        for found in self._pieces.fetch(self._seen, self._keys, [row[: self._keys] for row in rows]):
            key = self._key_of(found)
            if kept.setdefault(key, found) is not found:
                raise doubled(
                    self._pieces.name, self._key_names, f"{len(rows)} keys were looked at; two rows have one of them"
                )
        return kept

    def _change(self, given: list[Row], other: Sequence[int], new: Sequence[int]) -> None:
        if not other or self._update is None:
            return
        names = [f"v{place}" for place in range(len(self._written))]
        found = self._pieces.database.run(
            self._update, [dict(zip(names, given[number], strict=True)) for number in other]
        )
        if 0 <= found.rowcount < len(other) and self._pieces.database.dialect.supports_sane_multi_rowcount:
            left = self._look([given[number] for number in other])  # somebody deleted rows since they were looked at
            gone = [number for number in other if self._key_of(given[number]) not in left]
            self._pieces.insert(self._table, [given[number] for number in gone])

    def _updating(self, everything: Sequence[AlchemyColumn]) -> sa.Update | None:
        columns = list(self._seen.c)
        values: dict[Any, Any] = {
            columns[place]: sa.bindparam(f"v{place}", type_=columns[place].type)
            for place in range(self._keys, len(self._written))
        }
        values |= {columns[place]: sa.null() for place in range(len(self._written), len(everything))}
        if not values:
            return None
        at = [columns[place] == sa.bindparam(f"v{place}", type_=columns[place].type) for place in range(self._keys)]
        return sa.update(self._seen).where(*at).values(values)

    def _prove(self, given: list[Row], numbers: Sequence[int]) -> None:
        """Raises Inexact for rows that do not come back as they were written."""
        kept = self._look([given[number] for number in numbers])
        wrong: dict[int, Fault] = {}
        for number in numbers:
            row = given[number]
            found = kept.get(self._key_of(row))
            if found is None:
                wrong[number] = Fault(self._key_names[0], "it does not give the row back under this key")
            elif fault := self._pieces.changed(found[: len(row)], row, self._written):
                wrong[number] = fault
        if wrong:
            raise Inexact(wrong)

    def _same(self, kept: Row, row: Row) -> bool:
        if self._plain and kept == row:
            return True
        same = self._pieces.columns.same
        everything = [*self._written, *self._emptied]
        return all(map(same, kept, row, everything))

    def _key_of(self, row: Row) -> Row:
        key_of = self._pieces.columns.key_of
        return tuple(map(key_of, row[: self._keys], self._written[: self._keys]))


def _one_of(key: Sequence[sa.Column[Any]], size: int) -> Any:
    """A condition on several columns at once, for `size` keys."""
    return sa.or_(
        *(
            sa.and_(*(column == sa.bindparam(f"k{n}_{m}", type_=column.type) for m, column in enumerate(key)))
            for n in range(size)
        )
    )
