"""A table and the tables of its lists: written together, refused together."""

from __future__ import annotations

from collections.abc import Sequence
from operator import itemgetter
from typing import Any

import msgspec

from syncline.destinations.sql.rows import Put, Ready, Refusal, Rows, Unfit
from syncline.destinations.sql.tables import Tables
from syncline.destinations.target import Children, SchemaPolicy, Target
from syncline.errors import PlanError
from syncline.events import Reached, emit
from syncline.model import Batch, Row

PARENT = "_parent_"
VALUE = "value"
"""The column of elements that are no objects."""


class Again(Exception):
    """More rows have to be refused than was known; the transaction is to be rolled back and begun anew without them."""


class Split(msgspec.Struct):
    """The rows of one list column. `owners[i]` is the number of the parent of `batch.rows[i]`."""

    batch: Batch
    owners: list[int]
    lengths: list[Row]
    """Of each parent, its key and how many elements it has."""
    refused: dict[int, Refusal]


class Judged(msgspec.Struct):
    """What would become of a batch: its own rows, the statements that the schema would need, and what would be refused."""

    own: Ready
    statements: list[str]
    refusals: list[Refusal]


class Child:
    """The table of one list column."""

    def __init__(self, column: str, rows: Rows, key: tuple[str, ...], made: Children) -> None:
        self.column, self.rows, self._key = column, rows, key
        self.parent = tuple(made.parent.get(name, PARENT + name) for name in key)
        self.order = made.order

    def split(self, batch: Batch) -> Split:
        """One row an element, with its parent's key and its place."""
        split = Split(Batch(columns=(), rows=[], whole=True), [], [], {})
        if self.column not in batch.columns:
            return split
        place = batch.columns.index(self.column)
        key = [batch.columns.index(name) for name in self._key]
        elements: list[tuple[Row, dict[str, Any]]] = []
        names: dict[str, None] = {}
        for number, row in enumerate(batch.rows):
            owner = tuple(row[index] for index in key)
            found = row[place] or ()
            if reason := self._fault(found, owner):
                split.refused[number] = Refusal(number, self.column, reason)
                continue
            split.lengths.append((*owner, len(found)))
            for position, element in enumerate(found):
                fields = element if isinstance(element, dict) else {VALUE: element}
                names.update(dict.fromkeys(fields))
                elements.append(((*owner, position), fields))
                split.owners.append(number)
        split.batch.columns = (*self.parent, self.order, *names)
        split.batch.rows = [(*at, *map(fields.get, names)) for at, fields in elements]
        return split

    def _fault(self, found: Any, owner: Row) -> str | None:
        if not isinstance(found, list | tuple):
            return f"a list is expected for the table of {self.column}, not {type(found).__name__}"
        if found and None in owner:
            return "the primary key is missing"
        ours = {*self.parent, self.order}
        for element in found:
            if isinstance(element, dict) and (taken := ours & element.keys()):
                return (
                    f"an element has a field {min(taken)!r} of its own; give ours another name under `into: children`"
                )
        return None


class Family:
    """Writes batches to a table, and the lists in them to the tables of its children, inside the caller's transaction."""

    def __init__(
        self, tables: Tables, name: str, key: tuple[str, ...], target: Target, *, schema: SchemaPolicy, prefix: str = ""
    ) -> None:
        """`prefix` stands before the names of the children's tables, as it does before `name`."""
        self.tables, self.key = tables, key
        self.rows = Rows(tables, name, () if target.write == "append" else key, schema)
        self.children: list[Child] = []
        self._upserts = target.write != "append"
        table = name.removeprefix(prefix)
        for column, made in target.children.items():
            if not key:
                raise PlanError(
                    f"{table}: the table of {column} needs the parent's primary key",
                    hint="name it on the stream (`primary_key: id`), or leave the list as JSON",
                )
            child = Child(column, Rows(tables, "", (), schema), key, made)
            child.rows = Rows(
                tables,
                prefix + target.children_table(table, column),
                (*child.parent, child.order) if self._upserts else (),
                schema,
            )
            self.children.append(child)

    @property
    def all(self) -> list[Rows]:
        return [self.rows, *(child.rows for child in self.children)]

    def forget(self) -> None:
        for rows in self.all:
            rows.forget()

    def put(self, batch: Batch) -> Put:
        """The quick way. Raises Unfit."""
        if not self.children:
            return self.rows.put(self.rows.ready(batch))
        if not set(self.key) <= set(batch.columns):
            raise Unfit
        splits = [child.split(batch) for child in self.children]
        if any(split.refused for split in splits):
            raise Unfit
        ready = self.rows.ready(self._own(batch))
        readies = [
            child.rows.ready(split.batch) if split.batch.rows else None
            for child, split in zip(self.children, splits, strict=True)
        ]
        put = self.rows.put(ready)
        emit(Reached(station="parents written"))
        for child, split, one in zip(self.children, splits, readies, strict=True):
            if one is not None:
                put.changes += child.rows.put(one).changes
            self._trim(child, split)
        return put

    def put_carefully(self, batch: Batch, excluded: dict[int, Refusal]) -> Put:
        """Every value looked at; a row and its children are written together or refused together.

        Raises Again where the database refused a child whose parent was written already, or a row of a transaction of which
        no part can be taken back; `excluded` has it then.
        """
        if not self.children and self.tables.savepoints:
            return self.rows.put_carefully(self.rows.ready_carefully(batch))
        changes: list[str] = []
        while True:
            numbers = [number for number in range(len(batch.rows)) if number not in excluded]
            part = Batch(columns=batch.columns, rows=[batch.rows[number] for number in numbers], whole=batch.whole)
            known = len(excluded)
            own = self.rows.ready_carefully(self._own(part))
            changes += own.changes
            self._exclude(own, numbers, excluded)
            splits, readies = [], []
            for child in self.children if set(self.key) <= set(batch.columns) else ():
                split = child.split(part)
                ready = child.rows.ready_carefully(split.batch) if split.batch.rows else None
                for row, refusal in split.refused.items():
                    excluded.setdefault(numbers[row], Refusal(numbers[row], refusal.path, refusal.reason))
                if ready is not None:
                    changes += ready.changes
                    self._exclude_owners(child, ready, split, numbers, excluded)
                splits.append(split)
                readies.append(ready)
            if len(excluded) == known:
                break
        put = self.rows.put_carefully(own)
        self._exclude(own, numbers, excluded)
        if len(excluded) > known:
            raise Again
        emit(Reached(station="parents written"))
        for child, split, ready in zip(self.children, splits, readies, strict=False):
            if ready is not None:
                child.rows.put_carefully(ready)
                self._exclude_owners(child, ready, split, numbers, excluded)
                if len(excluded) > known:
                    raise Again
            self._trim(child, split)
        put.changes = changes
        put.refusals = sorted(excluded.values(), key=lambda refusal: refusal.row)
        return put

    def judged(self, batch: Batch) -> Judged:
        """What would become of the batch; nothing is changed."""
        own = self.rows.judged(self._own(batch))
        judged = Judged(own, self.rows.wanted(own) if batch.rows else [], list(own.refused.values()))
        for child in self.children if set(self.key) <= set(batch.columns) else ():
            split = child.split(batch)
            judged.refusals += split.refused.values()
            if split.batch.rows:
                judged.statements += child.rows.wanted(child.rows.judged(split.batch))
        judged.refusals.sort(key=lambda refusal: refusal.row)
        return judged

    def delete(self, keys: Sequence[Row]) -> int:
        """Delete rows and their children; returns how many rows there were."""
        if not self.rows.table.exists:
            return 0
        for child in self.children:
            if child.rows.table.exists:
                self.tables.delete(child.rows.table, child.parent, keys)
        return self.tables.delete(self.rows.table, self.key, keys)

    def _own(self, batch: Batch) -> Batch:
        """The batch without the columns that are tables of their own."""
        lists = {child.column for child in self.children}
        kept = [index for index, name in enumerate(batch.columns) if name not in lists]
        if len(kept) == len(batch.columns):
            return batch
        columns = tuple(batch.columns[index] for index in kept)
        if len(kept) == 1:
            return Batch(columns=columns, rows=[(row[kept[0]],) for row in batch.rows], whole=batch.whole)
        return Batch(columns=columns, rows=list(map(itemgetter(*kept), batch.rows)), whole=batch.whole)

    def _trim(self, child: Child, split: Split) -> None:
        """What a list does not have any more goes."""
        if self._upserts and split.lengths and child.rows.table.exists:
            self.tables.trim(child.rows.table, child.parent, child.order, split.lengths)

    def _exclude(self, ready: Ready, numbers: list[int], excluded: dict[int, Refusal]) -> None:
        for row, refusal in ready.refused.items():
            excluded.setdefault(numbers[row], Refusal(numbers[row], refusal.path, refusal.reason))

    def _exclude_owners(
        self, child: Child, ready: Ready, split: Split, numbers: list[int], excluded: dict[int, Refusal]
    ) -> None:
        for row, refusal in ready.refused.items():
            owner = numbers[split.owners[row]]
            place = split.batch.rows[row][len(child.parent)]
            path = f"{child.column}[{place}]" + (f".{refusal.path}" if refusal.path else "")
            excluded.setdefault(owner, Refusal(owner, path, refusal.reason))
