"""Rows whose records are gone: told by a tombstone, or missing from a complete pass."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from syncline.destinations.sql.family import Family
from syncline.destinations.sql.rows import Rows, Unfit
from syncline.destinations.sql.table import Table
from syncline.destinations.target import Deletes
from syncline.errors import PartialError
from syncline.model import Batch, Row

SEEN = "syncline_seen_"


class Gone:
    """Deletes rows, softly or for good, and remembers which keys a pass has seen. All of it inside the caller's transaction.

    `seeing` says that this pass has been looked at from its beginning; `doubtful` counts records whose key nobody knows.
    """

    def __init__(self, family: Family, deletes: Deletes, table: str, *, going_on: bool, doubtful: int) -> None:
        self.deletes, self.doubtful = deletes, doubtful
        self.seen_table = SEEN + table
        self.seeing = deletes.missing
        self.unlimited = False
        self._family, self._tables = family, family.tables
        self._seen = Rows(self._tables, self.seen_table, family.key)
        self._going_on = going_on

    @property
    def begins(self) -> bool:
        """Whether what an earlier pass saw will be forgotten."""
        return self.deletes.missing and not self._going_on

    @property
    def soft(self) -> bool:
        return self.deletes.how == "soft"

    def begin(self) -> None:
        """Forget what an earlier pass saw."""
        if not self.deletes.missing:
            return
        if self.begins:
            self._tables.drop(self.seen_table)
        table = self._family.rows.table
        if table.exists and not self._tables.load(self.seen_table).exists:
            keys = {name: table.columns[self._tables.fold(name)] for name in self._family.key}
            like = Table(table.name, {self._tables.fold(name): column for name, column in keys.items()})
            self._tables.apply(self._tables.laid_aside(self.seen_table, like, self._family.key))

    def forget(self) -> None:
        self._seen.forget()

    def alive(self, batch: Batch) -> Batch:
        """The batch with the column of soft deletes, null in every row: what comes back is not deleted any more."""
        if not self.soft or self.deletes.column in batch.columns:
            return batch
        rows = [(*row, None) for row in batch.rows]
        return Batch(columns=(*batch.columns, self.deletes.column), rows=rows, whole=batch.whole)

    def ready(self) -> list[str]:
        """Before rows are deleted, and before anything else is written: make the column of soft deletes, where it is missing."""
        table = self._family.rows.table
        if not self.soft or not table.exists or self._tables.column_of(table, self.deletes.column):
            return []
        wanted = self._tables.column(self.deletes.column, "timestamp")
        statements = self._tables.apply(self._tables.changes(table, [wanted], ()))
        self._family.rows.forget()
        return statements

    def see(self, batch: Batch, present: Sequence[Row]) -> None:
        """Remember the keys of these rows, and of records that became none."""
        if not self.seeing or not (batch.rows or present):
            return
        key = self._family.key
        keys = Batch(columns=key, rows=list(present))
        if set(key) <= set(batch.columns):
            places = [batch.columns.index(name) for name in key]
            keys.rows += [tuple(row[place] for place in places) for row in batch.rows]
        else:
            self.doubtful += len(batch.rows)
        try:
            self._seen.put(self._seen.ready(keys))
        except Unfit:
            with self._tables.savepoint():
                put = self._seen.put_carefully(self._seen.ready_carefully(keys))
            self.doubtful += len(put.refusals)

    def delete(self, keys: Sequence[Row], now: datetime) -> int:
        """Delete the rows of these keys; returns how many were there and not deleted yet."""
        table = self._family.rows.table
        if not keys or not table.exists:
            return 0
        bound = [
            tuple(self._bound(name, value) for name, value in zip(self._family.key, row, strict=True)) for row in keys
        ]
        if not self.soft or self._tables.column_of(table, self.deletes.column) is None:
            return self._family.delete(
                bound
            )  # a table without that column was made by this batch: nobody saw its rows alive
        return self._tables.mark(table, self._family.key, bound, self.deletes.column, now)

    def delete_missing(self, now: datetime) -> int:
        """Delete what this pass did not see. Raises PartialError where that would be suspiciously much."""
        tables, table = self._tables, self._family.rows.table
        if not table.exists:
            return 0
        name, seen = tables.quoted(table.name), tables.quoted(self.seen_table)
        column = tables.column_of(table, self.deletes.column) if self.soft else None
        alive = f"{tables.quoted(column.name)} IS NULL" if column else "1 = 1"
        pairs = " AND ".join(f"{seen}.{tables.quoted(key)} = {name}.{tables.quoted(key)}" for key in self._family.key)
        missing = f"NOT EXISTS (SELECT 1 FROM {seen} WHERE {pairs})"  # noqa: S608 – quoted, here and below
        count = f"SELECT count(*) FROM {name} WHERE {alive}"  # noqa: S608
        rows = int(tables.database.execute(count).fetchone()[0])
        lost = int(tables.database.execute(f"{count} AND {missing}").fetchone()[0])
        if lost > self.deletes.max_ratio * rows and not self.unlimited:
            raise PartialError(
                f"{lost} of {rows} rows of {table.name!r} were not listed any more, more than {self.deletes.max_ratio:.0%}; "
                "none was deleted",
                hint="see whether the source lists everything; if it does, run with --allow-deletes",
            )
        if lost and self.soft:
            self.ready()
            tables.mark_where(self._family.rows.table, f"{alive} AND {missing}", self.deletes.column, now)
        elif lost:
            tables.database.execute(f"DELETE FROM {name} WHERE {missing}")  # noqa: S608
            self._orphans(table)
        tables.database.execute(f"DELETE FROM {seen}")  # noqa: S608
        return lost

    def _orphans(self, table: Table) -> None:
        tables, name = self._tables, self._tables.quoted(table.name)
        for child in self._family.children:
            if not child.rows.table.exists:
                continue
            shown = tables.quoted(child.rows.table.name)
            pairs = " AND ".join(
                f"{name}.{tables.quoted(key)} = {shown}.{tables.quoted(own)}"
                for key, own in zip(self._family.key, child.parent, strict=True)
            )
            tables.database.execute(
                f"DELETE FROM {shown} WHERE NOT EXISTS (SELECT 1 FROM {name} WHERE {pairs})"  # noqa: S608
            )

    def _bound(self, name: str, value: object) -> object:
        column = self._tables.column_of(self._family.rows.table, name)
        convert = self._tables.converter(column, frozenset({type(value)})) if column is not None else None
        return convert(value) if convert else value
